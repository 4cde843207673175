/** What is served, for clients to find: groups, versions, kinds (https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api). */
import type { KindInfo } from '#proxy/istio/kinds.ts';
import { apiVersionOf, groups, kindsOf, type GroupVersion } from './catalogue.ts';
import { noSuchPath } from './status-error.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const SUBRESOURCE_VERBS = ['get', 'patch', 'update'];

const AGGREGATED =
  /^application\/json\s*;(?=.*\bg=apidiscovery\.k8s\.io\b)(?=.*\bas=APIGroupDiscoveryList\b).*\bv=(v2(?:beta1)?)\b/;

/** What the first range of an Accept header asks for: the version of the aggregated form, or null. */
function aggregatedVersion(accept: string): string | null {
  for (const range of accept.split(',')) {
    const version = AGGREGATED.exec(range.trim())?.[1];
    if (version !== undefined) return version;
    if (/^application\/json\s*$/.test(range.trim())) return null;
  }
  return null;
}

export type Document = { readonly type: string; readonly body: object };

/** `/api` and `/apis`: in the aggregated form when it is asked for, which saves a client one request per group. */
export function discoveryRoot(root: 'api' | 'apis', accept: string): Document {
  const version = aggregatedVersion(accept);
  if (version !== null)
    return {
      type: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
      body: aggregated(root, version),
    };
  if (root === 'api')
    return json({ kind: 'APIVersions', versions: groups().get('') ?? [], serverAddressByClientCIDRs: [] });
  const named = [...groups()].filter(([group]) => group !== '');
  return json({
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: named.map(([group, versions]) => groupOf(group, versions)),
  });
}

/** `/apis/GROUP` */
export function discoveryGroup(group: string): Document {
  const versions = groups().get(group);
  if (versions === undefined || group === '') throw noSuchPath();
  return json({ kind: 'APIGroup', apiVersion: 'v1', ...groupOf(group, versions) });
}

/** `/api/v1`, `/apis/GROUP/VERSION` */
export function discoveryVersion(gv: GroupVersion): Document {
  const kinds = kindsOf(gv);
  if (kinds.length === 0) throw noSuchPath();
  return json({
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(gv),
    resources: kinds.flatMap((info) => [
      {
        name: info.plural,
        singularName: info.singular,
        namespaced: info.namespaced,
        kind: info.kind,
        verbs: VERBS,
        shortNames: info.shortNames,
        categories: info.categories,
      },
      ...subresourcesOf(info).map(({ name, kind, group, version, verbs }) => ({
        name: `${info.plural}/${name}`,
        singularName: '',
        namespaced: info.namespaced,
        ...(group === undefined ? {} : { group, version }),
        kind,
        verbs,
      })),
    ]),
  });
}

type Subresource = { name: string; kind: string; group?: string; version?: string; verbs: readonly string[] };

function subresourcesOf(info: KindInfo): Subresource[] {
  const known: Subresource[] = [];
  if (info.subresources.includes('status')) known.push({ name: 'status', kind: info.kind, verbs: SUBRESOURCE_VERBS });
  if (info.subresources.includes('scale')) {
    known.push({ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: SUBRESOURCE_VERBS });
  }
  if (info.kind === 'Pod') {
    known.push({ name: 'log', kind: 'Pod', verbs: ['get'] });
    known.push({ name: 'exec', kind: 'PodExecOptions', verbs: ['create', 'get'] });
  }
  return known;
}

function groupOf(name: string, versions: readonly string[]): object {
  const entries = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: entries, preferredVersion: entries[0] };
}

function aggregated(root: 'api' | 'apis', version: string): object {
  const wanted = [...groups()].filter(([group]) => (group === '') === (root === 'api'));
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: wanted.map(([group, versions]) => ({
      metadata: group === '' ? { creationTimestamp: null } : { name: group, creationTimestamp: null },
      versions: versions.map((v) => ({
        version: v,
        freshness: 'Current',
        resources: kindsOf({ group, version: v }).map((info) => aggregatedKind(info, v)),
      })),
    })),
  };
}

function aggregatedKind(info: KindInfo, version: string): object {
  return {
    resource: info.plural,
    responseKind: { group: info.group, version, kind: info.kind },
    scope: info.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: info.singular,
    verbs: VERBS,
    shortNames: info.shortNames,
    categories: info.categories,
    subresources: subresourcesOf(info).map(({ name, kind, group = info.group, version: v = version, verbs }) => ({
      subresource: name,
      responseKind: { group, version: v, kind },
      verbs,
    })),
  };
}

const json = (body: object): Document => ({ type: 'application/json', body });

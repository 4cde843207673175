/** Which kinds are served under which path, and what a request's path is about. */
import { kindByPlural, KINDS, type KindInfo } from '#proxy/istio/kinds.ts';
import { noSuchPath } from './status-error.ts';

export type GroupVersion = { readonly group: string; readonly version: string };

/** What a path names. */
export type Target = GroupVersion & {
  readonly info: KindInfo;
  /** "" for cluster-scoped kinds and for lists over all namespaces. */
  readonly namespace: string;
  readonly name: string | null;
  readonly subresource: string | null;
};

/** Groups with their versions, preferred first; the core group is "". */
export function groups(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const { group, versions } of KINDS) {
    found.set(group, [...new Set([...(found.get(group) ?? []), ...versions])].sort(byAgeOfVersion));
  }
  return found;
}

/** Kinds served under one version of a group, by name: `kubectl get all` shows them in this order. */
export const kindsOf = ({ group, version }: GroupVersion): readonly KindInfo[] =>
  KINDS.filter((k) => k.group === group && k.versions.includes(version)).sort((a, b) => (a.plural < b.plural ? -1 : 1));

export const apiVersionOf = ({ group, version }: GroupVersion): string =>
  group === '' ? version : `${group}/${version}`;

/** What objects of a kind are stored as, whatever version they were written in. */
export const storedVersion = (info: KindInfo): string =>
  apiVersionOf({ group: info.group, version: info.versions[0]! });

export const pathOf = (gv: GroupVersion): string =>
  gv.group === '' ? `/api/${gv.version}` : `/apis/${gv.group}/${gv.version}`;

/** `path` without its query. Throws a 404 StatusError when nothing is served there. */
export function targetOf(path: string): Target {
  const parts = path.split('/').slice(1).map(decode);
  const core = parts[0] === 'api';
  const gv: GroupVersion = core
    ? { group: '', version: parts[1] ?? '' }
    : { group: parts[1] ?? '', version: parts[2] ?? '' };
  const rest = parts.slice(core ? 2 : 3);
  if (rest.at(-1) === '') rest.pop();
  const inNamespace = rest[0] === 'namespaces' && rest.length > 2 && !(core && isNamespacePart(rest[2]!));
  const namespace = inNamespace ? rest[1]! : '';
  const [plural, name = null, subresource = null, more] = inNamespace ? rest.slice(2) : rest;
  const info = plural === undefined ? undefined : kindByPlural(gv.group, plural);
  if (info === undefined || more !== undefined || !info.versions.includes(gv.version)) throw noSuchPath();
  if (inNamespace && !info.namespaced) throw noSuchPath();
  if (name !== null && info.namespaced && !inNamespace) throw noSuchPath();
  if (name === '' || (inNamespace && namespace === '')) throw noSuchPath();
  return { ...gv, info, namespace, name, subresource };
}

/** `/api/v1/namespaces/NAME/status` is about the namespace, not about something in it. */
const isNamespacePart = (segment: string): boolean => segment === 'status' || segment === 'finalize';

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw noSuchPath();
  }
}

/** v2 before v1 before v1beta2 before v1alpha1, as Kubernetes orders them. */
function byAgeOfVersion(a: string, b: string): number {
  return rank(b) - rank(a);
}

function rank(version: string): number {
  const [, major = '0', stage, minor = '0'] = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version) ?? [];
  const stages: Record<string, number> = { alpha: 0, beta: 1 };
  return (stages[stage ?? ''] ?? 2) * 1e6 + Number(major) * 1e3 + Number(minor);
}

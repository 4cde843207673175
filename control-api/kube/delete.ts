/** delete and deletecollection. */
import { KINDS } from '#proxy/istio/kinds.ts';
import type { Resource } from '#proxy/istio/resource.ts';
import { isRegistered } from '../registered-pod.ts';
import { kubeTime } from '../revise.ts';
import { decodeBody } from './body.ts';
import { isObject, shown, type JsonObject } from './json.ts';
import type { Answer, Call, KubeContext } from './call.ts';
import { represent, representList } from './represent.ts';
import { runs } from './runs.ts';
import { badRequest, conflict, forbidden, type Status } from './status-error.ts';
import { existing, selectorOf, stored } from './verbs.ts';
import { isDryRun } from './write.ts';

/** Deleting these would leave the mesh without a place for what is always there. */
const KEPT_NAMESPACES: ReadonlySet<string> = new Set(['default', 'istio-system']);

const PROPAGATIONS = ['Orphan', 'Background', 'Foreground'];

export function remove(context: KubeContext, call: Call): Answer {
  const { target } = call;
  const before = existing(context, call);
  const options = optionsOf(call);
  checkPreconditions(call, before, options);
  if (target.info.kind === 'Namespace' && KEPT_NAMESPACES.has(before.metadata.name)) {
    throw forbidden(`namespaces "${before.metadata.name}" is forbidden: this namespace may not be deleted`);
  }
  const left = removeOne(context, call, before, options);
  // What waits for a finalizer is shown; what is gone is told of.
  const body = left === null ? success(call, before) : represent(call, left);
  return { status: 200, body, warnings: isRegistered(before) ? [comesBack(before)] : [] };
}

const comesBack = ({ metadata }: Resource): string =>
  `pod ${metadata.name} registered itself, and is back with its next heartbeat as long as its proxy runs`;

export function removeCollection(context: KubeContext, call: Call): Answer {
  const options = optionsOf(call);
  const doomed = stored(context, call).filter(selectorOf(call.query));
  for (const resource of doomed) removeOne(context, call, resource, options);
  return { status: 200, body: representList(call, doomed, { resourceVersion: String(context.store.revision) }) };
}

/** What is left of it: null, or the object that now waits: for its finalizers, or for its processes to end. */
function removeOne(context: KubeContext, call: Call, before: Resource, options: JsonObject): Resource | null {
  const { store } = context;
  const { kind, metadata } = before;
  const grace = graceOf(call, before, options);
  const finalizers = metadata['finalizers'];
  const ends = kind === 'Pod' && grace > 0 && !isRegistered(before) && runs(context.runtime, before);
  const waits = ends || (Array.isArray(finalizers) && finalizers.length > 0);
  const left = waits ? marked(before, ends ? grace : null) : null;
  if (isDryRun(call.query) || Array.isArray(options['dryRun'])) return left;
  if (propagationOf(call, options) === 'Orphan') orphan(store, before, call);
  if (left !== null) return store.put(left, call.author);
  store.remove(kind, metadata.namespace, metadata.name, call.author);
  if (kind === 'Namespace') empty(context, call, metadata.name);
  return null;
}

/** The runner sees the mark, lets the pod finish its requests, and removes it. */
function marked(resource: Resource, grace: number | null): Resource {
  const { metadata } = resource;
  const deletionTimestamp = metadata['deletionTimestamp'] ?? kubeTime();
  const seconds = grace === null ? {} : { deletionGracePeriodSeconds: grace };
  return { ...resource, metadata: { ...metadata, deletionTimestamp, ...seconds } };
}

function graceOf({ query }: Call, { spec }: Resource, options: JsonObject): number {
  const wanted = query.get('gracePeriodSeconds') ?? options['gracePeriodSeconds'];
  const own = (spec as { terminationGracePeriodSeconds?: number } | undefined)?.terminationGracePeriodSeconds;
  const value = Number(wanted ?? own ?? 30);
  if (Number.isInteger(value) && value >= 0) return value;
  throw badRequest(`gracePeriodSeconds: expected a whole number of seconds, got ${JSON.stringify(wanted)}`);
}

/** What is in a namespace goes with it; what the runner made goes when its owner does. */
function empty(context: KubeContext, call: Call, namespace: string): void {
  const made: ReadonlySet<string> = new Set(['ReplicaSet', 'EndpointSlice']);
  for (const { kind, namespaced } of KINDS) {
    if (!namespaced || made.has(kind)) continue;
    for (const resource of context.store.list(kind, namespace)) removeOne(context, call, resource, {});
  }
}

/** Dependents forget their owner, so that they are not deleted with it. */
function orphan(store: KubeContext['store'], owner: Resource, { author }: Call): void {
  for (const kind of ['ReplicaSet', 'Pod', 'EndpointSlice']) {
    for (const resource of store.list(kind, owner.metadata.namespace)) {
      const owners = (resource.metadata['ownerReferences'] ?? []) as readonly { readonly uid: string }[];
      const left = owners.filter(({ uid }) => uid !== owner.metadata.uid);
      if (left.length === owners.length) continue;
      store.put({ ...resource, metadata: { ...resource.metadata, ownerReferences: left } }, author);
    }
  }
}

function success({ target }: Call, { metadata }: Resource): Status {
  const { group, plural } = target.info;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: metadata.name,
      ...(group === '' ? {} : { group }),
      kind: plural,
      ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
    },
    code: 200,
  };
}

/** DeleteOptions, of the body. */
function optionsOf({ body, contentType }: Call): JsonObject {
  const value = decodeBody(body, contentType);
  if (value !== null && !isObject(value)) throw badRequest('expected DeleteOptions in the body');
  return value ?? {};
}

function propagationOf({ query }: Call, options: JsonObject): string {
  const value = query.get('propagationPolicy') ?? options['propagationPolicy'] ?? 'Background';
  if (query.get('orphanDependents') === 'true' || options['orphanDependents'] === true) return 'Orphan';
  if (typeof value === 'string' && PROPAGATIONS.includes(value)) return value;
  throw badRequest(
    `propagationPolicy: Unsupported value: ${JSON.stringify(value)}: supported values: "${PROPAGATIONS.join('", "')}"`,
  );
}

function checkPreconditions({ target }: Call, { metadata }: Resource, options: JsonObject): void {
  const wanted = isObject(options['preconditions']) ? options['preconditions'] : {};
  for (const [field, label] of [
    ['uid', 'UID'],
    ['resourceVersion', 'ResourceVersion'],
  ] as const) {
    const value = wanted[field];
    if (value === undefined || value === metadata[field]) continue;
    const why = `Precondition failed: ${label} in precondition: ${shown(value)}, ${label} in object meta: ${metadata[field]}`;
    throw conflict(target.info, metadata.name, why);
  }
}

/** From the object a client sent to the one that is stored: identity checked, server-owned fields kept, admitted, committed. */
import type { Resource } from '#proxy/istio/resource.ts';
import { revise } from '../revise.ts';
import { ConflictError } from '../store.ts';
import { isObject, shown, type JsonObject } from './json.ts';
import type { Call, FieldValidation, KubeContext } from './call.ts';
import { apiVersionOf, storedVersion, type Target } from './catalogue.ts';
import { afterUpdate } from './managed-fields.ts';
import { badRequest, conflict, invalid, MODIFIED, notFound, type Subject } from './status-error.ts';

export type Written = { readonly resource: Resource; readonly warnings: readonly string[] };

export const subjectOf = ({ info }: Target): Subject => info;

/** `candidate` is whole: what the object shall be. `before` is what it replaces; null creates. */
export function write(context: KubeContext, call: Call, candidate: JsonObject, before: Resource | null): Written {
  const { target } = call;
  checkIdentity(call, candidate, before);
  const shaped = before === null ? forCreate(target, candidate) : forUpdate(call, candidate, before);
  const { resource, warnings } = context.admit(shaped, before, { fieldValidation: fieldValidationOf(call.query) });
  const next = afterUpdate(
    before,
    { ...resource, apiVersion: storedVersion(target.info) },
    {
      manager: managerOf(call),
      apiVersion: apiVersionOf(target),
      subresource: target.subresource,
    },
  );
  return { resource: commit(context, call, next, before, resourceVersionOf(candidate)), warnings };
}

/** Stores it, unless this is a dry run. `expect`: the resourceVersion the client worked from, if it said. */
export function commit(
  { store }: KubeContext,
  call: Call,
  next: Resource,
  before: Resource | null,
  expect?: string,
): Resource {
  const subject = subjectOf(call.target);
  if (before !== null && expect !== undefined && expect !== before.metadata.resourceVersion) {
    throw conflict(subject, next.metadata.name, MODIFIED);
  }
  if (isDryRun(call.query)) {
    const plain = JSON.parse(JSON.stringify(next)) as Resource;
    const revised = revise(plain, before, 0);
    // Nothing is stored, so there is no new number: the old one, or none.
    const { resourceVersion: _, ...metadata } = revised.metadata;
    const was = before?.metadata.resourceVersion;
    return { ...revised, metadata: was === undefined ? metadata : { ...metadata, resourceVersion: was } };
  }
  if (before !== null && finished(before, next)) {
    store.remove(next.kind, next.metadata.namespace, next.metadata.name, call.author);
    return next;
  }
  try {
    return store.put(next, call.author, before?.metadata.resourceVersion);
  } catch (error) {
    if (error instanceof ConflictError) throw conflict(subject, next.metadata.name, MODIFIED);
    throw error;
  }
}

/** `?dryRun=All` is the only kind there is. */
export function isDryRun(query: URLSearchParams): boolean {
  const value = query.get('dryRun');
  if (value !== null && value !== '' && value !== 'All') {
    throw badRequest(`dryRun: Unsupported value: "${value}": supported values: "All"`);
  }
  return value === 'All';
}

/** Who a change is attributed to in managedFields: what the client says, else its program's name. */
export const managerOf = ({ query, author }: Call): string => (query.get('fieldManager') ?? '') || author.via;

/** The wire's object as a plain one of ours: `metadata.namespace` is always there. */
export function forCreate({ info, namespace }: Target, candidate: JsonObject): JsonObject {
  const metadata = isObject(candidate['metadata']) ? candidate['metadata'] : {};
  const {
    uid: _u,
    creationTimestamp: _c,
    resourceVersion,
    generation: _g,
    selfLink: _s,
    deletionTimestamp: _d,
    managedFields: _m,
    generateName,
    name: given,
    ...rest
  } = metadata;
  if (typeof resourceVersion === 'string' && resourceVersion !== '') {
    throw badRequest('resourceVersion should not be set on objects to be created');
  }
  const prefix = typeof generateName === 'string' ? generateName : '';
  const name = given ?? (prefix === '' ? undefined : prefix + suffix());
  if (name === undefined || name === '') {
    const message = 'Required value: name or generateName is required';
    throw invalid(info, '', [{ reason: 'FieldValueRequired', message, field: 'metadata.name' }]);
  }
  const { status, ...body } = candidate;
  return {
    ...body,
    metadata: { ...rest, ...(prefix === '' ? {} : { generateName: prefix }), name, namespace },
    ...(info.subresources.includes('status') || status === undefined ? {} : { status }),
  };
}

export function forUpdate({ target }: Call, candidate: JsonObject, before: Resource): JsonObject {
  const given = isObject(candidate['metadata']) ? candidate['metadata'] : {};
  const was = before.metadata as unknown as JsonObject;
  const owned = ['uid', 'creationTimestamp', 'resourceVersion', 'generation', 'deletionTimestamp', 'managedFields'];
  const { selfLink: _, ...metadata } = Object.fromEntries(
    Object.entries(given).filter(([key]) => !owned.includes(key)),
  );
  for (const key of owned) if (was[key] !== undefined) metadata[key] = was[key];
  metadata['namespace'] = before.metadata.namespace;
  const old = before as unknown as JsonObject;
  if (target.subresource === 'status') {
    return { ...old, ...(candidate['status'] === undefined ? {} : { status: candidate['status'] }) };
  }
  const { status: _status, ...body } = candidate;
  const status = target.info.subresources.includes('status') ? old['status'] : candidate['status'];
  return { ...body, metadata, ...(status === undefined ? {} : { status }) };
}

/** The path decides what is meant; a body that means something else is a mistake. */
export function checkIdentity({ target }: Call, candidate: JsonObject, before: Resource | null): void {
  const expected = apiVersionOf(target);
  const { apiVersion, kind } = candidate;
  if (apiVersion !== expected && apiVersion !== undefined) {
    throw badRequest(
      `the API version in the data (${shown(apiVersion)}) does not match the expected API version (${expected})`,
    );
  }
  if (kind !== target.info.kind && kind !== undefined) {
    throw badRequest(`the kind in the data (${shown(kind)}) does not match the expected kind (${target.info.kind})`);
  }
  const metadata = isObject(candidate['metadata']) ? candidate['metadata'] : {};
  const { name, namespace, uid, resourceVersion } = metadata;
  // Taken for none, it would overwrite what somebody else changed in the meantime.
  if (resourceVersion !== undefined && resourceVersion !== null && typeof resourceVersion !== 'string') {
    throw badRequest(`metadata.resourceVersion: expected a string, got ${shown(resourceVersion)}`);
  }
  if (target.name !== null && name !== undefined && name !== target.name) {
    throw badRequest(`the name of the object (${shown(name)}) does not match the name on the URL (${target.name})`);
  }
  if (namespace !== undefined && namespace !== '' && namespace !== target.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (before !== null && uid !== undefined && uid !== '' && uid !== before.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${shown(uid)}, UID in object meta: ${before.metadata.uid}`;
    throw conflict(target.info, before.metadata.name, why);
  }
}

export function requireNamespace({ store }: KubeContext, { info, namespace }: Target): void {
  if (!info.namespaced) return;
  const found = store.get('Namespace', '', namespace);
  if (found === undefined) throw notFound({ group: '', plural: 'namespaces', kind: 'Namespace' }, namespace);
  if (found.metadata['deletionTimestamp'] !== undefined) {
    throw conflict(info, namespace, `the namespace ${namespace} is being terminated`);
  }
}

function resourceVersionOf(candidate: JsonObject): string | undefined {
  const metadata = candidate['metadata'];
  const version = isObject(metadata) ? metadata['resourceVersion'] : undefined;
  return typeof version === 'string' && version !== '' ? version : undefined;
}

export function fieldValidationOf(query: URLSearchParams): FieldValidation {
  // Kubernetes' default is Warn. Here a field that nobody knows is refused unless leniency is asked for: in a policy, a slip of
  // the pen would let traffic through.
  const value = query.get('fieldValidation') ?? 'Strict';
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore') return value;
  throw badRequest(`fieldValidation: Unsupported value: "${value}": supported values: "Ignore", "Strict", "Warn"`);
}

/** Marked for deletion, and this change takes the last finalizer away. */
function finished({ metadata: before }: Resource, { metadata }: Resource): boolean {
  const count = (finalizers: unknown): number => (Array.isArray(finalizers) ? finalizers.length : 0);
  const marked = metadata['deletionTimestamp'] !== undefined;
  return marked && count(before['finalizers']) > 0 && count(metadata['finalizers']) === 0;
}

/** Five letters and figures that make no words (Kubernetes leaves out vowels). */
function suffix(): string {
  const letters = 'bcdfghjklmnpqrstvwxz2456789';
  return Array.from(crypto.getRandomValues(new Uint8Array(5)), (n) => letters[n % letters.length]).join('');
}

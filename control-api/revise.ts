/** What a resource becomes when it replaces another: identity kept, generation counted, number given. Pure but for new uids. */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Meta, Resource } from '#proxy/istio/resource.ts';

export type Changed = 'nothing' | 'status' | 'metadata' | 'spec';

/** `spec` is anything beside metadata and status. What the store fills in, and the times of managedFields, do not count. */
export function whatChanged(before: Resource, after: Resource): Changed {
  const { metadata: m1, status: s1, ...body1 } = before;
  const { metadata: m2, status: s2, ...body2 } = after;
  if (!isDeepStrictEqual(body1, body2)) return 'spec';
  if (!isDeepStrictEqual(written(m1), written(m2))) return 'metadata';
  return isDeepStrictEqual(s1, s2) ? 'nothing' : 'status';
}

/** `given` as it is stored; `before` itself when nothing changed. `given` must be plain JSON. */
export function revise(given: Resource, before: Resource | null, revision: number): Resource {
  const change = before === null ? 'spec' : whatChanged(before, given);
  if (before !== null && change === 'nothing') return before;
  const was = before?.metadata;
  const { generation: _, ...metadata } = given.metadata;
  const stamped: Meta = {
    ...metadata,
    uid: was?.uid ?? randomUUID(),
    creationTimestamp: was?.creationTimestamp ?? given.metadata.creationTimestamp ?? kubeTime(),
    resourceVersion: String(revision),
    // Kinds without a spec (Secret, ConfigMap …) have no generation in Kubernetes either.
    ...(given.spec === undefined ? {} : { generation: (was?.generation ?? 0) + (change === 'spec' ? 1 : 0) }),
  };
  return { ...given, metadata: stamped };
}

/** Now, as Kubernetes writes times: RFC 3339 in whole seconds. */
export const kubeTime = (at = new Date()): string => at.toISOString().replace(/\.\d+Z$/, 'Z');

function written({ uid: _u, creationTimestamp: _c, resourceVersion: _r, generation: _g, ...rest }: Meta): object {
  const managed = rest['managedFields'];
  if (!Array.isArray(managed)) return rest;
  return { ...rest, managedFields: managed.map((entry: object) => ({ ...entry, time: '' })) };
}

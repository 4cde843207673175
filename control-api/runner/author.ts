/** How the runner changes the store: as itself, and only what has changed. */
import type { Meta, Resource } from '#proxy/istio/resource.ts';
import type { Author, Store } from '../store.ts';

export const RUNNER: Author = { via: 'runner', user: 'system:lateen' };

/** Puts a changed copy in place of a stored resource. Nothing happens when it is gone by now. */
export function update<T extends Resource>(store: Store, { kind, metadata }: T, change: (current: T) => T): void {
  const current = store.get(kind, metadata.namespace, metadata.name) as T | undefined;
  if (current !== undefined && current.metadata.uid === metadata.uid) store.put(change(current), RUNNER);
}

export function remove(store: Store, { kind, metadata }: Resource): void {
  store.remove(kind, metadata.namespace, metadata.name, RUNNER);
}

/** Metadata with some annotations replaced. */
export const annotate = (metadata: Meta, annotations: Readonly<Record<string, string>>): Meta => ({
  ...metadata,
  annotations: { ...metadata.annotations, ...annotations },
});

/** Asks for the end of a Pod: it stops being an endpoint, ends its requests, and only then disappears. */
export function askToEnd(store: Store, pod: Resource, now: string): void {
  if (typeof pod.metadata['deletionTimestamp'] === 'string') return;
  const grace = (pod.spec as { terminationGracePeriodSeconds?: number }).terminationGracePeriodSeconds ?? 30;
  update(store, pod, (current) => ({
    ...current,
    metadata: { ...current.metadata, deletionTimestamp: now, deletionGracePeriodSeconds: grace },
  }));
}

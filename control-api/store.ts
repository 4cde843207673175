/** Versioned resources: every change is a numbered revision. What the rest of the control plane knows of storage. */
import type { Resource } from '#proxy/istio/resource.ts';

/** Who made a change and how, for the history. */
export type Author = {
  /** `kubectl`, `lateen`, `runner`, `files` … */
  readonly via: string;
  readonly user: string;
  /** What for, when it is known: `rollback to 41`. */
  readonly message?: string;
};

export type StoreEvent = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** After the change; for DELETED, as it was last, with the resourceVersion of the deletion. */
  readonly resource: Resource;
  /** The resource before; null when it was ADDED. */
  readonly before: Resource | null;
  readonly revision: number;
};

/** Resources in it are frozen: change one by putting another in its place. */
export type Store = {
  /** Of the newest change; resourceVersions are these numbers. */
  readonly revision: number;
  /** All of a kind (in one namespace, when given), by namespace and name. */
  list(kind: string, namespace?: string): readonly Resource[];
  get(kind: string, namespace: string, name: string): Resource | undefined;
  /**
   * Creates or replaces. Fills uid, creationTimestamp, resourceVersion, generation (spec changed). A resource equal to what
   * is stored changes nothing and returns the stored one. `expect`: the resourceVersion it must replace.
   * Throws ConflictError when that does not hold.
   */
  put(resource: Resource, author: Author, expect?: string): Resource;
  /** Returns what was there, or undefined. */
  remove(kind: string, namespace: string, name: string, author: Author): Resource | undefined;
  /** Called for each change, synchronously, in order. Returns the function that ends it. */
  subscribe(listener: (event: StoreEvent) => void): () => void;
  /** Changes after `revision`, oldest first; null when they are not kept any more (a watcher gets 410 Gone then). */
  since(revision: number): readonly StoreEvent[] | null;
  close(): void;
};

export class ConflictError extends Error {}

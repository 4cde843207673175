/** The store: an index in memory over the journal, and the recent changes for whoever watches. */
import { keyOf, type Resource } from '#proxy/istio/resource.ts';
import { openJournal, type Change, type HistoryFilter } from './journal.ts';
import { revise, whatChanged } from './revise.ts';
import { ConflictError, type Author, type Store, type StoreEvent } from './store.ts';

export type HistoryStore = Store & {
  /** Changes people made (not of status, not the runner's Pods), newest first. */
  history(filter: HistoryFilter): readonly Change[];
};

/** How many changes a watcher can lag behind before it must list again. */
const KEPT_EVENTS = 5000;

/** What the runner makes of Deployments is made anew at each start, so it is not kept on disk. */
const EPHEMERAL: ReadonlySet<string> = new Set(['Pod', 'EndpointSlice', 'ReplicaSet', 'Event', 'Lease']);

/** `dir`: where the journal is; null keeps everything in memory, for tests. Throws when the journal cannot be opened. */
export function openStore(options: { readonly dir: string | null }): HistoryStore {
  const journal = openJournal(options.dir);
  const kinds = new Map<string, Shelf>();
  const ephemeral = new Set<string>();
  const events: StoreEvent[] = [];
  const listeners = new Set<(event: StoreEvent) => void>();
  const queue: StoreEvent[] = [];
  let revision = journal.revision;
  let oldestKept = revision;
  let delivering = false;
  for (const resource of journal.resources()) shelf(resource.kind).set(deepFreeze(resource));

  function shelf(kind: string): Shelf {
    let found = kinds.get(kind);
    if (found === undefined) kinds.set(kind, (found = new Shelf()));
    return found;
  }

  function commit(event: StoreEvent, author: Author, quiet: boolean): void {
    const { resource } = event;
    const key = keyOf(resource);
    if (event.before === null && author.via === 'runner' && EPHEMERAL.has(resource.kind)) ephemeral.add(key);
    if (ephemeral.has(key)) journal.reserve(event.revision);
    else journal.append(changeOf(event, author), quiet);
    // Only now: a change that could not be written has not happened.
    revision = event.revision;
    if (event.type === 'DELETED') {
      ephemeral.delete(key);
      shelf(resource.kind).delete(resource);
    } else shelf(resource.kind).set(resource);
    events.push(event);
    if (events.length > KEPT_EVENTS * 1.2) oldestKept = events.splice(0, events.length - KEPT_EVENTS).at(-1)!.revision;
    queue.push(event);
    deliver();
  }

  /** In order even when a listener changes something: its change waits until all have heard of this one. */
  function deliver(): void {
    if (delivering) return;
    delivering = true;
    for (let event = queue.shift(); event !== undefined; event = queue.shift()) {
      for (const listener of listeners) {
        try {
          listener(event);
        } catch (error) {
          // The listener's bug is not the writer's; it still has to be seen.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    }
    delivering = false;
  }

  return {
    get revision() {
      return revision;
    },
    list: (kind, namespace) => kinds.get(kind)?.list(namespace) ?? [],
    get: (kind, namespace, name) => kinds.get(kind)?.get(namespace, name),
    put(resource, author, expect) {
      const before = shelf(resource.kind).get(resource.metadata.namespace, resource.metadata.name) ?? null;
      if (expect !== undefined && before?.metadata.resourceVersion !== expect) {
        const now = before === null ? 'it is gone' : `it is at ${before.metadata.resourceVersion}`;
        throw new ConflictError(`expected ${keyOf(resource)} at resourceVersion ${expect}, but ${now}`);
      }
      const given = JSON.parse(JSON.stringify(resource)) as Resource;
      const after = deepFreeze(revise(given, before, revision + 1));
      if (after === before) return before;
      const type = before === null ? 'ADDED' : 'MODIFIED';
      const quiet = before !== null && whatChanged(before, after) === 'status';
      commit({ type, resource: after, before, revision: revision + 1 }, author, quiet);
      return after;
    },
    remove(kind, namespace, name, author) {
      const before = kinds.get(kind)?.get(namespace, name);
      if (before === undefined) return undefined;
      const metadata = { ...before.metadata, resourceVersion: String(revision + 1) };
      const resource = deepFreeze({ ...before, metadata });
      commit({ type: 'DELETED', resource, before, revision: revision + 1 }, author, false);
      return before;
    },
    subscribe(listener) {
      // Its own function, so that subscribing the same one twice is heard twice.
      const own = (event: StoreEvent): void => listener(event);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    since(from) {
      if (from < oldestKept) return null;
      return events.slice(firstAfter(events, from));
    },
    history: (filter) => journal.history(filter),
    close: () => journal.close(revision),
  };
}

/** The resources of one kind, and their order, made when it is asked for. */
class Shelf {
  readonly #byKey = new Map<string, Resource>();
  #sorted: readonly Resource[] | null = null;

  get(namespace: string, name: string): Resource | undefined {
    return this.#byKey.get(`${namespace}/${name}`);
  }

  set(resource: Resource): void {
    this.#byKey.set(`${resource.metadata.namespace}/${resource.metadata.name}`, resource);
    this.#sorted = null;
  }

  delete({ metadata }: Resource): void {
    this.#byKey.delete(`${metadata.namespace}/${metadata.name}`);
    this.#sorted = null;
  }

  list(namespace: string | undefined): readonly Resource[] {
    this.#sorted ??= Object.freeze([...this.#byKey.values()].sort(byNamespaceAndName));
    return namespace === undefined ? this.#sorted : this.#sorted.filter((r) => r.metadata.namespace === namespace);
  }
}

function byNamespaceAndName({ metadata: a }: Resource, { metadata: b }: Resource): number {
  return compare(a.namespace, b.namespace) || compare(a.name, b.name);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function changeOf(event: StoreEvent, author: Author): Change {
  const { kind, metadata } = event.resource;
  const verb = event.type === 'ADDED' ? 'create' : event.type === 'MODIFIED' ? 'update' : 'delete';
  const resource = event.type === 'DELETED' ? null : event.resource;
  const { namespace, name } = metadata;
  return { revision: event.revision, at: new Date().toISOString(), author, verb, kind, namespace, name, resource };
}

/** Index of the first event newer than `revision`; events are in order. */
function firstAfter(events: readonly StoreEvent[], revision: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle]!.revision <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const child of Object.values(value)) deepFreeze(child);
  return Object.freeze(value);
}

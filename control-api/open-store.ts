/** The store: an index in memory over the journal, and the recent changes for whoever watches. */
import { keyOf, type Resource } from '#proxy/istio/resource.ts';
import { Backlog } from './backlog.ts';
import { openJournal, type Change, type HistoryFilter, type Journal, type Key } from './journal.ts';
import { revise, whatChanged } from './revise.ts';
import { Shelf } from './shelf.ts';
import { ConflictError, type Author, type Store, type StoreEvent } from './store.ts';

export type HistoryStore = Store & {
  /** Changes made (not of status, not of the runner's Pods), newest first. */
  history(filter: HistoryFilter): readonly Change[];
  /** Resources that people changed after `revision`; null when the history does not reach back so far. */
  changedSince(revision: number): readonly Key[] | null;
  /** What one of them was at `revision`: null when there was none, undefined when it is no longer known. */
  at(revision: number, key: Key): Resource | null | undefined;
};

/** What the runner makes of Deployments is made anew at each start, so it is not kept on disk. */
const EPHEMERAL: ReadonlySet<string> = new Set(['Pod', 'EndpointSlice', 'ReplicaSet', 'Event', 'Lease']);

/** `dir`: where the journal is; null keeps everything in memory, for tests. Throws when the journal cannot be opened. */
export const openStore = (options: { readonly dir: string | null }): HistoryStore =>
  new JournalStore(openJournal(options.dir));

class JournalStore implements HistoryStore {
  readonly #journal: Journal;
  readonly #shelves = new Map<string, Shelf>();
  /** Keys of what is not in the journal. */
  readonly #ephemeral = new Set<string>();
  readonly #backlog: Backlog;
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  readonly #undelivered: StoreEvent[] = [];
  #delivering = false;
  #revision: number;

  constructor(journal: Journal) {
    this.#journal = journal;
    this.#revision = journal.revision;
    this.#backlog = new Backlog(journal.revision);
    for (const resource of journal.resources()) this.#shelf(resource.kind).set(deepFreeze(resource));
  }

  get revision(): number {
    return this.#revision;
  }

  list(kind: string, namespace?: string): readonly Resource[] {
    return this.#shelves.get(kind)?.list(namespace) ?? [];
  }

  get(kind: string, namespace: string, name: string): Resource | undefined {
    return this.#shelves.get(kind)?.get(namespace, name);
  }

  put(resource: Resource, author: Author, expect?: string): Resource {
    const before = this.get(resource.kind, resource.metadata.namespace, resource.metadata.name) ?? null;
    if (expect !== undefined && before?.metadata.resourceVersion !== expect) {
      const now = before === null ? 'it is gone' : `it is at ${before.metadata.resourceVersion}`;
      throw new ConflictError(`expected ${keyOf(resource)} at resourceVersion ${expect}, but ${now}`);
    }
    const text = JSON.stringify(resource);
    const given = JSON.parse(text) as Resource;
    const revision = this.#revision + 1;
    const after = deepFreeze(revise(given, before, revision));
    if (after === before) return before;
    const quiet = before !== null && whatChanged(before, after) === 'status';
    const type = before === null ? 'ADDED' : 'MODIFIED';
    this.#commit({ type, resource: after, before, revision }, author, { quiet, characters: text.length });
    return after;
  }

  remove(kind: string, namespace: string, name: string, author: Author): Resource | undefined {
    const before = this.get(kind, namespace, name);
    if (before === undefined) return undefined;
    const revision = this.#revision + 1;
    const metadata = { ...before.metadata, resourceVersion: String(revision) };
    const event: StoreEvent = { type: 'DELETED', resource: deepFreeze({ ...before, metadata }), before, revision };
    this.#commit(event, author, { quiet: false, characters: JSON.stringify(before).length });
    return before;
  }

  subscribe(listener: (event: StoreEvent) => void): () => void {
    // Its own function, so that subscribing the same one twice is heard twice.
    const own = (event: StoreEvent): void => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  since(revision: number): readonly StoreEvent[] | null {
    return this.#backlog.since(revision);
  }

  history(filter: HistoryFilter): readonly Change[] {
    return this.#journal.history(filter);
  }

  changedSince(revision: number): readonly Key[] | null {
    return this.#journal.changedSince(revision);
  }

  at(revision: number, key: Key): Resource | null | undefined {
    return this.#journal.at(revision, key);
  }

  close(): void {
    this.#journal.close(this.#revision);
  }

  #shelf(kind: string): Shelf {
    let shelf = this.#shelves.get(kind);
    if (shelf === undefined) this.#shelves.set(kind, (shelf = new Shelf()));
    return shelf;
  }

  #commit(event: StoreEvent, author: Author, { quiet, characters }: { quiet: boolean; characters: number }): void {
    const { resource, revision } = event;
    const key = keyOf(resource);
    if (event.before === null && author.via === 'runner' && EPHEMERAL.has(resource.kind)) this.#ephemeral.add(key);
    if (this.#ephemeral.has(key)) this.#journal.reserve(revision);
    else this.#journal.append(changeOf(event, author), quiet);
    // Only now: a change that could not be written has not happened.
    this.#revision = revision;
    if (event.type !== 'DELETED') this.#shelf(resource.kind).set(resource);
    else {
      this.#ephemeral.delete(key);
      this.#shelf(resource.kind).delete(resource);
    }
    this.#backlog.push(event, characters);
    this.#undelivered.push(event);
    this.#deliver();
  }

  /** In order even when a listener changes something: its change waits until all have heard of this one. */
  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    for (let event = this.#undelivered.shift(); event !== undefined; event = this.#undelivered.shift()) {
      for (const listener of this.#listeners) {
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
    this.#delivering = false;
  }
}

function changeOf(event: StoreEvent, author: Author): Change {
  const { kind, metadata } = event.resource;
  const verb = event.type === 'ADDED' ? 'create' : event.type === 'MODIFIED' ? 'update' : 'delete';
  const resource = event.type === 'DELETED' ? null : event.resource;
  const { namespace, name } = metadata;
  return { revision: event.revision, at: new Date().toISOString(), author, verb, kind, namespace, name, resource };
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const child of Object.values(value)) deepFreeze(child);
  return Object.freeze(value);
}

/**
 * What names resolve to, kept for as long as DNS says: one query at a time for one name, whoever wants it. Names that clusters are made of
 * are asked for again and again; those that somebody asked for once are asked for when they are wanted, and forgotten when nobody does.
 */
import type { Clock, Timer } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import type { DnsAnswer, DnsLookup } from './dns-lookup.ts';

/** One name. */
export type NameState = {
  readonly name: string;
  /** The last good answer, as DNS ordered it; empty: there was none yet. */
  readonly addresses: readonly string[];
  /** Why the last query failed; "": it did not. */
  readonly cause: string;
};

/** `addresses` is empty when there is no answer, and `cause` says why. */
export type OnAddresses = (addresses: readonly string[], cause: string) => void;

export type NamesSetup = {
  readonly lookup: DnsLookup;
  readonly clock: Clock;
  readonly random: Random;
  /** The family of addresses that is used when a name has both. */
  readonly prefer: () => 4 | 6;
  /** A name that is kept has been answered, or not; `changed`: its addresses are others than before. */
  readonly onOutcome: (state: NameState, changed: boolean) => void;
};

/** Bounds of a TTL. Envoy takes its refresh rate for a TTL of 0, a minute with Istio: too long for a name that is about to move. */
const TTL_LEAST_MS = 1000;
const TTL_MOST_MS = 300_000;
/** Where no TTL is told: MeshConfig.dnsRefreshRate. */
const TTL_UNKNOWN_MS = 60_000;
/** After the first failure in a row; doubled after each. A name without an answer is somebody's outage: it is asked for sooner. */
const RETRY_FIRST_MS = 250;
const RETRY_MS = 2000;
const RETRY_MOST_MS = 60_000;
/** A query that has not come back after so long never will. c-ares and getaddrinfo give up before. */
const QUERY_MOST_MS = 30_000;
/** Envoy's dynamic forward proxy: host_ttl, max_hosts. */
const IDLE_MS = 300_000;
const MOST_ASKED = 1024;
/** More addresses than this of one name are not used. */
const MOST_ADDRESSES = 256;
/** A part of the TTL before its end, a name that is in use is asked for again: nobody waits for it. */
const AHEAD = 0.2;

class Entry implements NameState {
  readonly name: string;
  addresses: readonly string[] = [];
  cause = '';
  kept = false;
  failures = 0;
  /** Clock's milliseconds: when it was asked for last, and until when the answer (or the failure) holds. */
  usedAt = 0;
  until = 0;
  ttl = 0;
  /** The query under way; 0: none. */
  query = 0;
  timer: Timer | null = null;
  readonly waiting = new Set<OnAddresses>();

  constructor(name: string) {
    this.name = name;
  }
}

export class Names {
  readonly #setup: NamesSetup;
  readonly #entries = new Map<string, Entry>();
  #queries = 0;
  #asked = 0;

  constructor(setup: NamesSetup) {
    this.#setup = setup;
  }

  /** Names in memory. */
  get size(): number {
    return this.#entries.size;
  }

  /** Exactly these names (as `nameOf` writes them) are asked for again and again from now on. */
  keep(names: ReadonlySet<string>): void {
    for (const entry of this.#entries.values()) if (entry.kept && !names.has(entry.name)) this.#release(entry);
    for (const name of names) {
      const entry = this.#entries.get(name) ?? this.#add(name);
      if (entry.kept) continue;
      entry.kept = true;
      this.#asked--;
      if (entry.query === 0) this.#ask(entry);
    }
  }

  get(name: string): NameState | null {
    return this.#entries.get(name) ?? null;
  }

  /**
   * The addresses of a name: at once when they are known, else when DNS has answered. The returned function gives up waiting. A failure is
   * remembered for a while, so that a name that does not exist is not asked for with every request.
   */
  resolve(host: string, done: OnAddresses): () => void {
    const name = nameOf(host);
    if (name === null) return later(() => done([], 'DNS resolution failed (not a host name)'));
    const entry = this.#entries.get(name) ?? this.#addAsked(name);
    if (entry === null) return later(() => done([], 'DNS resolution failed (too many names at a time)'));
    const now = this.#setup.clock.now();
    if (!entry.kept) this.#touch(entry, now);
    const left = entry.until - now;
    const failing = entry.cause !== '';
    // Who asks while DNS fails is not made to wait for it to fail once more.
    if (entry.addresses.length > 0 && (left > 0 || entry.kept || failing)) {
      const soon = failing ? 0 : entry.ttl * AHEAD;
      if (!entry.kept && entry.query === 0 && left <= soon) this.#ask(entry);
      return later(() => done(entry.addresses, ''));
    }
    if (left > 0 && failing) return later(() => done([], entry.cause));
    if (entry.query === 0) this.#ask(entry);
    entry.waiting.add(done);
    return () => void entry.waiting.delete(done);
  }

  /** Forgets names that nobody has asked for in a while. */
  sweep(): void {
    const before = this.#setup.clock.now() - IDLE_MS;
    for (const entry of this.#entries.values()) if (isIdle(entry) && entry.usedAt <= before) this.#forget(entry);
  }

  close(): void {
    for (const entry of this.#entries.values()) {
      entry.timer?.cancel();
      entry.query = 0;
      entry.waiting.clear();
    }
    this.#entries.clear();
    this.#asked = 0;
  }

  #add(name: string): Entry {
    const entry = new Entry(name);
    this.#entries.set(name, entry);
    this.#asked++;
    return entry;
  }

  /** Null: too many are being asked for at this moment. */
  #addAsked(name: string): Entry | null {
    if (this.#asked >= MOST_ASKED) {
      // In order of use: the first that nobody waits for has been idle longest.
      const oldest = this.#entries.values().find(isIdle);
      if (oldest === undefined) return null;
      this.#forget(oldest);
    }
    return this.#add(name);
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.name);
    this.#asked--;
  }

  /** It is kept no more; whoever asks for it finds what is known. */
  #release(entry: Entry): void {
    entry.kept = false;
    this.#asked++;
    if (entry.query === 0) entry.timer?.cancel();
    this.#touch(entry, this.#setup.clock.now());
  }

  #touch(entry: Entry, now: number): void {
    entry.usedAt = now;
    this.#entries.delete(entry.name);
    this.#entries.set(entry.name, entry);
  }

  #ask(entry: Entry): void {
    const query = ++this.#queries;
    entry.query = query;
    entry.timer?.cancel();
    const over = (answer: DnsAnswer | null, cause: string): void => {
      if (entry.query === query) this.#settle(entry, answer, cause);
    };
    entry.timer = this.#setup.clock.add(
      QUERY_MOST_MS,
      () => over(null, 'DNS resolution failed (no answer)'),
      undefined,
    );
    this.#setup.lookup(entry.name, this.#setup.prefer()).then(
      (answer) => over(answer, 'DNS resolution failed (no address)'),
      (error: unknown) => over(null, causeOf(error)),
    );
  }

  #settle(entry: Entry, answer: DnsAnswer | null, cause: string): void {
    const { clock, onOutcome } = this.#setup;
    entry.query = 0;
    entry.timer?.cancel();
    entry.timer = null;
    const before = entry.addresses;
    const found = bounded(answer?.addresses ?? []);
    const good = found.length > 0;
    entry.failures = good ? 0 : entry.failures + 1;
    entry.cause = good ? '' : cause;
    if (good) entry.addresses = found;
    entry.ttl = good ? ttlOf(answer?.ttl ?? null) : retryAfter(entry);
    // Not all workers of a proxy, nor all proxies of a mesh, ask at the same moment.
    const wait = entry.ttl * (good ? 1 + this.#setup.random() / 10 : 0.5 + this.#setup.random());
    entry.until = clock.now() + wait;
    if (entry.kept) entry.timer = clock.add(wait, () => this.#ask(entry), undefined);
    const waiting = [...entry.waiting];
    entry.waiting.clear();
    if (entry.kept) onOutcome(entry, good && !isSame(before, found));
    for (const done of waiting) done(entry.addresses, entry.addresses.length > 0 ? '' : entry.cause);
  }
}

/** Nothing is lost when it is forgotten but an answer that can be asked for again. */
const isIdle = (entry: Entry): boolean => !entry.kept && entry.query === 0 && entry.waiting.size === 0;

const ttlOf = (told: number | null): number =>
  told === null ? TTL_UNKNOWN_MS : Math.min(Math.max(told, TTL_LEAST_MS), TTL_MOST_MS);

const retryAfter = ({ addresses, failures }: Entry): number =>
  Math.min((addresses.length > 0 ? RETRY_MS : RETRY_FIRST_MS) * 2 ** Math.min(failures - 1, 10), RETRY_MOST_MS);

/** Each once. Of too many always the same ones, in whatever order the server lists them today. */
function bounded(addresses: readonly string[]): readonly string[] {
  const all = [...new Set(addresses)];
  if (all.length <= MOST_ADDRESSES) return all;
  const used = new Set(all.toSorted().slice(0, MOST_ADDRESSES));
  return all.filter((address) => used.has(address));
}

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((address, i) => address === b[i]);

function later(fn: () => void): () => void {
  const immediate = setImmediate(fn);
  return () => clearImmediate(immediate);
}

const causeOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  return `DNS resolution failed (${code ?? message})`.slice(0, 200);
};

/** Letters, digits, hyphens, and the underscores that DNS knows but no host has. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * The name as it is kept: lower case, without the dot at its end. Null: it cannot be a host's name. One that ends in a number is another way
 * to write an IPv4 address (`2130706433`, `0x7f.1`; WHATWG URL, "ends in a number"), which getaddrinfo would read as one.
 */
export function nameOf(host: string): string | null {
  const name = (host.endsWith('.') ? host.slice(0, -1) : host).toLowerCase();
  if (name.length === 0 || name.length > 253) return null;
  const labels = name.split('.');
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1)!)) return null;
  return labels.every((label) => LABEL.test(label)) ? name : null;
}

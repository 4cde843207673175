/** Connected proxies: each has its stream of configuration, and says which revision it runs. */
import type { Resource } from '#proxy/istio/resource.ts';
import type { Sink } from './kube/watch.ts';
import { ProxyFeed, type FeedLine } from './proxy-feed.ts';
import type { ProxyReport } from './proxy-report.ts';
import type { Store, StoreEvent } from './store.ts';

export type ProxyState = Partial<Omit<ProxyReport, 'revision'>> & {
  /** `<pod>.<namespace>` */
  readonly proxy: string;
  readonly sync: 'SYNCED' | 'STALE' | 'REJECTED' | 'DISCONNECTED';
  /** Revision it runs, 0 before its first report; and the one it was sent last. */
  readonly revision: number;
  readonly sent: number;
  /** From the store's change to the proxy's word that it is in force; null before its first report. */
  readonly pushMs: number | null;
  readonly connectedAt: string | null;
  readonly reportedAt: string | null;
};

const PING_MS = 10_000;
/** Ids kept; more would be someone making them up. */
const MAX_PROXIES = 10_000;
const MAX_PENDING = 256;

type Proxy = {
  sink: Sink | null;
  connectedAt: string | null;
  sent: number;
  report: ProxyReport | null;
  reportedAt: string | null;
  pushMs: number | null;
  /** Lines on their way: what they bring the proxy to, and since when that has been so. */
  pending: { readonly revision: number; readonly since: number }[];
};

export class Proxies {
  readonly #store: Store;
  readonly #feed: ProxyFeed;
  readonly #proxies = new Map<string, Proxy>();
  readonly #waiting = new Set<() => void>();
  readonly #stops: (() => void)[];
  /** What a proxy that connects is told besides its configuration: lines, or nothing. */
  greeting: () => string = () => '';
  /** Told of a proxy whose stream has ended, when no newer one has taken its place. */
  broken: (id: string) => void = () => {};

  constructor(store: Store) {
    this.#store = store;
    this.#feed = new ProxyFeed(store, (line) => this.#tellAll(line));
    const pinger = setInterval(() => this.#ping(), PING_MS);
    // What keeps the process alive is the server, not its pings.
    pinger.unref();
    this.#stops = [store.subscribe((event) => this.#forget(event)), () => clearInterval(pinger)];
  }

  /** Sends everything, then changes. Returns what ends it. A proxy's newer stream takes the place of its older one. */
  connect(id: string, sink: Sink): () => void {
    const proxy = this.#known(id);
    proxy.sink?.end();
    proxy.sink = sink;
    proxy.connectedAt = new Date().toISOString();
    proxy.pending = [];
    tell(proxy, { ...this.#feed.whole(), since: performance.now() });
    const greeting = this.greeting();
    if (greeting !== '') sink.write(greeting);
    return () => {
      if (proxy.sink !== sink) return;
      proxy.sink = null;
      if (!this.#isWanted(id) && this.#proxies.get(id) === proxy) this.#proxies.delete(id);
      this.#recheck();
      this.broken(id);
    };
  }

  report(id: string, report: ProxyReport): void {
    const proxy = this.#known(id);
    proxy.report = report;
    proxy.reportedAt = new Date().toISOString();
    const done = proxy.pending.filter((p) => p.revision <= report.revision);
    if (done.length > 0) proxy.pushMs = Math.round((performance.now() - done.at(-1)!.since) * 10) / 10;
    proxy.pending = proxy.pending.slice(done.length);
    this.#recheck();
  }

  /** By name. */
  list(): readonly ProxyState[] {
    // What is about to be sent counts: nobody who changes something and looks at once sees SYNCED of before.
    const needed = this.#feed.relevant;
    const states = Array.from(this.#proxies, ([id, proxy]) => stateOf(id, proxy, needed));
    return states.sort((a, b) => (a.proxy < b.proxy ? -1 : 1));
  }

  /** Resolves when every connected proxy runs with this revision, or one that means the same to it. */
  settled(revision: number): Promise<void> {
    // What came after the newest change that concerns them, they were never told, nor need they be.
    const needed = Math.min(revision, this.#feed.relevant);
    const open = (): boolean =>
      [...this.#proxies.values()].every(({ sink, report }) => sink === null || (report?.revision ?? 0) >= needed);
    if (open()) return Promise.resolve();
    return new Promise((resolve) => {
      const check = (): void => {
        if (!open()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
    });
  }

  close(): void {
    this.#feed.close();
    for (const stop of this.#stops) stop();
    for (const { sink } of this.#proxies.values()) sink?.end();
  }

  /** Lines that are no configuration, to everyone who is connected. */
  broadcast(text: string): void {
    for (const { sink } of this.#proxies.values()) sink?.write(text);
  }

  /** Such a line to one of them: has it gone out, and if not, why? */
  send(id: string, text: string): 'sent' | 'disconnected' | 'unknown' {
    const proxy = this.#proxies.get(id);
    if (proxy === undefined) return 'unknown';
    proxy.sink?.write(text);
    return proxy.sink === null ? 'disconnected' : 'sent';
  }

  isConnected(id: string): boolean {
    const sink = this.#proxies.get(id)?.sink ?? null;
    return sink !== null;
  }

  get connected(): number {
    return [...this.#proxies.values()].filter(({ sink }) => sink !== null).length;
  }

  #tellAll(line: FeedLine): void {
    for (const proxy of this.#proxies.values()) if (proxy.sink !== null) tell(proxy, line);
  }

  #ping(): void {
    for (const { sink } of this.#proxies.values()) sink?.write('{"kind":"ping"}\n');
  }

  #known(id: string): Proxy {
    let proxy = this.#proxies.get(id);
    if (proxy === undefined) {
      proxy = { sink: null, connectedAt: null, sent: 0, report: null, reportedAt: null, pushMs: null, pending: [] };
      if (this.#proxies.size >= MAX_PROXIES) this.#evict();
      this.#proxies.set(id, proxy);
    }
    return proxy;
  }

  /** One that is not connected, if there is one. */
  #evict(): void {
    const all = [...this.#proxies];
    const [id, gone] = all.find(([, { sink }]) => sink === null) ?? all[0]!;
    gone.sink?.end();
    this.#proxies.delete(id);
  }

  /** The pod is gone for good; while its stream is open, it may still be finishing. */
  #forget({ type, resource }: StoreEvent): void {
    const { kind, metadata } = resource;
    if (kind !== 'Pod' || (type !== 'DELETED' && !hasEnded(resource))) return;
    const id = `${metadata.name}.${metadata.namespace}`;
    if (this.#proxies.get(id)?.sink === null) this.#proxies.delete(id);
  }

  /** Names of pods may contain dots, those of namespaces may not. */
  #isWanted(id: string): boolean {
    const dot = id.lastIndexOf('.');
    const pod = this.#store.get('Pod', id.slice(dot + 1), id.slice(0, dot));
    return pod !== undefined && !hasEnded(pod);
  }

  #recheck(): void {
    // A check takes itself out of the set when it is done, which a set allows while it is gone through.
    for (const check of this.#waiting) check();
  }
}

/** A pod that ran to its end stays listed, but its proxy does not come back. */
export function hasEnded({ status }: Resource): boolean {
  const phase = (status as { readonly phase?: unknown } | undefined)?.phase;
  return phase === 'Succeeded' || phase === 'Failed';
}

function tell(proxy: Proxy, { text, revision, since }: FeedLine): void {
  proxy.sent = revision;
  proxy.pending.push({ revision, since });
  if (proxy.pending.length > MAX_PENDING) proxy.pending.shift();
  proxy.sink!.write(text);
}

function stateOf(id: string, proxy: Proxy, needed: number): ProxyState {
  const { sink, sent, report, pushMs, connectedAt, reportedAt, pending } = proxy;
  const current = report !== null && report.revision >= Math.max(sent, needed) && pending.length === 0;
  const rejected = report?.accepted === false;
  const sync = sink === null ? 'DISCONNECTED' : rejected ? 'REJECTED' : current ? 'SYNCED' : 'STALE';
  return { proxy: id, sync, ...report, revision: report?.revision ?? 0, sent, pushMs, connectedAt, reportedAt };
}

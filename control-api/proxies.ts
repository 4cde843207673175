/** What proxies are sent and what they say of it: the stream of configuration, and who runs which revision. */
import { KINDS } from '#proxy/istio/kinds.ts';
import { keyOf, type Resource } from '#proxy/istio/resource.ts';
import type { Sink } from './kube/watch.ts';
import type { ProxyReport } from './proxy-report.ts';
import { whatChanged } from './revise.ts';
import type { Store, StoreEvent } from './store.ts';

export type ProxyState = Partial<Omit<ProxyReport, 'revision'>> & {
  /** `<pod>.<namespace>` */
  readonly proxy: string;
  readonly sync: 'SYNCED' | 'STALE' | 'REJECTED' | 'DISCONNECTED';
  /** Revision it runs, 0 before its first report; and the one it was sent last. */
  readonly revision: number;
  readonly sent: number;
  /** From the store's change to the proxy's word that it is in force; null before the first change. */
  readonly pushMs: number | null;
  readonly connectedAt: string | null;
  readonly reportedAt: string | null;
};

export type Proxies = {
  /** Sends everything, then changes. Returns what ends it. A proxy's newer stream takes the place of its older one. */
  connect(proxy: string, sink: Sink): () => void;
  report(proxy: string, report: ProxyReport): void;
  list(): readonly ProxyState[];
  /** Resolves when every connected proxy runs with this revision, or one that means the same to it. */
  settled(revision: number): Promise<void>;
  close(): void;
};

/** Changes this close together are one line: an `apply` of many documents compiles once. */
const BATCH_MS = 5;
const PING_MS = 10_000;
/** Ids kept; more would be someone making them up. */
const MAX_PROXIES = 10_000;
const MAX_PENDING = 256;

/** Kubernetes' own kinds that say something to a proxy; of Istio's, all do. */
const NEEDED: ReadonlySet<string> = new Set(['Service', 'Pod', 'EndpointSlice']);
const SENT_KINDS = KINDS.filter(({ group, kind }) => NEEDED.has(kind) || group.endsWith('.istio.io')).map(
  (k) => k.kind,
);
const SENT: ReadonlySet<string> = new Set(SENT_KINDS);

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

export function createProxies(store: Store): Proxies {
  const proxies = new Map<string, Proxy>();
  const waiting = new Set<() => void>();
  const batch = new Map<string, Resource | null>();
  let batchSince = 0;
  let timer: NodeJS.Timeout | null = null;
  /** Newest change that proxies were, or are about to be, told of. */
  let relevant = store.revision;
  let whole: { revision: number; line: string } | null = null;

  const stop = store.subscribe((event) => {
    if (event.type === 'DELETED' && event.resource.kind === 'Pod') forget(event.resource);
    if (!concernsProxies(event)) return;
    if (batch.size === 0) batchSince = performance.now();
    batch.set(keyOf(event.resource), event.type === 'DELETED' ? null : event.resource);
    relevant = event.revision;
    timer ??= setTimeout(flush, BATCH_MS);
  });
  const pinger = setInterval(() => {
    for (const { sink } of proxies.values()) sink?.write('{"kind":"ping"}\n');
  }, PING_MS);

  function flush(): void {
    timer = null;
    const upserts = [...batch.values()].filter((r) => r !== null).map(forProxies);
    const deletes = [...batch].filter(([, resource]) => resource === null).map(([key]) => key);
    batch.clear();
    const line = `${JSON.stringify({ kind: 'change', revision: relevant, upserts, deletes })}\n`;
    for (const proxy of proxies.values()) if (proxy.sink !== null) tell(proxy, line, relevant, batchSince);
  }

  function tell(proxy: Proxy, line: string, revision: number, since: number): void {
    proxy.sent = revision;
    proxy.pending.push({ revision, since });
    if (proxy.pending.length > MAX_PENDING) proxy.pending.shift();
    proxy.sink!.write(line);
  }

  /** Proxies often come all at once, so what they are all told first is made once. */
  function wholeLine(): string {
    if (whole?.revision !== store.revision) {
      const resources = SENT_KINDS.flatMap((kind) => store.list(kind)).map(forProxies);
      const line = `${JSON.stringify({ kind: 'set', revision: store.revision, resources })}\n`;
      whole = { revision: store.revision, line };
    }
    return whole.line;
  }

  function known(id: string): Proxy {
    let proxy = proxies.get(id);
    if (proxy === undefined) {
      proxy = { sink: null, connectedAt: null, sent: 0, report: null, reportedAt: null, pushMs: null, pending: [] };
      if (proxies.size >= MAX_PROXIES) evict();
      proxies.set(id, proxy);
    }
    return proxy;
  }

  function evict(): void {
    const all = [...proxies];
    const [id, gone] = all.find(([, { sink }]) => sink === null) ?? all[0]!;
    gone.sink?.end();
    proxies.delete(id);
  }

  /** The pod is gone for good; while its stream is open, it may still be finishing. */
  function forget({ metadata }: Resource): void {
    const id = `${metadata.name}.${metadata.namespace}`;
    if (proxies.get(id)?.sink === null) proxies.delete(id);
  }

  function recheck(): void {
    for (const check of [...waiting]) check();
  }

  return {
    connect(id, sink) {
      const proxy = known(id);
      proxy.sink?.end();
      proxy.sink = sink;
      proxy.connectedAt = new Date().toISOString();
      proxy.pending = [];
      tell(proxy, wholeLine(), store.revision, performance.now());
      return () => {
        if (proxy.sink !== sink) return;
        proxy.sink = null;
        const { 0: name = '', 1: namespace = '' } = splitId(id);
        if (store.get('Pod', namespace, name) === undefined && proxies.get(id) === proxy) proxies.delete(id);
        recheck();
      };
    },
    report(id, report) {
      const proxy = known(id);
      proxy.report = report;
      proxy.reportedAt = new Date().toISOString();
      const done = proxy.pending.filter((p) => p.revision <= report.revision);
      if (done.length > 0) proxy.pushMs = Math.round((performance.now() - done.at(-1)!.since) * 10) / 10;
      proxy.pending = proxy.pending.slice(done.length);
      recheck();
    },
    list: () => Array.from(proxies, ([id, proxy]) => stateOf(id, proxy)).sort((a, b) => (a.proxy < b.proxy ? -1 : 1)),
    settled(revision) {
      // What came after the newest change that concerns them, they were never told, nor need they be.
      const needed = Math.min(revision, relevant);
      const open = (): boolean =>
        [...proxies.values()].every(({ sink, report }) => sink === null || (report?.revision ?? 0) >= needed);
      if (open()) return Promise.resolve();
      return new Promise((resolve) => {
        const check = (): void => {
          if (!open()) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
      });
    },
    close() {
      stop();
      clearInterval(pinger);
      if (timer !== null) clearTimeout(timer);
      for (const { sink } of proxies.values()) sink?.end();
    },
  };
}

function stateOf(id: string, { sink, sent, report, pushMs, connectedAt, reportedAt, pending }: Proxy): ProxyState {
  const current = report !== null && report.revision >= sent && pending.length === 0;
  const sync = sink === null ? 'DISCONNECTED' : report?.accepted === false ? 'REJECTED' : current ? 'SYNCED' : 'STALE';
  return { proxy: id, sync, ...report, revision: report?.revision ?? 0, sent, pushMs, connectedAt, reportedAt };
}

function concernsProxies({ type, resource, before }: StoreEvent): boolean {
  if (!SENT.has(resource.kind)) return false;
  // A pod's address is in its status; any other status is for people.
  if (type !== 'MODIFIED' || before === null || resource.kind === 'Pod') return true;
  return whatChanged(before, resource) !== 'status';
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Without what only clients of the Kubernetes API read: it is often most of a resource. */
function forProxies(resource: Resource): Resource {
  const { managedFields: _, annotations, ...metadata } = resource.metadata;
  const { [LAST_APPLIED]: __, ...rest } = annotations ?? {};
  const kept = Object.keys(rest).length === 0 ? metadata : { ...metadata, annotations: rest };
  return { ...resource, metadata: kept };
}

/** Pod names may contain dots, namespaces may not. */
function splitId(id: string): readonly string[] {
  const dot = id.lastIndexOf('.');
  return [id.slice(0, dot), id.slice(dot + 1)];
}

/** A data plane in the test's own process, on a snapshot the test makes: the request path with real sockets and nothing else. */
import { plainTelemetry } from '#proxy/compile/telemetry.ts';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { clusterName, routeName, tableName } from '#proxy/core/brand.ts';
import type { ClusterState } from '#proxy/admin/cluster-state.ts';
import { createDataPlane } from '#proxy/data-plane.ts';
import { SIDECAR_LIMITS, type ListenerLimits } from '#proxy/listener/limits.ts';
import type { OriginalDst } from '#proxy/listener/original-dst.ts';
import type { MemoryReading } from '#proxy/listener/memory-reading.ts';
import { SeriesReader } from '#proxy/core/series-reader.ts';
import type { FromWorker } from '#proxy/messages.ts';
import type { EgressRow } from '#proxy/core/egress.ts';
import type { SpanBatch } from '#proxy/telemetry/spans.ts';
import { poisonReads } from '#proxy/wire/lent-reads.ts';
import type { Cluster } from '#proxy/snapshot/cluster.ts';
import { sampleCluster } from '#proxy/snapshot/sample-cluster.ts';
import type { Discovery, Endpoint } from '#proxy/snapshot/endpoints.ts';
import type { HttpListener, Listener } from '#proxy/snapshot/listener.ts';
import type { ProxyNode } from '#proxy/snapshot/node.ts';
import type { Route } from '#proxy/snapshot/route.ts';
import type { Snapshot } from '#proxy/snapshot/snapshot.ts';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// In every test that comes by here: bytes of one connection must never show up on another.
poisonReads();

export const NODE: ProxyNode = {
  role: 'sidecar',
  name: 'test-0',
  namespace: 'default',
  workload: 'test',
  serviceAccount: 'default',
  labels: { app: 'test', version: 'v1' },
  ip: '127.0.0.1',
  canonicalService: 'test',
  canonicalRevision: 'v1',
  cluster: 'Kubernetes',
  trustDomain: 'cluster.local',
  rootNamespace: 'istio-system',
  portMap: {},
  interception: 'NONE',
  appPorts: {},
};

export function route(over: Partial<Route> = {}): Route {
  return {
    name: routeName('default'),
    match: { path: null, method: null, authority: null, scheme: null, headers: [], query: [] },
    action: {
      kind: 'forward',
      split: [{ cluster: clusterName('origin'), weight: 1, requestHeaders: null, responseHeaders: null }],
      rewrite: null,
    },
    timeout: null,
    retry: null,
    fault: null,
    cors: null,
    mirrors: [],
    requestHeaders: null,
    responseHeaders: null,
    operation: 'origin:80/*',
    source: null,
    ...over,
  };
}

export const cluster = (name: string, over: Partial<Cluster> = {}): Cluster =>
  sampleCluster({
    name: clusterName(name),
    service: { host: `${name}.default.svc.cluster.local`, name, namespace: 'default' },
    protocol: 'http',
    ...over,
  });

export const endpoint = (port: number, address = '127.0.0.1'): Endpoint => ({
  address,
  port,
  weight: 1,
  healthy: true,
  locality: '',
});

export type TestProxy = AsyncDisposable & {
  readonly port: number;
  /** Of the further listeners, by name. */
  readonly ports: Readonly<Record<string, number>>;
  /** Parsed access-log lines, when they are on disk. */
  log(): Promise<readonly Record<string, unknown>[]>;
  apply(snapshot: Partial<Snapshot>, discovery?: Discovery): Promise<void>;
  /** As SIGUSR1 does. */
  reopenLogs(): void;
  /** As SIGTERM does. Resolves when nothing is left, or after `within` ms. */
  drain(within: number): Promise<void>;
  /** What the data plane counts at this moment. */
  clusters(): readonly ClusterState[];
  /** What it counts. */
  readonly series: SeriesReader;
  /** What has left, or tried to, so far. */
  egress(): readonly EgressRow[];
};

export type TestProxyOptions = {
  /** Takes its spans, in Zipkin's format; without it, none is made. */
  readonly spans?: (batch: SpanBatch) => void;
  /** Whose proxy it is; NODE when absent. */
  readonly node?: ProxyNode;
  readonly routes?: readonly Route[];
  readonly clusters?: readonly Cluster[];
  readonly endpoints?: Readonly<Record<string, readonly Endpoint[]>>;
  readonly listener?: Partial<HttpListener>;
  /** More listeners; port 0 stands for a free one, told by `ports`. */
  readonly listeners?: readonly Listener[];
  /** More route tables. */
  readonly tables?: Snapshot['tables'];
  readonly pathNormalization?: Snapshot['pathNormalization'];
  /** What differs from the limits of a sidecar. */
  readonly limits?: Partial<ListenerLimits>;
  /** What the overload monitor reads; by default nothing is taken. */
  readonly memory?: () => MemoryReading;
  /** Where a connection was going before the kernel redirected it, as the test would have it. */
  readonly redirect?: OriginalDst;
};

const NO_PRESSURE = (): MemoryReading => ({ heap: 0, process: 0 });

/** One HTTP listener on a free port; by default everything goes to the cluster `origin`. */
export async function startProxy(options: TestProxyOptions): Promise<TestProxy> {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'lateen-test-'));
  const logFile = join(dir, 'access.log');
  const waiting: { readonly kind: FromWorker['kind']; readonly done: () => void }[] = [];
  let clusters: readonly ClusterState[] = [];
  const egress: EgressRow[] = [];
  const series = new SeriesReader();
  // The test shares its thread with the proxy: long turns are the test's.
  const overload = { ...SIDECAR_LIMITS.overload, delay: [Infinity, Infinity] } as const;
  const limits = { ...SIDECAR_LIMITS, overload, ...options.limits };
  const plane = createDataPlane(
    {
      node: options.node ?? NODE,
      accessLog: logFile,
      sharedLog: false,
      spanFormats: options.spans === undefined ? [] : ['zipkin'],
    },
    onMessage,
    limits,
    options.memory ?? NO_PRESSURE,
    options.redirect ?? null,
  );
  function onMessage(message: FromWorker): void {
    if (message.kind === 'clusters') clusters = message.clusters;
    if (message.kind === 'egress') egress.push(...message.rows);
    if (message.kind === 'spans') options.spans?.(message.batch);
    if (message.kind === 'announce') series.accept(1, message.announcement);
    const i = waiting.findIndex((w) => w.kind === message.kind);
    if (message.kind === 'bind-problem') throw new Error(message.problem.message);
    if (i >= 0) waiting.splice(i, 1)[0]!.done();
  }
  const told = (kind: FromWorker['kind']): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push({ kind, done: resolve });
    return promise;
  };
  let version = 0;
  const more: Listener[] = [];
  for (const listener of options.listeners ?? []) more.push({ ...listener, port: await freePort() });
  const own = snapshotOf(port, options);
  const base = { ...own, listeners: [...own.listeners, ...more] };
  const apply = async (over: Partial<Snapshot>, discovery?: Discovery): Promise<void> => {
    const applied = told('applied');
    plane.tell({
      kind: 'snapshot',
      snapshot: { ...base, ...over, version: String(++version) },
      discovery: discovery ?? { endpoints: options.endpoints ?? {}, workloads: {} },
    });
    await applied;
  };
  await apply({});
  let over: Promise<void> | null = null;
  const drain = (within: number, handedOver = false): Promise<void> => {
    if (over === null) {
      over = told('drained');
      plane.tell({ kind: 'drain', within, handedOver });
    }
    return over;
  };
  const drained = (): Promise<void> => drain(0, true);
  let lines: Record<string, unknown>[] | null = null;
  return {
    port,
    ports: Object.fromEntries(more.map((l) => [l.name, l.port])),
    apply,
    series,
    reopenLogs: () => plane.tell({ kind: 'reopen-logs' }),
    drain: (within) => drain(within),
    clusters() {
      plane.tell({ kind: 'clusters', id: 0 });
      return clusters;
    },
    egress() {
      plane.tell({ kind: 'egress', id: 1 });
      return egress;
    },
    async log() {
      if (lines === null) {
        await drained();
        lines = readFileSync(logFile, 'utf8')
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line) as Record<string, unknown>);
      }
      return lines;
    },
    async [Symbol.asyncDispose]() {
      if (lines === null) await drained();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function snapshotOf(port: number, options: TestProxyOptions): Snapshot {
  const clusters = options.clusters ?? [cluster('origin')];
  return {
    version: '0',
    node: NODE,
    listeners: [
      {
        kind: 'http',
        name: 'test',
        address: '127.0.0.1',
        port,
        direction: 'outbound',
        authz: null,
        pick: 'fixed',
        tables: {},
        fallback: tableName('test'),
        forwardProxy: null,
        captured: null,
        ...options.listener,
      },
    ],
    tables: {
      test: {
        name: tableName('test'),
        virtualHosts: [{ name: 'all', domains: ['*'], routes: options.routes ?? [route()] }],
      },
      ...options.tables,
    },
    clusters: Object.fromEntries(clusters.map((c) => [c.name, c])),
    telemetry: plainTelemetry(0, true),
    pathNormalization: options.pathNormalization ?? 'BASE',
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** An origin that speaks raw bytes. `onConnection` is given each socket. */
export async function rawOrigin(
  onConnection: (socket: Socket, nth: number) => void,
): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  let nth = 0;
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    onConnection(socket, nth++);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Sends bytes, reads until the connection ends or `until` has come; latin1 text of all that came, and how it ended. */
export function exchange(
  port: number,
  bytes: string,
  until?: string | RegExp,
): Promise<{ text: string; ended: 'open' | 'end' | 'reset' }> {
  const { promise, resolve } = Promise.withResolvers<{ text: string; ended: 'open' | 'end' | 'reset' }>();
  const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(bytes, 'latin1'));
  let text = '';
  const finish = (ended: 'open' | 'end' | 'reset'): void => {
    resolve({ text, ended });
    socket.destroy();
  };
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    text += chunk;
    if (until !== undefined && (typeof until === 'string' ? text.includes(until) : until.test(text))) finish('open');
  });
  socket.on('end', () => finish('end'));
  socket.on('error', () => finish('reset'));
  return promise;
}

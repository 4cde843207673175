/** The data plane of one thread: receives snapshots, links them, swaps them in, serves, reports back. */
import { clusterStates } from './admin/cluster-state.ts';
import { makePicker } from './balancer/picker.ts';
import { loadConnectFrom } from './bound-socket.ts';
import { cidrPredicate } from './core/cidr.ts';
import { wheelClock } from './core/clock.ts';
import { normalizePath } from './core/path.ts';
import { systemRandom } from './core/random.ts';
import { SeriesWriter } from './core/registry.ts';
import { Http1Downstream } from './listener/http1.ts';
import { Admission } from './listener/admission.ts';
import { SIDECAR_LIMITS, type ListenerLimits } from './listener/limits.ts';
import { Listeners } from './listener/listeners.ts';
import { loadOriginalDst, type OriginalDst } from './listener/original-dst.ts';
import { memoryReader, type MemoryReading } from './listener/memory-reading.ts';
import { Overload } from './listener/overload.ts';
import { delayProbe } from './listener/delay-probe.ts';
import type { Exchange } from './live/exchange.ts';
import { LoadBoard } from './live/load-board.ts';
import { OwnPorts } from './live/own-ports.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './messages.ts';
import type { Environment } from './pipeline/environment.ts';
import { drain } from './pipeline/drain.ts';
import { Ingress } from './pipeline/ingress.ts';
import { link } from './pipeline/link.ts';
import { leadsBack } from './pipeline/loop.ts';
import { Plans } from './pipeline/plan.ts';
import type { Discovery } from './snapshot/endpoints.ts';
import type { ProxyNode } from './snapshot/node.ts';
import type { Snapshot } from './snapshot/snapshot.ts';
import type { TracingSettings } from './snapshot/telemetry.ts';
import { countDroppedLines, createAccessLog, type AccessLog } from './telemetry/access-log.ts';
import { createCustomMetrics, type CustomMetrics } from './telemetry/custom-metrics.ts';
import { createDenialCounter } from './telemetry/denials.ts';
import { EdgeStats } from './telemetry/edge-stats.ts';
import { EgressSightings } from './telemetry/egress-sightings.ts';
import { createIstioMetrics } from './telemetry/istio-metrics.ts';
import { MetricOverrides } from './telemetry/metric-overrides.ts';
import { createOverloadMetrics } from './telemetry/overload-counters.ts';
import { PeerMetadata } from './telemetry/peer-metadata.ts';
import { createSpanRecorder, type SpanRecorder } from './telemetry/spans.ts';
import { ensureRequestId } from './telemetry/request-id.ts';
import { createTcpMetrics } from './telemetry/tcp-metrics.ts';
import { Tap } from './telemetry/tap.ts';
import { startTrace } from './telemetry/trace-context.ts';
import { Upstreams } from './upstream/upstreams.ts';

export type DataPlane = {
  /** Does what the main thread says; never throws. */
  tell(message: ToWorker): void;
};

/** `post`: how it answers. `readMemory`, `originalDst`: for tests. */
export function createDataPlane(
  setup: WorkerSetup,
  post: (message: FromWorker) => void,
  limits: ListenerLimits = setup.limits ?? SIDECAR_LIMITS,
  readMemory: () => MemoryReading = memoryReader(limits.overload.memoryBytes),
  originalDst: OriginalDst | null = redirects(setup.node, (message) => post({ kind: 'warning', message })),
): DataPlane {
  const ownPorts = new OwnPorts(setup.ownPorts);
  const upstreams = new Upstreams(makePicker, systemRandom, {
    connectFrom: loadConnectFrom(),
    // Only who is redirected to can meet itself.
    ownPorts: originalDst === null ? null : ownPorts,
  });
  upstreams.from = setup.node.ip;
  upstreams.onWarning = (message) => post({ kind: 'warning', message });
  const writer = new SeriesWriter((announcement) => post({ kind: 'announce', announcement }), {
    onOverflow: ({ name }, limit) =>
      post({ kind: 'warning', message: `${name} has ${limit} label sets; what comes on top is counted as "other"` }),
  });
  const warn = (message: string): void => post({ kind: 'warning', message });
  const log = createAccessLog({
    node: setup.node,
    to: setup.accessLog,
    shared: setup.sharedLog,
    onDrop: countDroppedLines(writer),
    onProblem: warn,
  });
  const spans = createSpanRecorder(setup.node, setup.spanFormats ?? [], (batch) => post({ kind: 'spans', batch }));
  const board = new LoadBoard(setup.load ?? 1);
  const row = setup.row ?? 0;
  const count = createOverloadMetrics(writer);
  const overload = new Overload(limits, {
    readMemory,
    probe: delayProbe,
    random: systemRandom,
    now: () => performance.now(),
    board,
    row,
    onRefuseConnections: (refuse) => listeners.refuse(refuse),
  });
  const overrides = new MetricOverrides(writer, setup.node);
  const custom = createCustomMetrics(writer, setup.node);
  const egress = new EgressSightings();
  const edges = new EdgeStats(
    setup.node,
    (port) => environment.plans.current.snapshot.clusters[`inbound|${port}||`] ?? null,
  );
  const tap = new Tap(setup.node, (batches) => post({ kind: 'tapped', batches }));
  const environment = createEnvironment(
    setup,
    upstreams,
    writer,
    overrides,
    custom,
    log,
    spans,
    overload,
    egress,
    edges,
    tap,
    ownPorts,
  );
  const { plans } = environment;
  upstreams.leadsBack = (address, port) => leadsBack(environment, address, port, 'outbound');
  const ingress = new Ingress(
    environment,
    (socket, reads, connection, handler) => new Http1Downstream(socket, reads, connection, handler, limits),
    overload,
    count,
    limits.proxyProtocolFrom.length === 0 ? () => false : cidrPredicate(limits.proxyProtocolFrom),
  );
  const listeners = new Listeners(
    (name, socket, connection) => ingress.accept(name, socket, connection),
    (problem) => post({ kind: 'bind-problem', problem }),
    (listener) => post({ kind: 'bind-recovered', listener }),
    new Admission(limits, board, row, (listener, why) => count(why, listener)),
    originalDst,
  );
  const sweeper = setInterval(() => {
    const now = performance.now();
    upstreams.sweep(now);
    ingress.clients.sweep(now);
    overload.sweep(now);
    writer.tellExemplars();
    tellEgress();
    tellEdges();
  }, limits.sweepInterval);
  sweeper.unref();
  return { tell };

  function tellEgress(): void {
    if (egress.size > 0) post({ kind: 'egress', id: null, rows: egress.drain() });
  }

  function tellEdges(): void {
    const rows = edges.drain();
    if (rows.length > 0) post({ kind: 'edges', id: null, rows });
  }

  function tell(message: ToWorker): void {
    switch (message.kind) {
      case 'snapshot':
        return void apply(message.snapshot, message.discovery);
      case 'discovery':
        upstreams.setDiscovery(message.discovery);
        ingress.forgetPeers();
        return post({ kind: 'applied', version: plans.current.snapshot.version });
      case 'drain':
        return void end(message.within, message.handedOver);
      case 'drain-inbound':
        void listeners.close('inbound');
        return ingress.clients.leave('callers', 0);
      case 'adopt':
        return listeners.adopt(message.sockets);
      case 'cut-stuck':
        return ingress.clients.cut('stuck');
      case 'sockets': {
        const { taken } = listeners;
        return post({ kind: 'sockets', id: message.id, sockets: listeners.sockets(), taken });
      }
      case 'clusters':
        return post({ kind: 'clusters', id: message.id, clusters: clusterStates(upstreams.clusters.values()) });
      case 'egress':
        return post({ kind: 'egress', id: message.id, rows: egress.drain() });
      case 'edges':
        return post({ kind: 'edges', id: message.id, rows: edges.drain() });
      case 'taps':
        return tap.set(message.taps);
      case 'reopen-logs':
        // The old file stays open when the new one cannot be.
        log.reopen().catch((error: Error) => warn(`access log: ${error.message}; the old file stays in use`));
    }
  }

  async function apply(snapshot: Snapshot, discovery: Discovery): Promise<void> {
    upstreams.setClusters(snapshot.clusters);
    upstreams.setDiscovery(discovery);
    overrides.apply(snapshot.telemetry.metrics);
    custom.set(snapshot.telemetry.custom);
    spans.use(snapshot.telemetry.tracing);
    log.use(snapshot.telemetry.logs);
    plans.swap(link(snapshot, environment));
    ingress.forgetPeers();
    await listeners.set(snapshot.listeners);
    post({ kind: 'applied', version: snapshot.version });
  }

  async function end(within: number, handedOver: boolean): Promise<void> {
    await drain(environment, ingress.clients, {
      within,
      handedOver,
      stopAccepting: (direction) => listeners.close(direction),
    });
    clearInterval(sweeper);
    overload.close();
    upstreams.close();
    spans.flush();
    writer.tellExemplars();
    tellEgress();
    tellEdges();
    tap.flush();
    await log.flush();
    post({ kind: 'drained' });
  }
}

/** Null: nothing is redirected to this proxy, or nobody can tell where it was going. */
function redirects({ interception }: ProxyNode, warn: (message: string) => void): OriginalDst | null {
  if (interception === 'NONE') return null;
  const originalDst = loadOriginalDst();
  if (originalDst === null)
    warn('redirected connections cannot be told apart: SO_ORIGINAL_DST needs Linux, and Node 26 or the package koffi');
  return originalDst;
}

function createEnvironment(
  setup: WorkerSetup,
  upstreams: Upstreams,
  writer: SeriesWriter,
  overrides: MetricOverrides,
  custom: CustomMetrics,
  log: AccessLog,
  spans: SpanRecorder,
  overload: Overload,
  egress: EgressSightings,
  edges: EdgeStats,
  tap: Tap,
  ownPorts: OwnPorts,
): Environment {
  const metrics = createIstioMetrics(
    writer,
    setup.node,
    (port) => plans.current.snapshot.clusters[`inbound|${port}||`] ?? null,
    overrides,
  );
  const denied = createDenialCounter(writer);
  const plans = new Plans({ snapshot: emptySnapshot(setup.node), listeners: new Map(), normalizePath });
  const side = (x: Exchange): 'client' | 'server' => (x.direction === 'inbound' ? 'server' : 'client');
  const settingsOf = (x: Exchange): TracingSettings => plans.current.snapshot.telemetry.tracing[side(x)];
  return {
    node: setup.node,
    plans,
    upstreams,
    clock: wheelClock(),
    random: systemRandom,
    tunnels: new Set(),
    ownPorts,
    tcpSeries: createTcpMetrics(writer, setup.node, overrides),
    peers: new PeerMetadata(setup.node),
    identify(x: Exchange): void {
      ensureRequestId(x, x.direction === 'gateway');
      startTrace(x, settingsOf(x), systemRandom, setup.propagation);
    },
    record(x: Exchange): void {
      overload.end();
      metrics(x);
      custom.record(x);
      denied(x, 'http');
      spans.record(x);
      egress.note(x);
      edges.record(x);
      if (tap.active) tap.note(x);
      log.record(x);
    },
    reached(x: Exchange): void {
      egress.note(x);
      edges.reached(x);
    },
    recordTcp(x: Exchange): void {
      custom.recordTcp(x);
      denied(x, 'tcp');
      egress.note(x);
      edges.recordTcp(x);
      if (tap.active) tap.note(x);
      log.record(x);
    },
  };
}

const UNTRACED: TracingSettings = {
  percent: 0,
  reported: false,
  propagated: true,
  byRequestId: true,
  istioTags: true,
  tags: [],
  keepErrors: false,
  keepSlowerThan: null,
};

/** Before the first configuration: nothing listens, nothing is served. */
function emptySnapshot(node: ProxyNode): Snapshot {
  const tracing = { client: UNTRACED, server: UNTRACED };
  const telemetry = { tracing, logs: { client: [], server: [] }, metrics: { client: {}, server: {} }, custom: [] };
  return { version: '', node, listeners: [], tables: {}, clusters: {}, telemetry, pathNormalization: 'BASE' };
}

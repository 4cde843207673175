/** Everything one worker tells of its requests and connections, put together: metrics, spans, logs, who calls whom, what leaves the mesh. */
import { systemRandom } from './core/random.ts';
import { SeriesWriter } from './core/registry.ts';
import type { Exchange } from './live/exchange.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './messages.ts';
import type { Environment } from './pipeline/environment.ts';
import type { Snapshot } from './snapshot/snapshot.ts';
import type { TelemetrySettings } from './snapshot/telemetry.ts';
import { countDroppedLines, createAccessLog } from './telemetry/access-log.ts';
import { createCustomMetrics } from './telemetry/custom-metrics.ts';
import { createDenialCounter } from './telemetry/denials.ts';
import { EdgeStats } from './telemetry/edge-stats.ts';
import { EgressSightings } from './telemetry/egress-sightings.ts';
import { createIstioMetrics } from './telemetry/istio-metrics.ts';
import { MetricOverrides } from './telemetry/metric-overrides.ts';
import { createOverloadMetrics, type CountOverload } from './telemetry/overload-counters.ts';
import { PeerMetadata } from './telemetry/peer-metadata.ts';
import { ensureRequestId } from './telemetry/request-id.ts';
import { createSpanRecorder } from './telemetry/spans.ts';
import { Tap } from './telemetry/tap.ts';
import { createTcpMetrics } from './telemetry/tcp-metrics.ts';
import { startTrace } from './telemetry/trace-context.ts';

export type Recorder = Pick<Environment, 'identify' | 'reached' | 'recordTcp' | 'tcpSeries' | 'peers'> & {
  /** A request at its end. */
  record(x: Exchange): void;
  readonly countOverload: CountOverload;
  /** From now on. */
  use(settings: TelemetrySettings): void;
  /** Does what the main thread asks of it; the other messages are none of its business. */
  tell(message: ToWorker): void;
  /** What is told at intervals. */
  sweep(): void;
  /** Tells what is held. Resolves when it is written. */
  flush(): Promise<void>;
};

/** `current`: the snapshot in force. */
export function createRecorder(
  setup: WorkerSetup,
  post: (message: FromWorker) => void,
  current: () => Snapshot,
): Recorder {
  const { node } = setup;
  const warn = (message: string): void => post({ kind: 'warning', message });
  const writer = new SeriesWriter((announcement) => post({ kind: 'announce', announcement }), {
    onOverflow: ({ name }, limit) => warn(`${name} has ${limit} label sets; what comes on top is counted as "other"`),
  });
  const inboundCluster = (port: number) => current().clusters[`inbound|${port}||`] ?? null;
  const log = createAccessLog({
    node,
    to: setup.accessLog,
    shared: setup.sharedLog,
    onDrop: countDroppedLines(writer),
    onProblem: warn,
  });
  const spans = createSpanRecorder(node, setup.spanFormats ?? [], (batch) => post({ kind: 'spans', batch }));
  const overrides = new MetricOverrides(writer, node);
  const metrics = createIstioMetrics(writer, node, inboundCluster, overrides);
  const custom = createCustomMetrics(writer, node);
  const denied = createDenialCounter(writer);
  const egress = new EgressSightings();
  const edges = new EdgeStats(node, inboundCluster);
  const tap = new Tap(node, (batches) => post({ kind: 'tapped', batches }));
  return {
    tcpSeries: createTcpMetrics(writer, node, overrides),
    peers: new PeerMetadata(node),
    countOverload: createOverloadMetrics(writer),
    identify(x) {
      ensureRequestId(x, x.direction === 'gateway');
      const { client, server } = current().telemetry.tracing;
      startTrace(x, x.direction === 'inbound' ? server : client, systemRandom, setup.propagation);
    },
    record(x) {
      metrics(x);
      custom.record(x);
      denied(x, 'http');
      spans.record(x);
      egress.note(x);
      edges.record(x);
      if (tap.active) tap.note(x);
      log.record(x);
    },
    reached(x) {
      egress.note(x);
      edges.reached(x);
    },
    recordTcp(x) {
      custom.recordTcp(x);
      denied(x, 'tcp');
      egress.note(x);
      edges.recordTcp(x);
      if (tap.active) tap.note(x);
      log.record(x);
    },
    use(settings) {
      overrides.apply(settings.metrics);
      custom.set(settings.custom);
      spans.use(settings.tracing);
      log.use(settings.logs);
    },
    tell(message) {
      switch (message.kind) {
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
    },
    sweep,
    async flush() {
      spans.flush();
      sweep();
      tap.flush();
      await log.flush();
    },
  };

  function sweep(): void {
    writer.tellExemplars();
    if (egress.size > 0) post({ kind: 'egress', id: null, rows: egress.drain() });
    const rows = edges.drain();
    if (rows.length > 0) post({ kind: 'edges', id: null, rows });
  }
}

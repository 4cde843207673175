/** All that a worker tells of its requests and connections, behind one call a request. */
import { SeriesWriter, type Announcement, type Family } from '../core/registry.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { createAccessLog } from './access-log.ts';
import type { BatchFileOptions } from './batch-file.ts';
import { createIstioMetrics } from './istio-metrics.ts';
import { createSpanRecorder, type SpanBatch } from './spans.ts';
import { createTcpMetrics, type TcpFacts, type TcpSeries } from './tcp-metrics.ts';

/** From a worker to the main thread: plain data, to be delivered in order to `TelemetryHub.accept`. */
export type TelemetryMessage =
  | { readonly kind: 'metrics'; readonly announcement: Announcement }
  | { readonly kind: 'spans'; readonly batch: SpanBatch }
  /** A family has more label sets than it may have; once a family. */
  | { readonly kind: 'overflow'; readonly family: string; readonly limit: number };

export type RecorderOptions = {
  readonly node: ProxyNode;
  /** Where access logs go; null: nowhere. */
  readonly accessLog: Omit<BatchFileOptions, 'onDrop'> | null;
  readonly post: (message: TelemetryMessage) => void;
  /** Label sets of one metric. */
  readonly seriesLimit?: number;
};

export type Recorder = {
  /** A new configuration is in force. */
  use(snapshot: Snapshot): void;
  /**
   * Call exactly once for each request, at its end, with the version it was served under. `logged`: the configuration wants access logs.
   * Never throws, never waits.
   */
  record(x: Exchange, configVersion: string, logged: boolean): void;
  /** A connection was accepted and its endpoint picked: the object to tell of its bytes and its end. */
  tcp(facts: TcpFacts): TcpSeries;
  /** A line for a TCP connection at its end: an exchange without a method. It is not counted as a request. */
  log(x: Exchange, configVersion: string): void;
  /** Hands on spans and writes log lines; resolves when that is done. Call before the worker ends. */
  flush(): Promise<void>;
  /** Opens the access log file again (SIGUSR1). */
  reopen(): Promise<void>;
};

const own = (name: string, help: string): Family => ({ name, help, type: 'counter', labels: [], bounds: [], kept: 0 });
const LINES_DROPPED = own(
  'lateen_access_log_dropped_lines_total',
  'Access log lines lost because they could not be written in time.',
);
const OVERFLOWED = own(
  'lateen_metric_overflow_total',
  'Times that a new label set was counted as "other", over the limit of series.',
);

/** Throws when the access log is a file that cannot be opened. */
export function createRecorder({ node, accessLog, post, seriesLimit }: RecorderOptions): Recorder {
  const writer = new SeriesWriter((announcement) => post({ kind: 'metrics', announcement }), {
    ...(seriesLimit === undefined ? {} : { limit: seriesLimit }),
    onOverflow: (family, limit) => post({ kind: 'overflow', family: family.name, limit }),
  });
  const overflowed = writer.counter(OVERFLOWED, []);
  const linesDropped = writer.counter(LINES_DROPPED, []);
  let inbound = new Map<number, Cluster>();
  const count = createIstioMetrics(writer, node, (port) => inbound.get(port) ?? null);
  const tcp = createTcpMetrics(writer, node);
  const spans = createSpanRecorder(node, (batch) => post({ kind: 'spans', batch }));
  const log = accessLog === null ? null : createAccessLog({ ...accessLog, onDrop: (lines) => linesDropped.add(lines) });

  return {
    use(snapshot) {
      inbound = inboundClusters(snapshot);
    },
    record(x, configVersion, logged) {
      count(x);
      if (writer.overflowed !== overflowed.value) overflowed.add(writer.overflowed - overflowed.value);
      spans.record(x);
      if (logged) log?.record(x, configVersion);
    },
    tcp,
    log: (x, configVersion) => log?.record(x, configVersion),
    async flush() {
      spans.flush();
      await log?.flush();
    },
    async reopen() {
      await log?.reopen();
    },
  };
}

/** By port, out of Istio's naming: `inbound|9080||`. */
function inboundClusters({ clusters }: Snapshot): Map<number, Cluster> {
  const byPort = new Map<number, Cluster>();
  for (const cluster of Object.values(clusters)) {
    const port = /^inbound\|(\d+)\|/.exec(cluster.name)?.[1];
    if (port !== undefined) byPort.set(Number(port), cluster);
  }
  return byPort;
}

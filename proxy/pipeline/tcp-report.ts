/** What the mesh tells of a TCP connection: Istio's four metrics, and a line of the access log when it is over. */
import type { LiveCluster } from '../live/cluster.ts';
import type { Connection } from '../live/connection.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import { Exchange, type Direction } from '../live/exchange.ts';
import type { SourceRef } from '../snapshot/route.ts';
import type { Environment } from './environment.ts';

/** How a TCP connection went. */
export type TcpEnd = {
  /** Envoy's flag: UF, UH, UO, NR or "". */
  readonly flag: string;
  /** Plain words; "" for a connection that both ends closed. */
  readonly reason: string;
  /** Why the far end could not be reached, when that is the reason. */
  readonly transportFailure?: string;
  /** Envoy's connection termination details. */
  readonly details?: string;
  /** The resource that decided it. */
  readonly source?: SourceRef | null;
};

export type TcpReport = {
  /** Before it is tried to reach the endpoint. */
  readonly onOpened: (cluster: LiveCluster | null, endpoint: LiveEndpoint | null) => void;
  /** The endpoint is reached; from this address of ours. */
  readonly onConnected: (local: string) => void;
  /** As they pass: from the client, to the client. */
  readonly onBytes: (received: number, sent: number) => void;
  /** Exactly once, after `onOpened`. */
  readonly onClosed: (end: TcpEnd) => void;
};

/** The metrics alone. `asked`: the address or name that the client asked for. */
export function countTcp(env: Environment, direction: Direction, connection: Connection, asked: string): TcpReport {
  let series: ReturnType<Environment['tcpSeries']> | null = null;
  return {
    onOpened(cluster, endpoint) {
      series = env.tcpSeries({ direction, connection, cluster, endpoint, asked });
      series.opened();
    },
    onConnected: nothing,
    onBytes(received, sent) {
      series?.bytes(sent, received);
    },
    onClosed({ flag }) {
      series?.closed(flag);
    },
  };
}

/** Metrics and access log of a connection that is no request. */
export function reportTcp(env: Environment, direction: Direction, connection: Connection): TcpReport {
  const x = new Exchange(connection, direction);
  x.opaque = true;
  x.startMs = performance.now();
  x.configVersion = env.plans.current.snapshot.version;
  const { localAddress, localPort } = connection;
  const counted = countTcp(
    env,
    direction,
    connection,
    localAddress.includes(':') ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`,
  );
  return {
    onOpened(cluster, endpoint) {
      x.cluster = cluster;
      x.endpoint = endpoint;
      counted.onOpened(cluster, endpoint);
    },
    onConnected(local) {
      x.upstreamLocal = local;
      env.reached(x);
    },
    onBytes(received, sent) {
      x.bytesReceived += received;
      x.bytesSent += sent;
      counted.onBytes(received, sent);
    },
    onClosed(end) {
      counted.onClosed(end);
      x.endMs = performance.now();
      x.flags = end.flag;
      x.reason = end.reason;
      x.transportFailure = end.transportFailure ?? '';
      x.details = end.details ?? '';
      x.decidedBy = end.source ?? null;
      env.recordTcp(x);
    },
  };
}

const nothing = (): void => undefined;

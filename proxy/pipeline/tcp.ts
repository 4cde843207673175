/** The life of one TCP connection: permit, pick, connect, relay. CONNECT tunnels take the same way from the pick on. */
import type { Socket } from 'node:net';
import type { LiveCluster } from '../live/cluster.ts';
import type { Connection } from '../live/connection.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import { dial } from '../upstream/connect.ts';
import type { Environment } from './environment.ts';
import type { TcpListenerPlan } from './plan.ts';
import { splice, type TunnelEnd } from './splice.ts';

/** How a TCP connection went; for metrics and logs. */
export type TcpEnd = {
  /** Envoy's flag: UF, UH, UO or "". */
  readonly flag: string;
  readonly reason: string;
};

export type TcpReport = {
  readonly onOpened: (cluster: LiveCluster | null, endpoint: LiveEndpoint | null) => void;
  /** As they pass: from the client, to the client. */
  readonly onBytes: (received: number, sent: number) => void;
  readonly onClosed: (end: TcpEnd) => void;
};

export function serveTcp(
  env: Environment,
  plan: TcpListenerPlan,
  connection: Connection,
  socket: Socket,
  report: TcpReport,
): void {
  // Nothing is read before the far end is there: what the client says early waits in the kernel.
  socket.pause();
  const denial = plan.authorize === null ? null : plan.authorize(connection); // authz/
  if (denial !== null) {
    report.onOpened(null, null);
    report.onClosed({ flag: '', reason: denial });
    socket.resetAndDestroy();
    return;
  }
  const cluster = plan.pick(); // route/split
  const endpoint = cluster?.picker(null) ?? null; // balancer/
  const refused = (): void => void (socket.destroyed || socket.resetAndDestroy());
  const cancel = connectAndSplice(env, () => ready(), cluster, endpoint, {
    onOpened: report.onOpened,
    onBytes: report.onBytes,
    onClosed(end) {
      socket.off('close', onClosed);
      report.onClosed(end);
      refused();
    },
  }); // upstream/
  const onClosed = (): void => {
    report.onClosed({ flag: 'DC', reason: 'the client went away before the far end was reached' });
    cancel();
  };
  socket.on('error', ignore);
  socket.once('close', onClosed);

  function ready(): { socket: Socket; early: null } {
    socket.off('close', onClosed);
    socket.off('error', ignore);
    return { socket, early: null };
  }
}

/**
 * Reaches the endpoint, then asks `client` for the other end and joins the two. `report.onClosed` is told exactly once, unless the
 * returned function gives the attempt up before.
 */
export function connectAndSplice(
  env: Environment,
  client: () => { readonly socket: Socket; readonly early: Buffer | null },
  cluster: LiveCluster | null,
  endpoint: LiveEndpoint | null,
  report: TcpReport,
): () => void {
  report.onOpened(cluster, endpoint);
  const refuse = (flag: string, reason: string): (() => void) => {
    const later = setImmediate(() => report.onClosed({ flag, reason }));
    return () => clearImmediate(later);
  };
  if (cluster === null) return refuse('NC', 'no such cluster');
  if (endpoint === null) return refuse('UH', 'no healthy endpoint');
  if (cluster.connections >= cluster.settings.maxConnections) return refuse('UO', 'connection limit reached');
  cluster.connections++;
  endpoint.active++;
  let held = true;
  const release = (): void => {
    if (!held) return;
    held = false;
    env.tunnels.delete(dialing);
    cluster.connections--;
    endpoint.active--;
  };
  const { tls, connectTimeout } = cluster.settings;
  // Counts as a tunnel from now on: draining waits for it.
  const dialing = { close: () => undefined };
  env.tunnels.add(dialing);
  const cancel = dial(
    { host: endpoint.address, port: endpoint.port, from: env.upstreams.from, tls, timeout: connectTimeout },
    {
      onConnected(server) {
        env.tunnels.delete(dialing);
        splice(
          env,
          client(),
          { socket: server, early: null },
          {
            idle: cluster.settings.tcpIdleTimeout,
            passed: report.onBytes,
            ended(end) {
              release();
              report.onClosed({ flag: '', reason: reasonOf(end, cluster.settings.tcpIdleTimeout) });
            },
          },
        );
      },
      onDialFailed(cause, timedOut) {
        release();
        report.onClosed({ flag: 'UF', reason: timedOut ? 'connection timeout' : cause });
      },
    },
  );
  return () => {
    cancel();
    release();
  };
}

/** "" for a connection that both ends closed. */
function reasonOf({ by, how }: TunnelEnd, idle: number): string {
  if (how === 'reset') return by === 'a' ? 'the client reset the connection' : 'the server reset the connection';
  if (how === 'idle') return `nothing was sent either way for ${idle} ms`;
  return how === 'cut' ? 'the proxy was drained' : '';
}

const ignore = (): void => undefined;

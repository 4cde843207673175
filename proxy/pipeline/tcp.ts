/** The life of one TCP connection: permit, pick, connect, relay. CONNECT tunnels take the same way from the pick on. */
import type { Held } from '../listener/first-bytes.ts';
import type { LiveCluster } from '../live/cluster.ts';
import type { Connection } from '../live/connection.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Direction } from '../live/exchange.ts';
import { localName } from '../upstream/connect.ts';
import { portFor } from '../upstream/upstreams.ts';
import { Reads } from '../wire/lent-reads.ts';
import type { Environment } from './environment.ts';
import { leadsBack } from './loop.ts';
import type { PortPlan, TcpRulePlan } from './plan.ts';
import { splice, type End, type TunnelEnd } from './splice.ts';
import { reportTcp, type TcpEnd, type TcpReport } from './tcp-report.ts';

/** What is to become of a connection. */
export type TcpWay = {
  readonly direction: Direction;
  /** Whose policies hold. */
  readonly port: PortPlan;
  /** Null: no rule is for it. */
  readonly rule: TcpRulePlan | null;
  /** Why it is refused before policies are asked; null: it is not. */
  readonly refused: TcpEnd | null;
};

export function serveTcp(env: Environment, way: TcpWay, connection: Connection, client: Held): void {
  const { socket } = client;
  const report = reportTcp(env, way.direction, connection);
  const refusal = refusalOf(way, connection);
  if (refusal !== null) {
    report.onOpened(null, null);
    report.onClosed(refusal);
    socket.resetAndDestroy();
    return;
  }
  const cluster = way.rule!.pick(); // route/split
  const target = endpointOf(env, cluster, connection); // balancer/
  const cancel = connectAndSplice(env, way.direction, connection, () => ready(), cluster, target, {
    ...report,
    onClosed(end) {
      socket.off('close', onClosed);
      report.onClosed(end);
      if (!socket.destroyed) socket.resetAndDestroy();
    },
  }); // upstream/
  const onClosed = (): void => {
    report.onClosed({ flag: 'DC', reason: 'the client went away before the far end was reached' });
    cancel();
  };
  socket.on('error', ignore);
  socket.once('close', onClosed);

  function ready(): End {
    socket.off('close', onClosed);
    socket.off('error', ignore);
    return client;
  }
}

/** Policies come first: who may not come in learns nothing of what is behind. */
function refusalOf({ port, rule, refused }: TcpWay, connection: Connection): TcpEnd | null {
  if (refused !== null) return refused;
  const denial = port.authorize === null ? null : port.authorize(connection); // authz/
  if (denial !== null) return { flag: '', reason: denial.why, details: denial.details, source: denial.source };
  return rule === null ? { flag: 'NR', reason: 'no rule is for connections like this' } : null;
}

/** An endpoint, or why there is none. */
type Target = LiveEndpoint | 'loop' | null;

function endpointOf(env: Environment, cluster: LiveCluster | null, connection: Connection): Target {
  if (cluster === null) return null;
  const { localAddress, localPort, serverName } = connection;
  switch (cluster.settings.discovery.kind) {
    case 'passthrough':
      return leadsBack(env, localAddress, portFor(cluster, localPort))
        ? 'loop'
        : env.upstreams.passthrough(cluster, localAddress, localPort);
    case 'dynamic-dns':
      return serverName === '' ? null : env.upstreams.dynamic(cluster, serverName);
    case 'endpoints':
    case 'dns':
      return cluster.picker(null);
  }
}

/**
 * Reaches the endpoint, then asks `client` for the other end and joins the two. `report.onClosed` is told exactly once, unless the
 * returned function gives the attempt up before.
 */
export function connectAndSplice(
  env: Environment,
  direction: Direction,
  connection: Connection,
  client: () => End,
  cluster: LiveCluster | null,
  target: Target,
  report: TcpReport,
): () => void {
  const endpoint = target === 'loop' ? null : target;
  report.onOpened(cluster, endpoint);
  const refuse = (flag: string, reason: string): (() => void) => {
    const later = setImmediate(() => report.onClosed({ flag, reason }));
    return () => clearImmediate(later);
  };
  if (cluster === null) return refuse('NC', 'the configuration names a cluster that does not exist');
  if (target === 'loop')
    return refuse('NR', 'the destination is this proxy itself: the connection would come round for ever');
  if (endpoint === null) return refuse('UH', whyNobody(env, cluster));
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
  const { settings } = cluster;
  // Counts as a tunnel from now on: draining waits for it.
  const dialing = { direction, lastMs: () => Infinity, close: () => undefined };
  env.tunnels.add(dialing);
  const reads = new Reads();
  const { remoteAddress, remotePort, localAddress, localPort } = connection;
  const caller = {
    sourceAddress: remoteAddress,
    sourcePort: remotePort,
    destinationAddress: localAddress,
    destinationPort: localPort,
  };
  const cancel = env.upstreams.connect(
    cluster,
    endpoint,
    { reads, client: caller },
    {
      onConnected(server, early) {
        env.tunnels.delete(dialing);
        report.onConnected(localName(server));
        splice(
          env,
          client(),
          { socket: server, reads, early },
          {
            direction,
            idle: settings.tcpIdleTimeout,
            longest: settings.maxConnectionDuration,
            passed: report.onBytes,
            ended(end) {
              release();
              report.onClosed({ flag: flagOf(end), reason: reasonOf(end, settings.tcpIdleTimeout) });
            },
          },
        );
      },
      onDialFailed(cause, timedOut) {
        release();
        const failure = timedOut ? 'connection timeout' : cause;
        report.onClosed({ flag: 'UF', reason: `${endpoint.key} could not be reached`, transportFailure: failure });
      },
    },
  );
  return () => {
    cancel();
    release();
  };
}

function whyNobody(env: Environment, cluster: LiveCluster): string {
  if (cluster.settings.name === 'BlackHoleCluster')
    return 'no resource lets connections to this address out (REGISTRY_ONLY); ./lateen egress --propose shows a ServiceEntry';
  const names = env.upstreams.whyNone(cluster);
  return names === '' ? 'no healthy endpoint' : `no healthy endpoint: ${names}`;
}

/** As Envoy's TCP proxy has it: UR for a reset of the server's, nothing for one of the client's. */
function flagOf({ by, how }: TunnelEnd): string {
  if (how === 'old') return 'DT';
  return how === 'reset' && by === 'b' ? 'UR' : '';
}

/** "" for a connection that both ends closed. */
function reasonOf({ by, how }: TunnelEnd, idle: number): string {
  if (how === 'reset') return by === 'a' ? 'the client reset the connection' : 'the server reset the connection';
  if (how === 'idle') return `nothing was sent either way for ${idle} ms`;
  if (how === 'old') return 'it lasted as long as connections may (maxConnectionDuration)';
  return how === 'cut' ? 'the proxy was drained' : '';
}

const ignore = (): void => undefined;

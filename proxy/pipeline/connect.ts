/** CONNECT on the outbound port: a tunnel to a TCP or TLS host that the mesh knows, or that it lets pass. */
import type { Socket } from 'node:net';
import type { Exchange } from '../live/exchange.ts';
import type { Downstream, DownstreamEvents } from '../live/stream.ts';
import { CONTINUE, fail } from '../live/verdict.ts';
import type { Environment } from './environment.ts';
import { refuseHttp } from './http.ts';
import type { HttpListenerPlan } from './plan.ts';
import { connectAndSplice } from './tcp.ts';
import { tcpReport } from './tcp-report.ts';

export function serveConnect(
  env: Environment,
  plan: HttpListenerPlan,
  x: Exchange,
  down: Downstream,
): DownstreamEvents {
  env.identify(x);
  const notServed = { kind: 'local', status: 405, details: 'connect_not_served', headers: [], body: '' } as const;
  if (plan.connect === null) return refuseHttp(env, x, down, notServed);
  const permit = plan.authorize === null ? CONTINUE : plan.authorize(x);
  if (permit instanceof Promise) return refuseHttp(env, x, down, notServed);
  if (permit !== CONTINUE) return refuseHttp(env, x, down, permit);
  const { host, port } = splitTarget(x.authority);
  if (port === 0) return refuseHttp(env, x, down, { ...notServed, status: 400, details: 'connect_without_port' });
  const target = plan.connect(host, port);
  if ('blocked' in target) return refuseHttp(env, x, down, fail({ kind: 'blocked-egress', host: x.authority }));
  const { cluster } = target;
  if (cluster.settings.discovery.kind === 'passthrough' && leadsBack(env, host, port)) {
    return refuseHttp(env, x, down, fail({ kind: 'loop' }));
  }
  const endpoint =
    cluster.settings.discovery.kind === 'passthrough'
      ? env.upstreams.passthrough(cluster, host, port)
      : cluster.picker(null);
  x.cluster = cluster;
  x.endpoint = endpoint;
  if (endpoint === null) return refuseHttp(env, x, down, fail({ kind: 'no-healthy-upstream' }));
  return openTunnel(env, x, down);
}

/** The far end is reached first, then CONNECT is answered: a refusal can still be told in HTTP. */
function openTunnel(env: Environment, x: Exchange, down: Downstream): DownstreamEvents {
  const report = tcpReport(env, x.direction, x.connection);
  let over = false;
  const finish = (): void => {
    if (over) return;
    over = true;
    x.endMs = performance.now();
    env.record(x);
  };
  const cancel = connectAndSplice(
    env,
    () => {
      x.status = 200;
      x.details = 'via_upstream';
      down.sendHead(200, 'Connection Established', [], 'none');
      const { socket, early } = down.takeOver();
      return { socket: socket as Socket, early };
    },
    x.cluster,
    x.endpoint,
    {
      onOpened: report.onOpened,
      onBytes(received, sent) {
        x.bytesReceived += received;
        x.bytesSent += sent;
        report.onBytes(received, sent);
      },
      onClosed(end) {
        report.onClosed(end);
        if (x.status !== 0 || over) return finish();
        x.transportFailure = end.reason;
        over = true;
        refuseHttp(
          env,
          x,
          down,
          fail(end.flag === 'UO' ? { kind: 'overflow' } : { kind: 'connect-failed', cause: end.reason }),
        );
      },
    },
  );
  const nothing = (): void => undefined;
  return {
    onRequestData: nothing,
    onRequestEnd: nothing,
    onRequestProblem: nothing,
    onRequestReadEnd: nothing,
    onDownstreamDrain: nothing,
    onDownstreamClose() {
      if (x.status !== 0) return;
      x.flag('DC');
      x.details = 'downstream_remote_disconnect';
      finish();
      cancel();
    },
  };
}

/** Ports a proxy itself listens on: a tunnel to one of them would come back. */
function leadsBack(env: Environment, host: string, port: number): boolean {
  if (host !== env.node.ip && !(host === 'localhost' || host.startsWith('127.'))) return false;
  return env.plans.current.snapshot.listeners.some(
    (l) => l.port === port && (l.address === host || l.address === env.node.ip),
  );
}

function splitTarget(authority: string): { host: string; port: number } {
  const match = /^(.*):(\d{1,5})$/.exec(authority);
  if (match === null) return { host: authority.toLowerCase(), port: 0 };
  return { host: match[1]!.replace(/^\[|\]$/g, '').toLowerCase(), port: Number(match[2]) };
}

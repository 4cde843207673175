/** CONNECT on the outbound port: a tunnel to a TCP or TLS host that the mesh knows, or that it lets pass. */
import { bareHost, portOf } from '../core/authority.ts';
import { SERVED_METHODS } from '../listener/refusal.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Downstream, DownstreamEvents } from '../live/stream.ts';
import { CONTINUE, fail } from '../live/verdict.ts';
import { portFor } from '../upstream/upstreams.ts';
import type { Environment } from './environment.ts';
import { refuseHttp } from './http.ts';
import { leadsBack } from './loop.ts';
import type { HttpListenerPlan } from './plan.ts';
import { connectAndSplice } from './tcp.ts';
import { countTcp } from './tcp-report.ts';

export function serveConnect(
  env: Environment,
  plan: HttpListenerPlan,
  x: Exchange,
  down: Downstream,
): DownstreamEvents {
  env.identify(x);
  const notServed = {
    kind: 'local',
    status: 405,
    details: 'connect_not_served',
    headers: ['allow', SERVED_METHODS],
    body: '',
  } as const;
  if (plan.connect === null) return refuseHttp(env, x, down, notServed);
  const permit = plan.authorize === null ? CONTINUE : plan.authorize(x);
  if (permit instanceof Promise) return refuseHttp(env, x, down, notServed);
  if (permit !== CONTINUE) return refuseHttp(env, x, down, permit);
  const host = bareHost(x.authority);
  const port = portOf(x.authority, 0);
  if (port === 0) return refuseHttp(env, x, down, { ...notServed, status: 400, details: 'connect_without_port' });
  const target = plan.connect(host, port);
  if ('blocked' in target) return refuseHttp(env, x, down, fail({ kind: 'blocked-egress', host: x.authority }));
  const { cluster } = target;
  if (cluster === null) return refuseHttp(env, x, down, fail({ kind: 'no-cluster', cluster: x.authority }));
  const how = cluster.settings.discovery.kind;
  if (how === 'passthrough' && leadsBack(env, host, portFor(cluster, port)))
    return refuseHttp(env, x, down, fail({ kind: 'loop' }));
  const endpoint =
    how === 'passthrough'
      ? env.upstreams.passthrough(cluster, host, port)
      : how === 'dynamic-dns'
        ? env.upstreams.dynamic(cluster, host)
        : cluster.picker(null);
  x.cluster = cluster;
  x.endpoint = endpoint;
  if (endpoint === null) return refuseHttp(env, x, down, fail({ kind: 'no-healthy-upstream' }));
  return openTunnel(env, x, down);
}

/** The far end is reached first, then CONNECT is answered: a refusal can still be told in HTTP. */
function openTunnel(env: Environment, x: Exchange, down: Downstream): DownstreamEvents {
  const report = countTcp(env, x.direction, x.connection, x.authority);
  let over = false;
  const finish = (): void => {
    if (over) return;
    over = true;
    x.endMs = performance.now();
    env.record(x);
  };
  const cancel = connectAndSplice(
    env,
    x.direction,
    x.connection,
    () => {
      x.status = 200;
      x.details = 'via_upstream';
      down.sendHead(200, 'Connection Established', [], 'none');
      return down.takeOver();
    },
    x.cluster,
    x.endpoint,
    {
      onOpened: report.onOpened,
      onConnected(local) {
        x.upstreamLocal = local;
        env.reached(x);
      },
      onBytes(received, sent) {
        x.bytesReceived += received;
        x.bytesSent += sent;
        report.onBytes(received, sent);
      },
      onClosed(end) {
        report.onClosed(end);
        if (x.status !== 0 || over) return finish();
        x.transportFailure = end.transportFailure ?? end.reason;
        over = true;
        refuseHttp(
          env,
          x,
          down,
          fail(end.flag === 'UO' ? { kind: 'overflow' } : { kind: 'connect-failed', cause: x.transportFailure }),
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

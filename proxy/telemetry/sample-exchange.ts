/** BookInfo's reviews and its neighbours, for the tests of this room: exchanges as the stages leave them. */
import { clusterName, routeName } from '../core/brand.ts';
import { LiveCluster } from '../live/cluster.ts';
import { LiveEndpoint } from '../live/endpoint.ts';
import { Exchange, type Direction } from '../live/exchange.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import { sampleCluster } from '../snapshot/sample-cluster.ts';
import type { ProxyNode, Workload } from '../snapshot/node.ts';
import type { Route } from '../snapshot/route.ts';
import { UNTRACED, type TracingSettings } from '../snapshot/telemetry.ts';

export function workload(app: string, version: string, ip: string): Workload {
  return {
    name: `${app}-${version}-0`,
    namespace: 'default',
    workload: `${app}-${version}`,
    serviceAccount: `bookinfo-${app}`,
    labels: { app, version },
    ip,
    canonicalService: app,
    canonicalRevision: version,
    cluster: 'Kubernetes',
  };
}

export function proxyNode(of: Workload, role: ProxyNode['role'] = 'sidecar'): ProxyNode {
  return {
    ...of,
    role,
    interception: 'NONE',
    trustDomain: 'cluster.local',
    rootNamespace: 'istio-system',
    portMap: {},
    appPorts: {},
  };
}

/** `service` null: a passthrough cluster. */
export function liveCluster(
  name: string,
  service: string | null,
  direction: Cluster['direction'] = 'outbound',
): LiveCluster {
  return new LiveCluster(
    sampleCluster({
      name: clusterName(name),
      discovery: service === null ? { kind: 'passthrough' } : { kind: 'endpoints' },
      service:
        service === null ? null : { host: `${service}.default.svc.cluster.local`, name: service, namespace: 'default' },
      direction,
      protocol: 'http',
    }),
  );
}

export function liveEndpoint(of: Workload | null, address = of?.ip ?? '192.0.2.1', port = 9080): LiveEndpoint {
  const endpoint = new LiveEndpoint(address, port);
  endpoint.workload = of;
  return endpoint;
}

export function namedRoute(name: string, operation = ''): Route {
  return {
    name: routeName(name),
    match: { path: null, method: null, authority: null, scheme: null, headers: [], query: [] },
    action: { kind: 'direct', status: 200, body: '', bodyIsBase64: false },
    timeout: null,
    retry: null,
    fault: null,
    cors: null,
    mirrors: [],
    requestHeaders: null,
    responseHeaders: null,
    operation,
    source: null,
  };
}

/** A request that was answered with 200 in 12 ms. */
export function exchange(direction: Direction, peer: Workload | null = null): Exchange {
  const x = new Exchange(
    {
      id: 1,
      remoteAddress: peer?.ip ?? '192.0.2.9',
      remotePort: 40_000,
      localAddress: '127.1.0.3',
      localPort: direction === 'inbound' ? 9080 : 15_001,
      redirected: false,
      peer,
      serverName: '',
    },
    direction,
  );
  x.method = 'GET';
  x.target = x.path = '/reviews/0';
  x.authority = 'reviews:9080';
  x.headers = ['Host', 'reviews:9080', 'User-Agent', 'python-requests/2.31'];
  x.requestId = '2f0e8f8a-1b1c-4d4e-8f9a-0123456789ab';
  x.status = 200;
  x.details = 'via_upstream';
  x.startMs = 1000;
  x.sentMs = 1001;
  x.headMs = 1010.5;
  x.endMs = 1012.9;
  x.requestHeadBytes = 120;
  x.responseHeadBytes = 180;
  x.bytesSent = 375;
  return x;
}

/** Of a mesh that traces so many percent, and has asked for nothing else. */
export const tracingSettings = (percent = 100, over: Partial<TracingSettings> = {}): TracingSettings => ({
  ...UNTRACED,
  percent,
  reported: true,
  ...over,
});

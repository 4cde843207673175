/** The traffic policy of one cluster: what a DestinationRule says of the host, of the port, of the subset, each over the other. */
import type { ConnectionPool } from '../istio/connection-pool.ts';
import type { TrafficPolicy } from '../istio/destination-rule.ts';
import type { LoadBalancer } from '../istio/load-balancer.ts';
import type { ClientTls as WrittenTls } from '../istio/tls-settings.ts';
import type { Balancing, ClientTls, Cluster, KeepAlive, Tunnel } from '../snapshot/cluster.ts';
import { ms } from '../core/brand.ts';
import { CLUSTER } from './defaults.ts';
import { compileDuration } from './traffic.ts';

/** The fields that can be set for the host, for a port and for a subset; the last not for a port. */
export type Level = {
  readonly loadBalancer?: LoadBalancer | undefined;
  readonly connectionPool?: ConnectionPool | undefined;
  readonly tls?: WrittenTls | undefined;
  readonly proxyProtocol?: TrafficPolicy['proxyProtocol'];
};

/**
 * What is said of a port replaces what is said of the host, fields it leaves out being defaults; then each field the subset
 * gives replaces it whole (networking/util/util.go MergeSubsetTrafficPolicy).
 */
export function effective(policy: TrafficPolicy | undefined, subset: TrafficPolicy | undefined, port: number): Level {
  const base: Level = atPort(policy, port) ?? policy ?? {};
  if (subset === undefined) return base;
  const own = atPort(subset, port);
  if (own !== undefined) return { ...own, proxyProtocol: base.proxyProtocol };
  return {
    loadBalancer: subset.loadBalancer ?? base.loadBalancer,
    connectionPool: subset.connectionPool ?? base.connectionPool,
    tls: subset.tls ?? base.tls,
    proxyProtocol: subset.proxyProtocol ?? base.proxyProtocol,
  };
}

const atPort = (policy: TrafficPolicy | undefined, port: number): Level | undefined =>
  policy?.portLevelSettings?.find((p) => p.port.number === port);

export type PoolSettings = Pick<
  Cluster,
  | 'connectTimeout'
  | 'idleTimeout'
  | 'tcpIdleTimeout'
  | 'maxConnectionDuration'
  | 'keepAlive'
  | 'maxConnections'
  | 'maxPendingRequests'
  | 'maxRequests'
  | 'maxRequestsPerConnection'
>;

/** Limits of 0 mean "not set" to Istio. */
export function compilePool(pool: ConnectionPool | undefined): PoolSettings {
  const { tcp, http } = pool ?? {};
  const idle = http?.idleTimeout ?? tcp?.idleTimeout;
  return {
    connectTimeout: compileDuration(tcp?.connectTimeout) ?? CLUSTER.connectTimeout,
    // `0s` turns it off; the pool then keeps idle connections as long as Envoy's default would.
    idleTimeout: compileDuration(idle) ?? CLUSTER.idleTimeout,
    tcpIdleTimeout:
      tcp?.idleTimeout === undefined ? CLUSTER.tcpIdleTimeout : (compileDuration(tcp.idleTimeout) ?? ms(0)),
    maxConnectionDuration: compileDuration(tcp?.maxConnectionDuration) ?? CLUSTER.maxConnectionDuration,
    keepAlive: compileKeepAlive(tcp?.tcpKeepalive),
    maxConnections: limit(tcp?.maxConnections, CLUSTER.maxConnections),
    maxPendingRequests: limit(http?.http1MaxPendingRequests, CLUSTER.maxPendingRequests),
    maxRequests: limit(http?.http2MaxRequests, CLUSTER.maxRequests),
    maxRequestsPerConnection: limit(http?.maxRequestsPerConnection, CLUSTER.maxRequestsPerConnection),
  };
}

function compileKeepAlive(given: NonNullable<ConnectionPool['tcp']>['tcpKeepalive']): KeepAlive | null {
  if (given === undefined) return null;
  const { time, interval, probes } = given;
  return { idle: compileDuration(time), interval: compileDuration(interval), probes: probes || null };
}

const limit = (given: number | undefined, unset: number): number => (given === undefined || given <= 0 ? unset : given);

export function compileBalancing(loadBalancer: LoadBalancer | undefined): Balancing {
  switch (loadBalancer?.simple) {
    case 'ROUND_ROBIN':
    case 'RANDOM':
    case 'PASSTHROUGH':
      return { kind: loadBalancer.simple };
    case 'LEAST_CONN':
    case 'LEAST_REQUEST':
    case 'UNSPECIFIED':
    case undefined:
      return { kind: CLUSTER.balancing };
  }
}

export const compileProxyProtocol = (given: TrafficPolicy['proxyProtocol']): Cluster['proxyProtocol'] =>
  given === undefined ? null : (given.version ?? 'V1');

/** No matter of ports; and a subset has none but its own (core/tunnelingconfig). */
export const compileTunnel = (given: TrafficPolicy['tunnel']): Tunnel | null =>
  given === undefined
    ? null
    : { method: given.protocol ?? 'CONNECT', host: given.targetHost.toLowerCase(), port: given.targetPort };

/**
 * Null: plain text. ISTIO_MUTUAL is plain text too until the mesh has certificates; validation says so. `names`: those of a
 * ServiceEntry, for a DestinationRule that gives none (core/cluster_tls.go constructUpstreamTLS).
 */
export function compileTls(tls: WrittenTls | undefined, names: readonly string[]): ClientTls | null {
  if (tls?.mode !== 'SIMPLE' && tls?.mode !== 'MUTUAL') return null;
  const insecureSkipVerify = tls.insecureSkipVerify ?? false;
  const own = tls.subjectAltNames ?? [];
  return {
    sni: tls.sni ?? null,
    caFile: tls.caCertificates ?? null,
    certFile: tls.clientCertificate ?? null,
    keyFile: tls.privateKey ?? null,
    subjectAltNames: own.length > 0 || insecureSkipVerify ? own : names,
    insecureSkipVerify,
  };
}

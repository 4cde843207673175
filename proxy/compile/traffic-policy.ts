/** The traffic policy of one cluster: what a DestinationRule says of the host, of the port, of the subset, each over the other. */
import type { ConnectionPool } from '../istio/connection-pool.ts';
import type { TrafficPolicy } from '../istio/destination-rule.ts';
import type { LoadBalancer } from '../istio/load-balancer.ts';
import type { ClientTls as WrittenTls } from '../istio/tls-settings.ts';
import type { Balancing, ClientTls, Cluster } from '../snapshot/cluster.ts';
import { ms } from '../core/brand.ts';
import { CLUSTER } from './defaults.ts';
import { compileDuration } from './traffic.ts';

/** The fields that can be set for the host, for a port and for a subset. */
export type Level = {
  readonly loadBalancer?: LoadBalancer | undefined;
  readonly connectionPool?: ConnectionPool | undefined;
  readonly tls?: WrittenTls | undefined;
};

/**
 * What is said of a port replaces what is said of the host, fields it leaves out being defaults; then each field the subset
 * gives replaces it whole (networking/util/util.go MergeTrafficPolicy).
 */
export function effective(policy: TrafficPolicy | undefined, subset: TrafficPolicy | undefined, port: number): Level {
  const base: Level = atPort(policy, port) ?? policy ?? {};
  if (subset === undefined) return base;
  const own = atPort(subset, port);
  if (own !== undefined) return own;
  return {
    loadBalancer: subset.loadBalancer ?? base.loadBalancer,
    connectionPool: subset.connectionPool ?? base.connectionPool,
    tls: subset.tls ?? base.tls,
  };
}

const atPort = (policy: TrafficPolicy | undefined, port: number): Level | undefined =>
  policy?.portLevelSettings?.find((p) => p.port.number === port);

export type PoolSettings = Pick<
  Cluster,
  | 'connectTimeout'
  | 'idleTimeout'
  | 'tcpIdleTimeout'
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
    maxConnections: limit(tcp?.maxConnections, CLUSTER.maxConnections),
    maxPendingRequests: limit(http?.http1MaxPendingRequests, CLUSTER.maxPendingRequests),
    maxRequests: limit(http?.http2MaxRequests, CLUSTER.maxRequests),
    maxRequestsPerConnection: limit(http?.maxRequestsPerConnection, CLUSTER.maxRequestsPerConnection),
  };
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

/** Null: plain text. ISTIO_MUTUAL is plain text too until the mesh has certificates; validation says so. */
export function compileTls(tls: WrittenTls | undefined): ClientTls | null {
  if (tls?.mode !== 'SIMPLE' && tls?.mode !== 'MUTUAL') return null;
  return {
    sni: tls.sni ?? null,
    caFile: tls.caCertificates ?? null,
    certFile: tls.clientCertificate ?? null,
    keyFile: tls.privateKey ?? null,
    subjectAltNames: tls.subjectAltNames ?? [],
    insecureSkipVerify: tls.insecureSkipVerify ?? false,
  };
}

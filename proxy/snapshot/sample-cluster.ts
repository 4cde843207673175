/** A cluster for tests. */
import { clusterName, ms } from '../core/brand.ts';
import type { Cluster } from './cluster.ts';

export function sampleCluster(over: Partial<Cluster> = {}): Cluster {
  return {
    name: clusterName('outbound|3306||db.example.com'),
    discovery: { kind: 'endpoints' },
    service: null,
    direction: 'outbound',
    protocol: 'tcp',
    balancing: { kind: 'ROUND_ROBIN' },
    connectTimeout: ms(2000),
    idleTimeout: ms(3_600_000),
    tcpIdleTimeout: ms(3_600_000),
    maxConnectionDuration: ms(0),
    keepAlive: null,
    sourceAddress: null,
    proxyProtocol: null,
    tunnel: null,
    mayPointInside: true,
    maxConnections: 4_294_967_295,
    maxPendingRequests: 4_294_967_295,
    maxRequests: 4_294_967_295,
    maxRequestsPerConnection: 0,
    tls: null,
    source: null,
    ...over,
  };
}

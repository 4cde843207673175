/** What one worker knows of its clusters, and the sum of all workers: what `/clusters` and `/stats` show. */
import type { LiveCluster } from '../live/cluster.ts';
import { EndpointSeries } from '../telemetry/istio-metrics.ts';

/** Plain data, to be posted between threads. */
export type ClusterState = {
  readonly name: string;
  /** Requests in flight, requests waiting for a connection, open connections. */
  readonly active: number;
  readonly pending: number;
  readonly connections: number;
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly endpoints: readonly EndpointState[];
};

export type EndpointState = {
  /** `address:port` */
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly healthy: boolean;
  readonly weight: number;
  readonly locality: string;
  /** `namespace/pod`; null: unknown. */
  readonly workload: string | null;
  /** Requests in flight. */
  readonly active: number;
  /** Requests that ended here, and those of them with 5xx or no response. */
  readonly total: number;
  readonly errors: number;
};

/** In a worker. */
export function clusterStates(clusters: Iterable<LiveCluster>): ClusterState[] {
  return Array.from(clusters, ({ settings, active, pending, connections, endpoints }) => ({
    name: settings.name,
    active,
    pending,
    connections,
    maxConnections: settings.maxConnections,
    maxPendingRequests: settings.maxPendingRequests,
    maxRequests: settings.maxRequests,
    endpoints: endpoints.map((endpoint) => ({
      key: endpoint.key,
      address: endpoint.address,
      port: endpoint.port,
      healthy: endpoint.healthy,
      weight: endpoint.weight,
      locality: endpoint.locality,
      workload: endpoint.workload === null ? null : `${endpoint.workload.namespace}/${endpoint.workload.name}`,
      active: endpoint.active,
      total: endpoint.series instanceof EndpointSeries ? endpoint.series.total : 0,
      errors: endpoint.series instanceof EndpointSeries ? endpoint.series.errors : 0,
    })),
  }));
}

/** On the main thread. An endpoint is healthy when no worker has it as unhealthy. */
export function sumClusterStates(workers: readonly (readonly ClusterState[])[]): ClusterState[] {
  const sums = new Map<string, ClusterState>();
  for (const state of workers.flat()) {
    const sum = sums.get(state.name);
    sums.set(state.name, sum === undefined ? state : sumOf(sum, state));
  }
  return [...sums.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function sumOf(a: ClusterState, b: ClusterState): ClusterState {
  const endpoints = new Map(a.endpoints.map((endpoint) => [endpoint.key, endpoint]));
  for (const endpoint of b.endpoints) {
    const other = endpoints.get(endpoint.key);
    endpoints.set(
      endpoint.key,
      other === undefined
        ? endpoint
        : {
            ...endpoint,
            healthy: endpoint.healthy && other.healthy,
            active: endpoint.active + other.active,
            total: endpoint.total + other.total,
            errors: endpoint.errors + other.errors,
          },
    );
  }
  return {
    ...a,
    active: a.active + b.active,
    pending: a.pending + b.pending,
    connections: a.connections + b.connections,
    endpoints: [...endpoints.values()],
  };
}

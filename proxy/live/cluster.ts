/** One cluster, alive: its endpoints and counters. Survives swaps, found again by its name. */
import type { Cluster } from '../snapshot/cluster.ts';
import type { LiveEndpoint } from './endpoint.ts';

/**
 * A picker is one momentary state of a balancer: replaced when endpoints change, never told of it.
 * `hash`: of the request's hash key for consistent hashing, null when there is none. Returns null: nobody to pick.
 */
export type Picker = (hash: number | null) => LiveEndpoint | null;

export class LiveCluster {
  settings: Cluster;
  endpoints: readonly LiveEndpoint[] = [];
  picker: Picker = () => null;
  /** Requests in flight to all endpoints. */
  active = 0;
  /** Requests waiting for a connection. */
  pending = 0;
  /** Open connections to all endpoints. */
  connections = 0;
  /** Room for telemetry/. */
  series: unknown = null;
  /** Room for telemetry/: the edges that requests counted in lately. */
  edges: unknown = null;

  constructor(settings: Cluster) {
    this.settings = settings;
  }
}

/**
 * Endpoints that are gone from the latest DNS answer. Nothing new goes to them, but a name that shows other addresses each time (round robin
 * over many) does not cost the connections each time: who comes back soon finds them as they were.
 */
import type { Clock } from '../core/clock.ts';
import type { LiveCluster } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';

/** Then their idle connections close. Longer than the TTL of a name that means to move. */
const PARKED_MS = 60_000;
/** Of one cluster. */
const MOST = 256;

type Parked = { readonly endpoint: LiveEndpoint; readonly until: number };

export class ParkedEndpoints {
  readonly #clock: Clock;
  readonly #retire: (endpoint: LiveEndpoint) => void;
  readonly #byCluster = new Map<LiveCluster, Map<string, Parked>>();

  constructor(clock: Clock, retire: (endpoint: LiveEndpoint) => void) {
    this.#clock = clock;
    this.#retire = retire;
  }

  add(cluster: LiveCluster, endpoint: LiveEndpoint): void {
    if (endpoint.pool === null) return;
    let parked = this.#byCluster.get(cluster);
    if (parked === undefined) this.#byCluster.set(cluster, (parked = new Map()));
    if (parked.size >= MOST) return this.#retire(endpoint);
    parked.set(endpoint.key, { endpoint, until: this.#clock.now() + PARKED_MS });
  }

  /** It is back. */
  take(cluster: LiveCluster, key: string): LiveEndpoint | undefined {
    const parked = this.#byCluster.get(cluster);
    const endpoint = parked?.get(key)?.endpoint;
    if (endpoint !== undefined) parked!.delete(key);
    return endpoint;
  }

  sweep(): void {
    const now = this.#clock.now();
    for (const [cluster, parked] of this.#byCluster) {
      for (const [key, { endpoint, until }] of parked) {
        if (until > now) continue;
        parked.delete(key);
        this.#retire(endpoint);
      }
      if (parked.size === 0) this.#byCluster.delete(cluster);
    }
  }

  /** The cluster is gone, or starts anew. */
  forget(cluster: LiveCluster): void {
    for (const { endpoint } of this.#byCluster.get(cluster)?.values() ?? []) this.#retire(endpoint);
    this.#byCluster.delete(cluster);
  }
}

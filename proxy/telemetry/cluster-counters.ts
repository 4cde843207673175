/**
 * Tries against requests, by cluster, under Envoy's names: `istio_requests_total` counts a request once, however often it was tried.
 * https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
 */
import type { Counter } from '../core/counter.ts';
import type { Family, SeriesWriter } from '../core/registry.ts';
import type { Exchange } from '../live/exchange.ts';

const ofCluster = (name: string, help: string): Family => ({
  name: `envoy_cluster_${name}`,
  help,
  type: 'counter',
  labels: ['cluster_name'],
  bounds: [],
  kept: 0,
});

const TRIES = ofCluster('upstream_rq_total', 'Tries: requests, and each time that one was tried again.');
const RETRIES = ofCluster('upstream_rq_retry', 'Tries after the first.');
const SUCCESSES = ofCluster('upstream_rq_retry_success', 'Requests that went well after they were tried again.');
const EXHAUSTED = ofCluster('upstream_rq_retry_limit_exceeded', 'Requests that failed when no try was left to them.');

export class ClusterCounters {
  readonly #writer: SeriesWriter;
  readonly #name: readonly string[];
  readonly #tries: Counter;

  constructor(writer: SeriesWriter, cluster: string) {
    this.#writer = writer;
    this.#name = [cluster];
    this.#tries = writer.counter(TRIES, this.#name);
  }

  /** Once for every request that was sent to the cluster, at its end. */
  count(x: Exchange): void {
    this.#tries.add(x.attempts);
    if (x.attempts > 1) this.#countRetries(x);
  }

  #countRetries(x: Exchange): void {
    this.#writer.counter(RETRIES, this.#name).add(x.attempts - 1);
    // A request that was still to be tried again when it ran out of tries has this flag (pipeline/forward.ts).
    if (x.flags.includes('URX')) this.#writer.counter(EXHAUSTED, this.#name).add(1);
    else if (x.details === 'via_upstream') this.#writer.counter(SUCCESSES, this.#name).add(1);
  }
}

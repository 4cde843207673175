/** Everything upstream that outlives a configuration: live clusters with their endpoints and pools, found again by name. */
import type { Random } from '../core/random.ts';
import { LiveCluster, type Picker } from '../live/cluster.ts';
import { LiveEndpoint } from '../live/endpoint.ts';
import type { Balancing, Cluster } from '../snapshot/cluster.ts';
import type { Discovery, Endpoint } from '../snapshot/endpoints.ts';
import { Pool } from './pool.ts';
import { Resolver } from './resolver.ts';

export type MakePicker = (balancing: Balancing, endpoints: readonly LiveEndpoint[], random: Random) => Picker;

/** Addresses a passthrough cluster remembers; the oldest go first. */
const PASSTHROUGH_LIMIT = 1000;

const NO_ONE: Discovery = { endpoints: {}, workloads: {} };

export class Upstreams {
  readonly clusters = new Map<string, LiveCluster>();
  readonly #pools = new Set<Pool>();
  readonly #resolver: Resolver;
  readonly #makePicker: MakePicker;
  readonly #random: Random;
  #discovery: Discovery = NO_ONE;
  /** The workload's own address: where upstream connections come from. */
  from = '';

  constructor(makePicker: MakePicker, random: Random) {
    this.#makePicker = makePicker;
    this.#random = random;
    this.#resolver = new Resolver((cluster, endpoints) => this.#onResolved(cluster, endpoints));
  }

  get discovery(): Discovery {
    return this.#discovery;
  }

  /** Brings the clusters of a new snapshot to life; those that are gone drain. */
  setClusters(settings: Readonly<Record<string, Cluster>>): void {
    for (const [name, cluster] of Object.entries(settings)) {
      const live = this.clusters.get(name);
      if (live === undefined) this.clusters.set(name, new LiveCluster(cluster));
      else if (live.settings !== cluster) this.#change(live, cluster);
    }
    for (const [name, live] of this.clusters) {
      if (name in settings) continue;
      this.clusters.delete(name);
      for (const endpoint of live.endpoints) this.#retire(endpoint);
    }
    this.#resolver.watch([...this.clusters.values()]);
    this.setDiscovery(this.#discovery);
  }

  setDiscovery(discovery: Discovery): void {
    this.#discovery = discovery;
    for (const [name, live] of this.clusters) {
      if (live.settings.discovery.kind === 'endpoints') this.#setEndpoints(live, discovery.endpoints[name] ?? []);
      else for (const endpoint of live.endpoints) endpoint.workload = discovery.workloads[endpoint.address] ?? null;
    }
  }

  poolOf(cluster: LiveCluster, endpoint: LiveEndpoint): Pool {
    if (endpoint.pool instanceof Pool) return endpoint.pool;
    const pool = new Pool(cluster, endpoint, this.from);
    endpoint.pool = pool;
    this.#pools.add(pool);
    return pool;
  }

  /** The endpoint of a passthrough cluster for an address somebody asked for. */
  passthrough(cluster: LiveCluster, host: string, port: number): LiveEndpoint {
    const known = cluster.endpoints.find((e) => e.address === host && e.port === port);
    if (known !== undefined) return known;
    const endpoint = new LiveEndpoint(host, port);
    endpoint.workload = this.#discovery.workloads[host] ?? null;
    const kept = cluster.endpoints.length < PASSTHROUGH_LIMIT ? cluster.endpoints : cluster.endpoints.slice(1);
    if (kept !== cluster.endpoints) this.#retire(cluster.endpoints[0]!);
    cluster.endpoints = [...kept, endpoint];
    return endpoint;
  }

  /** Closes idle connections that are too old, and forgets pools of endpoints that are gone. */
  sweep(now: number): void {
    for (const pool of this.#pools) {
      pool.sweep(now);
      if (pool.empty && pool.endpoint.pool !== pool) this.#pools.delete(pool);
    }
  }

  close(): void {
    this.#resolver.close();
    for (const pool of this.#pools) pool.drain();
  }

  #change(live: LiveCluster, settings: Cluster): void {
    const before = live.settings;
    live.settings = settings;
    // TLS settings and the way to find endpoints belong to the connections: start with new ones.
    if (JSON.stringify([before.tls, before.discovery]) !== JSON.stringify([settings.tls, settings.discovery])) {
      for (const endpoint of live.endpoints) this.#retire(endpoint);
      live.endpoints = [];
    }
    live.picker = this.#makePicker(settings.balancing, live.endpoints, this.#random);
  }

  #onResolved(cluster: LiveCluster, endpoints: readonly Endpoint[]): void {
    if (this.clusters.get(cluster.settings.name) === cluster) this.#setEndpoints(cluster, endpoints);
  }

  #setEndpoints(live: LiveCluster, wanted: readonly Endpoint[]): void {
    const before = new Map(live.endpoints.map((e) => [e.key, e]));
    let changed = wanted.length !== live.endpoints.length;
    const now = wanted.map((w) => {
      const fresh = new LiveEndpoint(w.address, w.port);
      const endpoint = before.get(fresh.key) ?? fresh;
      before.delete(endpoint.key);
      changed ||= endpoint === fresh || endpoint.weight !== w.weight || endpoint.healthy !== w.healthy;
      endpoint.weight = w.weight;
      endpoint.healthy = w.healthy;
      endpoint.locality = w.locality;
      endpoint.workload = this.#discovery.workloads[w.address] ?? null;
      return endpoint;
    });
    for (const gone of before.values()) this.#retire(gone);
    live.endpoints = now;
    if (changed) live.picker = this.#makePicker(live.settings.balancing, now, this.#random);
  }

  #retire(endpoint: LiveEndpoint): void {
    if (!(endpoint.pool instanceof Pool)) return;
    endpoint.pool.drain();
    endpoint.pool = null;
  }
}

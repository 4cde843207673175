/** Everything upstream that outlives a configuration: live clusters with their endpoints and pools, found again by name. */
import { isIP } from 'node:net';
import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import { LiveCluster, type Picker } from '../live/cluster.ts';
import { LiveEndpoint } from '../live/endpoint.ts';
import type { OwnPorts } from '../live/own-ports.ts';
import type { Balancing, Cluster } from '../snapshot/cluster.ts';
import type { Discovery, Endpoint } from '../snapshot/endpoints.ts';
import type { Reads } from '../wire/lent-reads.ts';
import type { ProxiedAddresses } from '../wire/proxy-protocol.ts';
import { AskedEndpoints } from './asked-endpoints.ts';
import { dial, isSocketPath, type ConnectFrom, type Dial, type Dialed } from './connect.ts';
import { createDnsLookup, type DnsLookup } from './dns-lookup.ts';
import { Names, type OnAddresses } from './names.ts';
import { ParkedEndpoints } from './parked-endpoints.ts';
import { POINTS_INSIDE, pointsInside } from './points-inside.ts';
import { Pool } from './pool.ts';
import { Resolver } from './resolver.ts';
import { systemTimers } from './system-timers.ts';

export type MakePicker = (balancing: Balancing, endpoints: readonly LiveEndpoint[], random: Random) => Picker;

/** `lookup`, `clock`: for tests. */
export type UpstreamsSetup = {
  readonly lookup?: DnsLookup;
  readonly clock?: Clock;
  readonly connectFrom?: ConnectFrom | null;
  readonly ownPorts?: OwnPorts | null;
};

/** What a TCP connection to an endpoint is for. */
export type TcpDial = {
  /** Told of what it reads. */
  readonly reads: Reads;
  /** Whose connection the PROXY header says it is; null: the proxy's own. */
  readonly client: ProxiedAddresses | null;
};

const LEADS_BACK = 'the destination is this proxy itself: the connection would come round for ever';

const NO_ONE: Discovery = { endpoints: {}, workloads: {} };

export class Upstreams {
  readonly clusters = new Map<string, LiveCluster>();
  readonly #pools = new Set<Pool>();
  readonly #names: Names;
  readonly #resolver: Resolver;
  readonly #makePicker: MakePicker;
  readonly #random: Random;
  readonly #asked = new WeakMap<LiveCluster, AskedEndpoints>();
  readonly #parked: ParkedEndpoints;
  readonly #connectFrom: ConnectFrom | null;
  readonly #ownPorts: OwnPorts | null;
  #discovery: Discovery = NO_ONE;
  /** The workload's own address: where upstream connections come from. */
  from = '';
  /** Told of what operators should know, in one line: names that cannot be resolved, answers that are not used. */
  onWarning: (message: string) => void = () => undefined;

  /** Whether a connection to an address would come back to this proxy. */
  leadsBack: (address: string, port: number) => boolean = () => false;

  constructor(makePicker: MakePicker, random: Random, setup: UpstreamsSetup = {}) {
    const { lookup = createDnsLookup(), clock = systemTimers, connectFrom = null, ownPorts = null } = setup;
    this.#connectFrom = connectFrom;
    this.#ownPorts = ownPorts;
    this.#makePicker = makePicker;
    this.#random = random;
    this.#parked = new ParkedEndpoints(clock, (endpoint) => this.#retire(endpoint));
    this.#names = new Names({
      lookup,
      clock,
      random,
      prefer: () => (this.from.includes(':') ? 6 : 4),
      onOutcome: (state, changed) => this.#resolver.onOutcome(state, changed),
    });
    this.#resolver = new Resolver({
      names: this.#names,
      isForbidden: (cluster, address, port) => this.#isForbidden(cluster, address, port),
      onResolved: (cluster, endpoints) => this.#setEndpoints(cluster, endpoints),
      onWarning: (message) => this.onWarning(message),
    });
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
      this.#retireAll(live);
    }
    this.#resolver.watch([...this.clusters.values()]);
    this.setDiscovery(this.#discovery);
  }

  setDiscovery(discovery: Discovery): void {
    const known = this.#discovery.workloads;
    this.#discovery = discovery;
    for (const [name, live] of this.clusters) {
      if (live.settings.discovery.kind === 'endpoints') this.#setEndpoints(live, discovery.endpoints[name] ?? []);
      else for (const endpoint of live.endpoints) endpoint.workload = discovery.workloads[endpoint.address] ?? null;
    }
    if (discovery.workloads !== known) this.#resolver.refresh();
  }

  poolOf(cluster: LiveCluster, endpoint: LiveEndpoint): Pool {
    if (endpoint.pool instanceof Pool) return endpoint.pool;
    const pool = new Pool(cluster, endpoint, this.#connectPooled);
    endpoint.pool = pool;
    this.#pools.add(pool);
    return pool;
  }

  /** The endpoint of a passthrough cluster for an address somebody asked for, at the cluster's own port where it has one. */
  passthrough(cluster: LiveCluster, host: string, asked: number): LiveEndpoint {
    return this.#askedFor(cluster, host, portFor(cluster, asked));
  }

  #askedFor(cluster: LiveCluster, host: string, port: number): LiveEndpoint {
    let asked = this.#asked.get(cluster);
    if (asked === undefined) {
      asked = new AskedEndpoints((endpoint) => this.#retire(endpoint));
      this.#asked.set(cluster, asked);
      cluster.endpoints = asked.list;
    }
    const known = asked.get(host, port);
    if (known !== undefined) return known;
    const endpoint = asked.add(host, port);
    endpoint.workload = this.#discovery.workloads[host] ?? null;
    return endpoint;
  }

  /**
   * The endpoint of a DYNAMIC_DNS cluster for a name somebody asked for (Host, CONNECT target or server name, without port). Its address is
   * that name; it is resolved when a connection is made, and whether it may be asked for is routing's to say.
   */
  dynamic(cluster: LiveCluster, host: string): LiveEndpoint {
    const { discovery } = cluster.settings;
    return this.#askedFor(cluster, host.toLowerCase(), discovery.kind === 'dynamic-dns' ? discovery.port : 0);
  }

  /**
   * A TCP connection to an endpoint of a cluster, as the cluster's settings want it: source address, keep-alive, PROXY header, TLS, tunnel.
   * Calls exactly one of `done`'s functions, later; the returned function gives up silently.
   */
  connect(cluster: LiveCluster, endpoint: LiveEndpoint, { reads, client }: TcpDial, done: Dialed): () => void {
    const { tunnel } = cluster.settings;
    return dial({ ...this.#dialTo(cluster, endpoint), reads, client, tunnel }, done);
  }

  /** Why the cluster has no endpoint, as far as it is DNS: half a sentence; "": that is not why. */
  whyNone(cluster: LiveCluster): string {
    return this.#resolver.reasonOf(cluster);
  }

  /** Closes idle connections that are too old, and forgets what nobody needs any more: pools, endpoints, names. */
  sweep(now: number): void {
    for (const pool of this.#pools) {
      pool.sweep(now);
      if (pool.empty && pool.endpoint.pool !== pool) this.#pools.delete(pool);
    }
    this.#parked.sweep();
    this.#names.sweep();
  }

  close(): void {
    this.#resolver.watch([]);
    this.#names.close();
    for (const pool of this.#pools) pool.drain();
  }

  /** Pooled connections serve many clients: PROXY headers on them name nobody. Tunnels are for TCP only. */
  readonly #connectPooled = (cluster: LiveCluster, endpoint: LiveEndpoint, reads: Reads, done: Dialed): (() => void) =>
    dial({ ...this.#dialTo(cluster, endpoint), reads }, done);

  #dialTo(cluster: LiveCluster, endpoint: LiveEndpoint): Dial {
    const { tls, connectTimeout, sourceAddress, keepAlive, proxyProtocol, discovery, service } = cluster.settings;
    const { address, port } = endpoint;
    // As Istio's auto_sni, which takes the name out of Host: the endpoint is an address that certificates do not name.
    const serverName = service === null || service.host.startsWith('*') ? null : service.host;
    const base = { host: address, port, from: this.from, tls, serverName, timeout: connectTimeout };
    const isName = isIP(address) === 0 && !isSocketPath(address);
    const named = discovery.kind === 'dynamic-dns' || isName || this.leadsBack(address, port);
    const resolve = (host: string, done: OnAddresses): (() => void) => this.#resolve(cluster, host, port, done);
    return {
      ...base,
      connectFrom: this.#connectFrom,
      ownPorts: this.#ownPorts,
      sourceAddress,
      keepAlive,
      proxyProtocol,
      ...(named ? { resolve } : {}),
    };
  }

  /** The addresses of a name, or the address that was asked for itself, that this cluster may be led to. */
  #resolve(cluster: LiveCluster, host: string, port: number, done: OnAddresses): () => void {
    const usable: OnAddresses = (addresses, cause) => {
      const allowed = addresses.filter((address) => !this.#isForbidden(cluster, address, port));
      const refused = addresses.some((address) => this.leadsBack(address, port)) ? LEADS_BACK : POINTS_INSIDE;
      done(allowed, allowed.length < addresses.length ? refused : cause);
    };
    if (isIP(host) === 0) return this.#names.resolve(host, usable);
    const later = setImmediate(usable, [host], '');
    return () => clearImmediate(later);
  }

  #isForbidden(cluster: LiveCluster, address: string, port: number): boolean {
    const facts = { from: this.from, workloads: this.#discovery.workloads };
    return (!cluster.settings.mayPointInside && pointsInside(address, facts)) || this.leadsBack(address, port);
  }

  #change(live: LiveCluster, settings: Cluster): void {
    const before = live.settings;
    live.settings = settings;
    // What belongs to the connections, and the way to find endpoints: start with new ones.
    if (JSON.stringify(rootsOf(before)) !== JSON.stringify(rootsOf(settings))) this.#retireAll(live);
    live.picker = this.#makePicker(settings.balancing, live.endpoints, this.#random);
  }

  #retireAll(live: LiveCluster): void {
    for (const endpoint of live.endpoints) this.#retire(endpoint);
    live.endpoints = [];
    this.#parked.forget(live);
    this.#asked.delete(live);
  }

  #setEndpoints(live: LiveCluster, wanted: readonly Endpoint[]): void {
    const before = new Map(live.endpoints.map((e) => [e.key, e]));
    let changed = wanted.length !== live.endpoints.length;
    const now = wanted.map((w) => {
      const fresh = new LiveEndpoint(w.address, w.port);
      const endpoint = before.get(fresh.key) ?? this.#parked.take(live, fresh.key) ?? fresh;
      const stayed = before.delete(endpoint.key);
      changed ||= !stayed || endpoint.weight !== w.weight || endpoint.healthy !== w.healthy;
      endpoint.weight = w.weight;
      endpoint.healthy = w.healthy;
      endpoint.locality = w.locality;
      endpoint.workload = this.#discovery.workloads[w.address] ?? null;
      return endpoint;
    });
    for (const gone of before.values()) {
      // DNS shows some of its addresses today and others tomorrow; what is gone from a mesh's own list is gone.
      if (live.settings.discovery.kind === 'dns') this.#parked.add(live, gone);
      else this.#retire(gone);
    }
    live.endpoints = now;
    if (changed) live.picker = this.#makePicker(live.settings.balancing, now, this.#random);
  }

  #retire(endpoint: LiveEndpoint): void {
    if (!(endpoint.pool instanceof Pool)) return;
    endpoint.pool.drain();
    endpoint.pool = null;
  }
}

const rootsOf = (c: Cluster): unknown[] => [c.tls, c.discovery, c.sourceAddress, c.proxyProtocol, c.mayPointInside];

/** The port of a passthrough cluster's destination, when `asked` is what the client asked for. */
export const portFor = ({ settings: { discovery } }: LiveCluster, asked: number): number =>
  discovery.kind === 'passthrough' ? (discovery.port ?? asked) : asked;

/**
 * Records each ended request in Istio's standard metrics.
 * Series are found by identity, in a few map lookups: live endpoint (or caller) → response flags → status. Label values are put
 * together only when a combination is seen for the first time.
 */
import type { SeriesWriter } from '../core/registry.ts';
import type { LiveCluster } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import type { ProxyNode, Workload } from '../snapshot/node.ts';
import { ClusterCounters } from './cluster-counters.ts';
import { HttpOutcomes } from './http-outcomes.ts';
import { MetricOverrides } from './metric-overrides.ts';
import { inboundParties, outboundParties, type Destination } from './parties.ts';

/** Destinations without a service that are remembered; the writer's own limit bounds the series. */
const MAX_STRANGERS = 1000;
/** Hosts nobody declared that are named in labels; each is some 60 lines of a scrape. Those after them have no name. */
const MAX_NAMED = 100;

/**
 * Returns what is to be called once for every request, at its end. It never throws.
 * `inboundCluster`: of a local port, for requests that were refused before a cluster was chosen; null: not known. `overrides`: what the
 * configuration in force changes about them.
 */
export function createIstioMetrics(
  writer: SeriesWriter,
  node: ProxyNode,
  inboundCluster: (port: number) => Cluster | null = () => null,
  overrides = new MetricOverrides(writer, node),
): (x: Exchange) => void {
  const strangers = new Map<string, HttpOutcomes>();
  let strangersOf = overrides.generation;
  const named = new Set<string>();

  return (x) => {
    const outcomes = x.direction === 'inbound' ? fromPeer(x) : toEndpoint(x);
    outcomes.record(x);
  };

  function fromPeer(x: Exchange): HttpOutcomes {
    const { peer } = x.connection;
    const cluster = x.cluster;
    if (cluster === null) return stranger(x, peer ?? x.claimed);
    const callers = callersOf(cluster);
    callers.counters.count(x);
    // What a caller says of itself is no more than a name in a metric, and only where nobody knows better.
    if (peer === null && x.claimed !== null) return stranger(x, x.claimed);
    return callers.of(peer) ?? callers.add(peer, outcomesOf('inbound', inboundParties(node, peer, destination(x))));
  }

  function toEndpoint(x: Exchange): HttpOutcomes {
    const { endpoint, cluster } = x;
    const service = cluster?.settings.service ?? null;
    if (endpoint === null) return stranger(x, null);
    const known = endpoint.series instanceof EndpointSeries ? endpoint.series : null;
    const current =
      known !== null &&
      known.workload === endpoint.workload &&
      known.service === service &&
      known.generation === overrides.generation
        ? known
        : (endpoint.series = seriesOf(x, endpoint, service, known));
    current.count(x);
    if (x.claimed !== null && endpoint.workload === null) return stranger(x, x.claimed);
    return current.outcomes ?? stranger(x, endpoint.workload);
  }

  function seriesOf(
    x: Exchange,
    { workload }: LiveEndpoint,
    service: Cluster['service'],
    before: EndpointSeries | null,
  ): EndpointSeries {
    const outcomes = service === null ? null : outcomesOf('outbound', outboundParties(node, workload, destination(x)));
    const counters = new ClusterCounters(writer, x.cluster?.settings.name ?? '');
    return new EndpointSeries(workload, service, outcomes, counters, overrides.generation, before);
  }

  /** Istio: the reporting client does not tell how the connection was secured. */
  function outcomesOf(direction: Exchange['direction'], parties: readonly string[]): HttpOutcomes {
    return direction === 'inbound'
      ? new HttpOutcomes(writer, parties, 'none', overrides.server)
      : new HttpOutcomes(writer, parties, 'unknown', overrides.client);
  }

  function callersOf(cluster: LiveCluster): Callers {
    const { service, name } = cluster.settings;
    const known = cluster.series instanceof Callers ? cluster.series : null;
    if (known !== null && known.service === service && known.generation === overrides.generation) return known;
    const made = new Callers(service, new ClusterCounters(writer, name), overrides.generation);
    cluster.series = made;
    return made;
  }

  /** Requests that reached nobody, or somebody of no service: told apart by name, since there is nothing else to hold on to. */
  function stranger(x: Exchange, other: Workload | null): HttpOutcomes {
    if (strangersOf !== overrides.generation) strangers.clear();
    strangersOf = overrides.generation;
    const to = namedOnly(destination(x));
    const key = `${x.direction} ${to.cluster?.name ?? ''} ${to.route} ${to.authority} ${other?.namespace} ${other?.workload} ${other?.canonicalRevision}`;
    const known = strangers.get(key);
    if (known !== undefined) return known;
    if (strangers.size >= MAX_STRANGERS) strangers.clear();
    const parties = x.direction === 'inbound' ? inboundParties(node, other, to) : outboundParties(node, other, to);
    const made = outcomesOf(x.direction, parties);
    strangers.set(key, made);
    return made;
  }

  function namedOnly(to: Destination): Destination {
    if (to.cluster?.service || to.authority === '' || named.has(to.authority)) return to;
    if (named.size >= MAX_NAMED) return { ...to, authority: '' };
    named.add(to.authority);
    return to;
  }

  function destination(x: Exchange): Destination {
    const cluster = x.cluster?.settings ?? null;
    return {
      cluster: cluster === null && x.direction === 'inbound' ? inboundCluster(x.connection.localPort) : cluster,
      route: x.route?.name ?? (isRefusedConnect(x) ? 'block_all' : ''),
      // Only a sidecar's own app may name a service by its Host; what comes from outside must not make labels.
      authority: x.direction === 'outbound' ? x.authority : '',
    };
  }
}

/** REGISTRY_ONLY refuses a CONNECT before there is a route; it counts as what `block_all` refuses. */
const isRefusedConnect = ({ method, cluster, details }: Exchange): boolean =>
  method === 'CONNECT' && cluster === null && details === 'direct_response';

/** What hangs on a live endpoint: its series, and the totals that `/clusters` shows. */
export class EndpointSeries {
  /** Whom the series are of; when the endpoint is somebody else's by now, they are of no more use. */
  readonly workload: Workload | null;
  readonly service: Cluster['service'];
  /** Null: the endpoint is of no service, and series are by what was asked for. */
  readonly outcomes: HttpOutcomes | null;
  readonly generation: number;
  readonly #counters: ClusterCounters;
  /** Requests that ended at this endpoint, and those of them with 5xx or no response. */
  total: number;
  errors: number;

  constructor(
    workload: Workload | null,
    service: Cluster['service'],
    outcomes: HttpOutcomes | null,
    counters: ClusterCounters,
    generation: number,
    before: EndpointSeries | null,
  ) {
    this.workload = workload;
    this.service = service;
    this.outcomes = outcomes;
    this.generation = generation;
    this.#counters = counters;
    this.total = before?.total ?? 0;
    this.errors = before?.errors ?? 0;
  }

  count(x: Exchange): void {
    this.#counters.count(x);
    this.total += 1;
    if (x.status >= 500 || x.status === 0) this.errors += 1;
  }
}

/** What hangs on a live inbound cluster: series by caller. Weak, because the address book replaces workloads whole. */
class Callers {
  readonly service: Cluster['service'];
  readonly counters: ClusterCounters;
  readonly generation: number;
  #unknown: HttpOutcomes | undefined;
  readonly #known = new WeakMap<Workload, HttpOutcomes>();

  constructor(service: Cluster['service'], counters: ClusterCounters, generation: number) {
    this.service = service;
    this.counters = counters;
    this.generation = generation;
  }

  of(peer: Workload | null): HttpOutcomes | undefined {
    return peer === null ? this.#unknown : this.#known.get(peer);
  }

  add(peer: Workload | null, outcomes: HttpOutcomes): HttpOutcomes {
    if (peer === null) this.#unknown = outcomes;
    else this.#known.set(peer, outcomes);
    return outcomes;
  }
}

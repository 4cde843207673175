/**
 * Records each ended request in Istio's standard metrics.
 * Series are found by identity, in a few map lookups: live endpoint (or caller) → response flags → status. Label values are put
 * together only when a combination is seen for the first time.
 */
import { Counter } from '../core/counter.ts';
import { Histogram } from '../core/histogram.ts';
import type { SeriesWriter } from '../core/registry.ts';
import type { LiveCluster } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import type { ProxyNode, Workload } from '../snapshot/node.ts';
import { DURATION, REQUESTS, REQUEST_BYTES, RESPONSE_BYTES } from './istio-families.ts';
import { inboundParties, outboundParties, type Destination } from './parties.ts';

/** Destinations without a service that are remembered; the writer's own limit bounds the series. */
const MAX_STRANGERS = 1000;
/** Hosts nobody declared that are named in labels; each is some 60 lines of a scrape. Those after them have no name. */
const MAX_NAMED = 100;

/**
 * Returns what is to be called once for every request, at its end. It never throws.
 * `inboundCluster`: of a local port, for requests that were refused before a cluster was chosen; null: not known.
 */
export function createIstioMetrics(
  writer: SeriesWriter,
  node: ProxyNode,
  inboundCluster: (port: number) => Cluster | null = () => null,
): (x: Exchange) => void {
  const strangers = new Map<string, Outcomes>();
  const named = new Set<string>();

  return (x) => {
    const outcomes = x.direction === 'inbound' ? fromPeer(x) : toEndpoint(x);
    outcomes.record(x);
  };

  function fromPeer(x: Exchange): Outcomes {
    const { peer } = x.connection;
    const cluster = x.cluster;
    if (cluster === null) return stranger(x, peer);
    const callers = callersOf(cluster);
    return (
      callers.of(peer) ?? callers.add(peer, new Outcomes(writer, inboundParties(node, peer, destination(x)), 'none'))
    );
  }

  function toEndpoint(x: Exchange): Outcomes {
    const { endpoint, cluster } = x;
    const service = cluster?.settings.service ?? null;
    if (endpoint === null) return stranger(x, null);
    const known = endpoint.series instanceof EndpointSeries ? endpoint.series : null;
    const current =
      known !== null && known.workload === endpoint.workload && known.service === service
        ? known
        : (endpoint.series = seriesOf(x, endpoint, service, known));
    current.count(x);
    return current.outcomes ?? stranger(x, endpoint.workload);
  }

  function seriesOf(
    x: Exchange,
    { workload }: LiveEndpoint,
    service: Cluster['service'],
    before: EndpointSeries | null,
  ): EndpointSeries {
    // Istio: the reporting client does not tell how the connection was secured.
    const outcomes =
      service === null ? null : new Outcomes(writer, outboundParties(node, workload, destination(x)), 'unknown');
    return new EndpointSeries(workload, service, outcomes, before);
  }

  /** Requests that reached nobody, or somebody of no service: told apart by name, since there is nothing else to hold on to. */
  function stranger(x: Exchange, other: Workload | null): Outcomes {
    const to = namedOnly(destination(x));
    const key = `${x.direction} ${to.cluster?.name ?? ''} ${to.route} ${to.authority} ${other?.namespace} ${other?.workload} ${other?.canonicalRevision}`;
    const known = strangers.get(key);
    if (known !== undefined) return known;
    if (strangers.size >= MAX_STRANGERS) strangers.clear();
    const parties = x.direction === 'inbound' ? inboundParties(node, other, to) : outboundParties(node, other, to);
    const made = new Outcomes(writer, parties, x.direction === 'inbound' ? 'none' : 'unknown');
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

/** The series of one pair of parties, by how requests ended. */
class Outcomes {
  readonly #writer: SeriesWriter;
  readonly #parties: readonly string[];
  readonly #security: 'none' | 'unknown';
  readonly #plain = new Map<number, HttpSeries>();
  readonly #flagged = new Map<string, Map<number, HttpSeries>>();

  constructor(writer: SeriesWriter, parties: readonly string[], security: 'none' | 'unknown') {
    this.#writer = writer;
    this.#parties = parties;
    this.#security = security;
  }

  record(x: Exchange): void {
    // One number for both codes, so that gRPC costs no second lookup: status × 32 + gRPC status + 2 (1: gRPC without one).
    const grpc = x.grpc ? (x.grpcStatus >= 0 && x.grpcStatus <= 16 ? x.grpcStatus + 2 : 1) : 0;
    const code = (x.status << 5) | grpc;
    const byCode = x.flags === '' ? this.#plain : this.#withFlags(x.flags);
    let series = byCode.get(code);
    if (series === undefined) byCode.set(code, (series = this.#series(x, grpc)));
    series.requests.add(1);
    series.duration.record(Math.floor(x.endMs - x.startMs));
    series.requestBytes.record(x.requestHeadBytes + x.bytesReceived);
    series.responseBytes.record(x.responseHeadBytes + x.bytesSent);
  }

  #withFlags(flags: string): Map<number, HttpSeries> {
    let byCode = this.#flagged.get(flags);
    if (byCode === undefined) this.#flagged.set(flags, (byCode = new Map<number, HttpSeries>()));
    return byCode;
  }

  #series(x: Exchange, grpc: number): HttpSeries {
    const labels = [
      ...this.#parties,
      grpc === 0 ? 'http' : 'grpc',
      `${x.status}`,
      grpc < 2 ? '' : `${grpc - 2}`,
      x.flags === '' ? '-' : x.flags,
      this.#security,
    ];
    return {
      requests: this.#writer.counter(REQUESTS, labels),
      duration: this.#writer.histogram(DURATION, labels),
      requestBytes: this.#writer.histogram(REQUEST_BYTES, labels),
      responseBytes: this.#writer.histogram(RESPONSE_BYTES, labels),
    };
  }
}

type HttpSeries = {
  readonly requests: Counter;
  readonly duration: Histogram;
  readonly requestBytes: Histogram;
  readonly responseBytes: Histogram;
};

/** What hangs on a live endpoint: its series, and the totals that `/clusters` shows. */
export class EndpointSeries {
  /** Whom the series are of; when the endpoint is somebody else's by now, they are of no more use. */
  readonly workload: Workload | null;
  readonly service: Cluster['service'];
  /** Null: the endpoint is of no service, and series are by what was asked for. */
  readonly outcomes: Outcomes | null;
  /** Requests that ended at this endpoint, and those of them with 5xx or no response. */
  total: number;
  errors: number;

  constructor(
    workload: Workload | null,
    service: Cluster['service'],
    outcomes: Outcomes | null,
    before: EndpointSeries | null,
  ) {
    this.workload = workload;
    this.service = service;
    this.outcomes = outcomes;
    this.total = before?.total ?? 0;
    this.errors = before?.errors ?? 0;
  }

  count(x: Exchange): void {
    this.total += 1;
    if (x.status >= 500 || x.status === 0) this.errors += 1;
  }
}

/** What hangs on a live inbound cluster: series by caller. Weak, because the address book replaces workloads whole. */
class Callers {
  readonly service: Cluster['service'];
  #unknown: Outcomes | undefined;
  readonly #known = new WeakMap<Workload, Outcomes>();

  constructor(service: Cluster['service']) {
    this.service = service;
  }

  of(peer: Workload | null): Outcomes | undefined {
    return peer === null ? this.#unknown : this.#known.get(peer);
  }

  add(peer: Workload | null, outcomes: Outcomes): Outcomes {
    if (peer === null) this.#unknown = outcomes;
    else this.#known.set(peer, outcomes);
    return outcomes;
  }
}

function callersOf(cluster: LiveCluster): Callers {
  const { service } = cluster.settings;
  if (cluster.series instanceof Callers && cluster.series.service === service) return cluster.series;
  const made = new Callers(service);
  cluster.series = made;
  return made;
}

/** Istio's TCP metrics: one small object a connection, told of what happens to it. */
import type { Counter } from '../core/counter.ts';
import type { SeriesWriter } from '../core/registry.ts';
import type { LiveCluster } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Connection } from '../live/connection.ts';
import { Exchange, type Direction } from '../live/exchange.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { CountedMetric } from './istio-families.ts';
import { MetricOverrides, Reshaped } from './metric-overrides.ts';
import { inboundParties, outboundParties } from './parties.ts';

/** What is known of a connection when it has been accepted and its endpoint picked. */
export type TcpFacts = {
  readonly direction: Direction;
  readonly connection: Connection;
  readonly cluster: LiveCluster | null;
  /** Null: nobody could be reached. */
  readonly endpoint: LiveEndpoint | null;
  /** `address:port` or `name:port` that the client asked for: what there is to call a destination of no service. */
  readonly asked: string;
};

/** Addresses nobody declared that are named in labels. Those after them have no name. */
const MAX_NAMED = 100;

/** Returns what makes the series object of one connection. It never throws. `overrides`: what the configuration in force changes. */
export function createTcpMetrics(
  writer: SeriesWriter,
  node: ProxyNode,
  overrides = new MetricOverrides(writer, node),
): (facts: TcpFacts) => TcpSeries {
  const named = new Set<string>();
  return ({ direction, connection, cluster, endpoint, asked }) => {
    const known = direction !== 'outbound' || cluster?.settings.service || named.has(asked);
    if (!known && named.size < MAX_NAMED) named.add(asked);
    const authority = direction === 'outbound' && named.has(asked) ? asked : '';
    const to = { cluster: cluster?.settings ?? null, route: '', authority };
    const x = new Exchange(connection, direction);
    x.opaque = true;
    x.cluster = cluster;
    x.endpoint = endpoint;
    x.authority = asked;
    const parties =
      direction === 'inbound'
        ? inboundParties(node, connection.peer, to)
        : outboundParties(node, endpoint?.workload ?? null, to);
    return new TcpSeries(writer, parties, x, overrides);
  };
}

/** Counters of one connection. Call `opened` once, `bytes` as data passes (or every few seconds), `closed` once. */
export class TcpSeries {
  readonly #writer: SeriesWriter;
  readonly #parties: readonly string[];
  readonly #overrides: MetricOverrides;
  /** The connection, for labels that somebody has defined. */
  readonly #x: Exchange;
  #sent: Counter | null = null;
  #received: Counter | null = null;
  #generation = -1;

  constructor(writer: SeriesWriter, parties: readonly string[], x: Exchange, overrides: MetricOverrides) {
    this.#writer = writer;
    this.#parties = parties;
    this.#x = x;
    this.#overrides = overrides;
    this.bytes(0, 0);
  }

  opened(): void {
    this.#counter('TCP_OPENED_CONNECTIONS', '')?.add(1);
  }

  /** Bytes since the last call: `sent` to downstream, `received` from downstream. */
  bytes(sent: number, received: number): void {
    // The configuration may have changed in the middle of the connection: its old series are over then.
    if (this.#generation !== this.#overrides.generation) {
      this.#generation = this.#overrides.generation;
      this.#sent = this.#counter('TCP_SENT_BYTES', '');
      this.#received = this.#counter('TCP_RECEIVED_BYTES', '');
    }
    this.#sent?.add(sent);
    this.#received?.add(received);
  }

  /** `flags`: Envoy's response flags of the connection (`UF`, `UH` …), "" for an ordinary end. */
  closed(flags = ''): void {
    this.#counter('TCP_CLOSED_CONNECTIONS', flags)?.add(1);
  }

  #counter(name: CountedMetric, flags: string): Counter | null {
    const inbound = this.#x.direction === 'inbound';
    const metric = (inbound ? this.#overrides.server : this.#overrides.client)[name];
    if (metric === null) return null;
    const labels = [...this.#parties, 'tcp', flags === '' ? '-' : flags, inbound ? 'none' : 'unknown'];
    this.#x.flags = flags;
    return new Reshaped(metric, labels, (family, values) => this.#writer.counter(family, values)).of(this.#x);
  }
}

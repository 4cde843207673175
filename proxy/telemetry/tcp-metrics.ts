/** Istio's TCP metrics: one small object a connection, told of what happens to it. */
import type { Counter } from '../core/counter.ts';
import type { SeriesWriter } from '../core/registry.ts';
import type { LiveCluster } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Direction } from '../live/exchange.ts';
import type { ProxyNode, Workload } from '../snapshot/node.ts';
import { TCP_CLOSED, TCP_OPENED, TCP_RECEIVED, TCP_SENT } from './istio-families.ts';
import { inboundParties, outboundParties } from './parties.ts';

/** What is known of a connection when it has been accepted and its endpoint picked. */
export type TcpFacts = {
  readonly direction: Direction;
  /** Who connected; null: unknown. */
  readonly peer: Workload | null;
  readonly cluster: LiveCluster | null;
  /** Null: nobody could be reached. */
  readonly endpoint: LiveEndpoint | null;
  /** `address:port` or `name:port` that the client asked for: what there is to call a destination of no service. */
  readonly asked: string;
};

/** Addresses nobody declared that are named in labels. Those after them have no name. */
const MAX_NAMED = 100;

/** Returns what makes the series object of one connection. It never throws. */
export function createTcpMetrics(writer: SeriesWriter, node: ProxyNode): (facts: TcpFacts) => TcpSeries {
  const named = new Set<string>();
  return ({ direction, peer, cluster, endpoint, asked }) => {
    const known = direction !== 'outbound' || cluster?.settings.service || named.has(asked);
    if (!known && named.size < MAX_NAMED) named.add(asked);
    const authority = direction === 'outbound' && named.has(asked) ? asked : '';
    const to = { cluster: cluster?.settings ?? null, route: '', authority };
    const inbound = direction === 'inbound';
    const parties = inbound ? inboundParties(node, peer, to) : outboundParties(node, endpoint?.workload ?? null, to);
    return new TcpSeries(writer, parties, inbound ? 'none' : 'unknown');
  };
}

/** Counters of one connection. Call `opened` once, `bytes` as data passes (or every few seconds), `closed` once. */
export class TcpSeries {
  readonly #writer: SeriesWriter;
  readonly #parties: readonly string[];
  readonly #security: string;
  readonly #sent: Counter;
  readonly #received: Counter;

  constructor(writer: SeriesWriter, parties: readonly string[], security: string) {
    this.#writer = writer;
    this.#parties = parties;
    this.#security = security;
    this.#sent = writer.counter(TCP_SENT, this.#labels(''));
    this.#received = writer.counter(TCP_RECEIVED, this.#labels(''));
  }

  opened(): void {
    this.#writer.counter(TCP_OPENED, this.#labels('')).add(1);
  }

  /** Bytes since the last call: `sent` to downstream, `received` from downstream. */
  bytes(sent: number, received: number): void {
    this.#sent.add(sent);
    this.#received.add(received);
  }

  /** `flags`: Envoy's response flags of the connection (`UF`, `UH` …), "" for an ordinary end. */
  closed(flags = ''): void {
    this.#writer.counter(TCP_CLOSED, this.#labels(flags)).add(1);
  }

  #labels(flags: string): string[] {
    return [...this.#parties, 'tcp', flags === '' ? '-' : flags, this.#security];
  }
}

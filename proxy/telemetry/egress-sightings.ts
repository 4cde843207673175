/** Sightings counted by destination, in bounded memory: what has gathered since they were last taken. */
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import { sightingOf, type Sighting } from './egress-sighting.ts';

export type EgressRow = Omit<Sighting, 'failure' | 'count'> & {
  /** Requests, tunnels and connections. */
  count: number;
  failures: number;
  /** Of the last one that failed; "": none did. */
  failure: string;
  address: string;
  sent: number;
  received: number;
  /** ms since the epoch. */
  readonly firstSeen: number;
  lastSeen: number;
};

/** Destinations a worker tells apart between two looks; all others are one row for each verdict. */
const MAX_DESTINATIONS = 500;

/** The row that requests of one authority to one endpoint count in, until `round` is over. */
type Memo = {
  readonly authority: string;
  readonly settings: Cluster | undefined;
  readonly round: number;
  readonly row: EgressRow;
};

export class EgressSightings {
  readonly #limit: number;
  #rows = new Map<string, EgressRow>();
  #round = 0;
  readonly #memos = new WeakMap<LiveEndpoint, Memo>();

  constructor(limit = MAX_DESTINATIONS) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Counts an exchange that left, or tried to. What stays in the mesh costs a few property reads; what succeeds again no string. */
  note(x: Exchange): void {
    const { endpoint } = x;
    if (x.direction === 'inbound' || (endpoint !== null && endpoint.workload !== null)) return;
    const memo = endpoint === null ? undefined : this.#memos.get(endpoint);
    const settings = x.cluster?.settings;
    const plain = x.method !== '' && x.method !== 'CONNECT' && x.flags === '' && x.transportFailure === '';
    if (plain && memo?.round === this.#round && memo.authority === x.authority && memo.settings === settings) {
      const { row } = memo;
      row.count += 1;
      row.sent += x.bytesReceived;
      row.received += x.bytesSent;
      row.lastSeen = Date.now();
      return;
    }
    const sighting = sightingOf(x);
    if (sighting === null) return;
    const row = this.see(sighting);
    if (plain && endpoint !== null)
      this.#memos.set(endpoint, { authority: x.authority, settings, round: this.#round, row });
  }

  /** `now`: ms since the epoch. Returns the row it counts in, for as long as nothing is drained. */
  see(s: Sighting, now = Date.now()): EgressRow {
    const row = this.#rows.get(keyOf(s));
    if (row === undefined) return this.merge(rowOf(s, now));
    row.count += s.count;
    row.sent += s.sent;
    row.received += s.received;
    row.lastSeen = now;
    if (s.address !== '') row.address = s.address;
    if (s.failure !== '') {
      row.failures += 1;
      row.failure = s.failure;
    }
    return row;
  }

  /** Adds what was counted elsewhere. */
  merge(row: EgressRow): EgressRow {
    const key = keyOf(row);
    const known = this.#rows.get(key);
    // In place: who holds the row goes on counting in it.
    if (known !== undefined) return Object.assign(known, sumOf(known, row));
    if (this.#rows.size < this.#limit || row.protocol === 'other') {
      const kept = { ...row };
      this.#rows.set(key, kept);
      return kept;
    }
    return this.merge({ ...row, protocol: 'other', host: '', address: '', port: 0, service: '' });
  }

  /** Everything so far; what comes now is counted anew. */
  drain(): EgressRow[] {
    if (this.#rows.size === 0) return [];
    const rows = [...this.#rows.values()];
    this.#rows = new Map();
    this.#round++;
    return rows;
  }
}

/** One name is one destination, whatever addresses it has. */
export const keyOf = ({
  verdict,
  protocol,
  host,
  address,
  port,
  service,
}: Omit<Sighting, 'failure' | 'count'>): string =>
  `${verdict} ${protocol} ${port} ${host === '' ? `[${address}]` : host} ${service}`;

/** Both of one destination; `b` came later. */
export function sumOf(a: EgressRow, b: EgressRow): EgressRow {
  return {
    ...a,
    address: b.address === '' ? a.address : b.address,
    count: a.count + b.count,
    failures: a.failures + b.failures,
    failure: b.failure === '' ? a.failure : b.failure,
    sent: a.sent + b.sent,
    received: a.received + b.received,
    firstSeen: Math.min(a.firstSeen, b.firstSeen),
    lastSeen: Math.max(a.lastSeen, b.lastSeen),
  };
}

const rowOf = (s: Sighting, now: number): EgressRow => ({
  ...s,
  failures: s.failure === '' ? 0 : 1,
  firstSeen: now,
  lastSeen: now,
});

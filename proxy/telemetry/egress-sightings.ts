/** Sightings counted by destination, in bounded memory: what has gathered since they were last taken. */
import { egressKey, egressSum, type EgressRow } from '../core/egress.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import { sightingOf, type Sighting } from './egress-sighting.ts';

/** Counted in where it stands. */
type Row = { -readonly [Field in keyof EgressRow]: EgressRow[Field] };

/** Destinations a worker tells apart between two looks; all others are one row for each verdict. */
const MAX_DESTINATIONS = 500;

/** The row that requests of one authority to one endpoint count in, until `round` is over. */
type Memo = {
  readonly authority: string;
  readonly settings: Cluster | undefined;
  readonly round: number;
  readonly row: Row;
};

export class EgressSightings {
  readonly #limit: number;
  #rows = new Map<string, Row>();
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
  see(s: Sighting, now = Date.now()): Row {
    const row = this.#rows.get(egressKey(s));
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
  merge(row: EgressRow): Row {
    const key = egressKey(row);
    const known = this.#rows.get(key);
    // In place: who holds the row goes on counting in it.
    if (known !== undefined) return Object.assign(known, egressSum(known, row));
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

const rowOf = (s: Sighting, now: number): Row => ({
  ...s,
  failures: s.failure === '' ? 0 : 1,
  firstSeen: now,
  lastSeen: now,
});

/** Traffic that left the mesh, or was kept from it, in the last hour: summed by workload and destination over all proxies. */
import { EGRESS_VERDICTS, egressKey, egressSum, type EgressRow } from '#proxy/core/egress.ts';
import type { EgressReport } from './egress-input.ts';

export type EgressEntry = EgressRow & {
  readonly namespace: string;
  readonly workload: string;
};

export type EgressFilter = {
  readonly namespace?: string | undefined;
  readonly workload?: string | undefined;
  readonly verdict?: EgressRow['verdict'] | undefined;
  /** Seen at this time or later, ms since the epoch. */
  readonly since?: number | undefined;
};

export type EgressLimits = {
  readonly rows: number;
  /** Of one workload: who asks for ever new names pushes out nobody else's. */
  readonly rowsOfWorkload: number;
  /** ms */
  readonly age: number;
};

const LIMITS: EgressLimits = { rows: 10_000, rowsOfWorkload: 1000, age: 3_600_000 };
/** Proxies whose last report is remembered. */
const MAX_PROXIES = 10_000;

export class EgressStore {
  readonly #limits: EgressLimits;
  /** By namespace and workload, then by destination; in each, what was seen last is at the end. */
  readonly #sources = new Map<string, Map<string, EgressEntry>>();
  readonly #last = new Map<string, { readonly run: string; readonly seq: number }>();
  #size = 0;

  constructor(limits: Partial<EgressLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
  }

  get size(): number {
    return this.#size;
  }

  /** `proxy`: `<pod>.<namespace>`. A report that came before is not counted again. */
  accept(proxy: string, { run, seq, workload, rows }: EgressReport, now = Date.now()): void {
    const last = this.#last.get(proxy);
    if (last?.run === run && seq <= last.seq) return;
    this.#last.delete(proxy);
    this.#last.set(proxy, { run, seq });
    if (this.#last.size > MAX_PROXIES) this.#last.delete(this.#last.keys().next().value!);
    const namespace = proxy.slice(proxy.lastIndexOf('.') + 1);
    for (const row of rows) {
      // Clocks of proxies may go ahead; what is seen in the future would never be old.
      this.#add({
        ...row,
        namespace,
        workload,
        lastSeen: Math.min(row.lastSeen, now),
        firstSeen: Math.min(row.firstSeen, now),
      });
    }
    this.#expire(now);
  }

  /** What was blocked first, then what nobody declared; then by workload and destination. */
  list(filter: EgressFilter = {}, now = Date.now()): EgressEntry[] {
    this.#expire(now);
    const found: EgressEntry[] = [];
    for (const rows of this.#sources.values()) {
      for (const row of rows.values()) if (fits(row, filter)) found.push(row);
    }
    return found.sort(
      (a, b) =>
        EGRESS_VERDICTS.indexOf(a.verdict) - EGRESS_VERDICTS.indexOf(b.verdict) ||
        compare(sortKey(a), sortKey(b)) ||
        a.port - b.port,
    );
  }

  clear(): void {
    this.#sources.clear();
    this.#size = 0;
  }

  #add(row: EgressEntry): void {
    const source = `${row.namespace}/${row.workload}`;
    let rows = this.#sources.get(source);
    if (rows === undefined) this.#sources.set(source, (rows = new Map<string, EgressEntry>()));
    const key = egressKey(row);
    const known = rows.get(key);
    if (known === undefined) this.#size++;
    rows.delete(key);
    rows.set(key, known === undefined ? row : egressSum(known, row));
    if (rows.size > this.#limits.rowsOfWorkload) this.#dropFirst(source, rows);
    if (this.#size > this.#limits.rows) this.#makeRoom();
  }

  /** Of the workload that has the most. */
  #makeRoom(): void {
    const [source, rows] = [...this.#sources].reduce((most, one) => (one[1].size > most[1].size ? one : most));
    this.#dropFirst(source, rows);
  }

  #dropFirst(source: string, rows: Map<string, EgressEntry>): void {
    rows.delete(rows.keys().next().value!);
    this.#size--;
    if (rows.size === 0) this.#sources.delete(source);
  }

  #expire(now: number): void {
    for (const [source, rows] of this.#sources) {
      for (const [key, row] of rows) {
        if (row.lastSeen >= now - this.#limits.age) continue;
        rows.delete(key);
        this.#size--;
      }
      if (rows.size === 0) this.#sources.delete(source);
    }
  }
}

/** The name, or else the address; "": neither is known. */
export const destinationOf = ({ host, address }: Pick<EgressRow, 'host' | 'address'>): string =>
  host === '' ? address : host;

const sortKey = (row: EgressEntry): string => `${row.namespace}/${row.workload} ${destinationOf(row)}`;
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const fits = (row: EgressEntry, { namespace, workload, verdict, since = 0 }: EgressFilter): boolean =>
  (namespace === undefined || row.namespace === namespace) &&
  (workload === undefined || row.workload === workload) &&
  (verdict === undefined || row.verdict === verdict) &&
  row.lastSeen >= since;

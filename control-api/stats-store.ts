/** Who called whom in the last hour, summed over all proxies in slots of ten seconds; in bounded memory, whatever is reported. */
import { LATENCY_BUCKETS } from '#proxy/core/latency-buckets.ts';
import { CLASSES, COUNTS, type Counted, type Edge, type StatsReport } from './stats-input.ts';

export type StatsLimits = {
  readonly edges: number;
  /** Of all edges together; with more, what is oldest goes. Each takes some 600 bytes. */
  readonly cells: number;
  /** ms */
  readonly age: number;
};

const LIMITS: StatsLimits = { edges: 2000, cells: 60_000, age: 3_600_000 };
export const SLOT_MS = 10_000;
/** Combinations of flags that one cell tells apart. */
const MAX_FLAGS = 32;
/** Proxies whose last report is remembered. */
const MAX_PROXIES = 10_000;
/** A proxy tells every ten seconds what is open; who has not told for so long is gone, ms. */
const OPEN_FOR_MS = 35_000;

/** What was counted of one edge in one slot. */
export type Cell = {
  /** COUNTS, then classes, then latencies. */
  readonly counts: number[];
  /** By response flags; null: none. */
  flags: Map<string, number> | null;
};
export const CLASSES_AT = COUNTS.length;
export const LATENCY_AT = CLASSES_AT + CLASSES;
const WIDTH = LATENCY_AT + LATENCY_BUCKETS;

type Known = {
  readonly edge: Edge;
  /** Slots it has a cell in. */
  cells: number;
  /** By proxy: connections that are open, and when it said so. */
  readonly open: Map<string, { readonly count: number; readonly at: number }>;
};

/** One edge over a time. */
export type EdgeTotal = { readonly edge: Edge; readonly cell: Cell; readonly open: number };

export class StatsStore {
  readonly #limits: StatsLimits;
  readonly #edges = new Map<string, Known>();
  /** By begin, the oldest first. */
  readonly #slots = new Map<number, Map<Known, Cell>>();
  readonly #last = new Map<string, { readonly run: string; readonly seq: number }>();
  #cells = 0;
  readonly #since = Date.now();
  #lost = 0;

  constructor(limits: Partial<StatsLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
  }

  /** `lost`: rows for which there was no room. */
  get size(): { readonly edges: number; readonly cells: number; readonly lost: number } {
    return { edges: this.#edges.size, cells: this.#cells, lost: this.#lost };
  }

  /** `proxy`: `<pod>.<namespace>`. A report that came before is not counted again. */
  accept(proxy: string, { run, seq, rows }: StatsReport, now = Date.now()): void {
    const last = this.#last.get(proxy);
    if (last?.run === run && seq <= last.seq) return;
    this.#last.delete(proxy);
    this.#last.set(proxy, { run, seq });
    if (this.#last.size > MAX_PROXIES) this.#last.delete(this.#last.keys().next().value!);
    // What its predecessor had open has ended with it.
    if (last !== undefined && last.run !== run) for (const { open } of this.#edges.values()) open.delete(proxy);
    const slot = this.#slot(now);
    for (const row of rows) this.#add(slot, proxy, row, now);
    this.#expire(now);
  }

  /** Of the last `window` ms, and the ms that is really covered: slots are whole. */
  totals(window: number, now = Date.now()): { readonly covered: number; readonly totals: readonly EdgeTotal[] } {
    this.#expire(now);
    const from = slotOf(now - window);
    const sums = new Map<Known, Cell>();
    for (const [begin, cells] of this.#slots) {
      if (begin < from || begin > now) continue;
      for (const [known, cell] of cells) {
        let sum = sums.get(known);
        if (sum === undefined) sums.set(known, (sum = emptyCell()));
        addCell(sum, cell);
      }
    }
    for (const known of this.#edges.values()) {
      if (openOf(known, now) > 0 && !sums.has(known)) sums.set(known, emptyCell());
    }
    const totals = Array.from(sums, ([known, cell]) => ({ edge: known.edge, cell, open: openOf(known, now) }));
    return { covered: Math.max(1, now - Math.max(from, Math.min(this.#since, now - SLOT_MS))), totals };
  }

  #slot(now: number): Map<Known, Cell> {
    const begin = slotOf(now);
    let slot = this.#slots.get(begin);
    if (slot === undefined) this.#slots.set(begin, (slot = new Map<Known, Cell>()));
    return slot;
  }

  #add(slot: Map<Known, Cell>, proxy: string, row: Counted, now: number): void {
    const known = this.#known(row);
    if (known === null) return void (this.#lost += 1);
    if (row.open === 0) known.open.delete(proxy);
    else if (known.open.size < MAX_PROXIES) known.open.set(proxy, { count: row.open, at: now });
    let cell = slot.get(known);
    if (cell === undefined) {
      slot.set(known, (cell = emptyCell()));
      known.cells += 1;
      this.#cells += 1;
    }
    const { counts } = cell;
    for (const [i, name] of COUNTS.entries()) counts[i]! += row[name];
    for (const [i, n] of row.classes.entries()) counts[CLASSES_AT + i]! += n;
    for (const [i, n] of row.latency.entries()) counts[LATENCY_AT + i]! += n;
    addFlags(cell, Object.entries(row.flags));
  }

  /** Null: there are too many, all of them in use. What was seen last is at the end. */
  #known(row: Counted): Known | null {
    const key = keyOf(row);
    let known = this.#edges.get(key);
    if (known === undefined) {
      if (this.#edges.size >= this.#limits.edges && !this.#makeRoom()) return null;
      known = { edge: edgeOf(row), cells: 0, open: new Map() };
    } else this.#edges.delete(key);
    this.#edges.set(key, known);
    return known;
  }

  /** The edge that was not used for longest goes, with all that is kept of it; but none that is used in this slot. */
  #makeRoom(): boolean {
    const [key, known] = this.#edges.entries().next().value!;
    const newest = [...this.#slots.values()].at(-1);
    if (newest?.has(known) === true) return false;
    this.#edges.delete(key);
    for (const slot of this.#slots.values()) if (slot.delete(known)) this.#cells -= 1;
    return true;
  }

  #expire(now: number): void {
    for (const [begin, slot] of this.#slots) {
      const old = begin < now - this.#limits.age - SLOT_MS;
      if (!old && (this.#cells <= this.#limits.cells || this.#slots.size === 1)) break;
      this.#slots.delete(begin);
      this.#cells -= slot.size;
      for (const known of slot.keys()) known.cells -= 1;
    }
    for (const [key, known] of this.#edges) {
      if (known.cells > 0 || openOf(known, now) > 0) break;
      this.#edges.delete(key);
    }
  }
}

const slotOf = (ms: number): number => Math.floor(ms / SLOT_MS) * SLOT_MS;

export const emptyCell = (): Cell => ({ counts: Array.from({ length: WIDTH }, () => 0), flags: null });

export function addCell(to: Cell, more: Cell): void {
  for (let i = 0; i < WIDTH; i++) to.counts[i]! += more.counts[i]!;
  if (more.flags !== null) addFlags(to, more.flags);
}

function addFlags(to: Cell, flags: Iterable<readonly [string, number]>): void {
  for (const [name, n] of flags) {
    to.flags ??= new Map<string, number>();
    if (to.flags.has(name) || to.flags.size < MAX_FLAGS) to.flags.set(name, (to.flags.get(name) ?? 0) + n);
  }
}

function openOf({ open }: Known, now: number): number {
  let sum = 0;
  for (const [proxy, { count, at }] of open) {
    if (now - at > OPEN_FOR_MS) open.delete(proxy);
    else sum += count;
  }
  return sum;
}

const keyOf = ({ reporter, source, destination, pod, service, protocol, route, gateway }: Edge): string =>
  JSON.stringify([reporter, gateway, Object.values(source), Object.values(destination), pod, service, protocol, route]);

const edgeOf = ({ reporter, gateway, source, destination, pod, service, protocol, route }: Edge): Edge => ({
  reporter,
  gateway,
  source,
  destination,
  pod,
  service,
  protocol,
  route,
});

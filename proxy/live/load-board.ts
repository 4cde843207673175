/**
 * How loaded each worker is, in memory that all threads of a proxy share: a row a worker, which that worker alone writes. Others sum
 * the rows (limits that hold for the whole process) or show them (metrics). Whole numbers only.
 */

/** What a row holds. Percentages are 0 … 100, and beyond it when a limit is passed. */
const FIELDS = [
  /** Connections of clients that are open. */
  'connections',
  /** Requests under way. */
  'requests',
  /** The thread's JavaScript heap against its limit, percent. */
  'heap',
  /** Memory of the process against what it may have, percent; 0: no limit is known. */
  'memory',
  /** Requests under way against their limit, percent. */
  'requestPressure',
  /** By how much the event loop is late, ms. */
  'delayMs',
  /** `delayMs` on the way to its upper threshold, percent. */
  'delay',
  /** Responses close their connection: 1. */
  'disableKeepAlive',
  /** Share of new requests that are refused, percent. */
  'refuseRequests',
  /** New connections are refused: 1. */
  'refuseConnections',
] as const;

export type LoadField = (typeof FIELDS)[number];

const AT = Object.fromEntries(FIELDS.map((field, i) => [field, i])) as Record<LoadField, number>;

export class LoadBoard {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Int32Array;
  readonly #taken = new Set<number>();

  /** Of another thread's buffer, or a new one of so many rows. */
  constructor(of: SharedArrayBuffer | number) {
    this.buffer =
      typeof of === 'number' ? new SharedArrayBuffer(of * FIELDS.length * Int32Array.BYTES_PER_ELEMENT) : of;
    this.#cells = new Int32Array(this.buffer);
  }

  get rows(): number {
    return this.#cells.length / FIELDS.length;
  }

  set(row: number, field: LoadField, value: number): void {
    Atomics.store(this.#cells, row * FIELDS.length + AT[field], Math.round(value));
  }

  get(row: number, field: LoadField): number {
    return Atomics.load(this.#cells, row * FIELDS.length + AT[field]);
  }

  /** Over all workers. */
  sum(field: LoadField): number {
    let sum = 0;
    for (let at = AT[field]; at < this.#cells.length; at += FIELDS.length) sum += Atomics.load(this.#cells, at);
    return sum;
  }

  /** Of the worker that has most of it. */
  highest(field: LoadField): number {
    let highest = 0;
    for (let at = AT[field]; at < this.#cells.length; at += FIELDS.length) {
      highest = Math.max(highest, Atomics.load(this.#cells, at));
    }
    return highest;
  }

  /** A row for a new worker, for whoever hands them out. When there is none left, two share the last: they show less than there is. */
  take(): number {
    let row = 0;
    while (row < this.rows - 1 && this.#taken.has(row)) row++;
    this.#taken.add(row);
    return row;
  }

  /** The worker of this row is gone, and all it held with it. */
  giveBack(row: number): void {
    this.#taken.delete(row);
    for (const field of FIELDS) this.set(row, field, 0);
  }
}

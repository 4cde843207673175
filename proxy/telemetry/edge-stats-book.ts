/** What the main thread gathers of edges: summed over the workers until it is told to the control API. */
import { addRow, keyOf, zeroRow, type EdgeRow } from './edge-stats-row.ts';
import { Courier, type CourierOptions } from './report-courier.ts';

/** Edges that wait to be told; a worker tells at most 500. */
const MAX_UNSENT = 1000;

export class EdgeBook {
  readonly #courier: Courier<EdgeRow> | null;
  readonly #unsent = new Map<string, EdgeRow>();
  /** Open connections by edge, then by worker. */
  readonly #open = new Map<string, Map<number, number>>();

  constructor(options: CourierOptions<EdgeRow>) {
    this.#courier = options.send === null ? null : new Courier(options, () => this.#take());
  }

  /** What one worker has counted since it told last. What there is no room for while nobody listens is lost. */
  add(worker: number, rows: readonly EdgeRow[]): void {
    if (this.#courier === null) return;
    for (const row of rows) {
      const key = keyOf(row);
      this.#noteOpen(key, worker, row.open);
      let kept = this.#unsent.get(key);
      if (kept === undefined) {
        if (this.#unsent.size >= MAX_UNSENT) continue;
        this.#unsent.set(key, (kept = zeroRow(row)));
      }
      addRow(kept, row);
    }
    this.#courier.wake();
  }

  /** Its connections have ended with it. */
  gone(worker: number): void {
    for (const [key, open] of this.#open) if (open.delete(worker) && open.size === 0) this.#open.delete(key);
  }

  /** Sends what is not sent yet, and then no more. */
  async close(): Promise<void> {
    await this.#courier?.close();
  }

  #noteOpen(key: string, worker: number, count: number): void {
    const open = this.#open.get(key);
    if (count > 0) {
      if (open === undefined) this.#open.set(key, new Map([[worker, count]]));
      else open.set(worker, count);
    } else if (open?.delete(worker) === true && open.size === 0) this.#open.delete(key);
  }

  #take(): EdgeRow[] {
    const rows = [...this.#unsent].map(([key, row]) => {
      row.open = [...(this.#open.get(key)?.values() ?? [])].reduce((sum, n) => sum + n, 0);
      return row;
    });
    this.#unsent.clear();
    return rows;
  }
}

/** Requests counted by who called whom with which method and path; in bounded memory, whatever the paths are. */
import type { TapEvent } from '#proxy/snapshot/tap.ts';
import { plain } from './hop.ts';
import { partyName } from './tap.ts';

export type TopRow = {
  readonly source: string;
  readonly destination: string;
  /** `TCP` of connections. */
  readonly method: string;
  readonly path: string;
  count: number;
  /** Durations, ms. */
  best: number;
  worst: number;
  last: number;
  failed: number;
  /** 0 … 1 */
  success: number;
};

const MAX_ROWS = 1000;

export class TopTable {
  readonly #rows = new Map<string, TopRow>();
  seen = 0;
  /** Requests that were not told of, because there were too many. */
  skipped = 0;

  get size(): number {
    return this.#rows.size;
  }

  add(event: TapEvent): void {
    this.seen += 1;
    const source = partyName(event.source);
    const destination = partyName(event.destination, event.service);
    const method = event.method === '' ? 'TCP' : plain(event.method);
    const path = event.path === '' ? plain(event.authority) : plain(template(event.path));
    const key = JSON.stringify([source, destination, method, path]);
    let row = this.#rows.get(key);
    if (row === undefined) {
      if (this.#rows.size >= MAX_ROWS) this.#makeRoom();
      row = { source, destination, method, path, count: 0, best: Infinity, worst: 0, last: 0, failed: 0, success: 1 };
    } else this.#rows.delete(key);
    // At the end is what was called last.
    this.#rows.set(key, row);
    row.count += 1;
    row.best = Math.min(row.best, event.duration);
    row.worst = Math.max(row.worst, event.duration);
    row.last = event.duration;
    if (event.status >= 500 || (event.status === 0 && event.flags !== '' && event.flags !== 'DC')) row.failed += 1;
    row.success = (row.count - row.failed) / row.count;
  }

  /** The busiest first. */
  rows(most: number): TopRow[] {
    return [...this.#rows.values()].sort((a, b) => b.count - a.count || (a.path < b.path ? -1 : 1)).slice(0, most);
  }

  /** Of those not called for longest, the one with the fewest calls goes: who makes up paths pushes out nothing that is busy. */
  #makeRoom(): void {
    let least: readonly [string, number] | null = null;
    let looked = 0;
    for (const [key, { count }] of this.#rows) {
      if (least === null || count < least[1]) least = [key, count];
      if (++looked >= 50 || count === 1) break;
    }
    this.#rows.delete(least![0]);
  }
}

/** `/reviews/0?page=2` → `/reviews/*`: numbers, UUIDs and long hexadecimal parts stand for something; queries are left out. */
export function template(path: string): string {
  const query = path.indexOf('?');
  return (query < 0 ? path : path.slice(0, query))
    .split('/')
    .map((part) => (VARIABLE.test(part) ? '*' : part))
    .join('/');
}

const VARIABLE = /^(?:\d+|[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}|[\da-f]{12,})$/i;

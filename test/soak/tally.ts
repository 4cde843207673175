/** What came of all requests: by kind, by outcome, how long it took; wrong ones with their words. */
import type { Judgement } from './judge.ts';

const KEPT = 100;
/** Histogram borders, ms: each 1.25 times the one before, from 0.1 ms to a minute. */
const BORDERS = Array.from({ length: 60 }, (_, i) => 0.1 * 1.25 ** i);

export class Tally {
  requests = 0;
  right = 0;
  explained = 0;
  wrong = 0;
  /** `kind: outcome` → how often. */
  readonly classes: Record<string, number> = {};
  readonly wrongs: string[] = [];
  readonly #times = new Float64Array(BORDERS.length + 1);

  add(kind: string, { kind: verdict, what }: Judgement, id: string): void {
    this.requests++;
    this[verdict]++;
    this.count(`${kind}: ${verdict}${what === '' ? '' : `, ${what}`}`);
    if (verdict === 'wrong') this.complain(`${kind} ${id}: ${what}`);
  }

  /** Something wrong that is not the answer to one request. */
  complain(what: string): void {
    if (this.wrongs.length < KEPT) this.wrongs.push(`${new Date().toISOString()} ${what}`);
    if (this.wrongs.length <= 20) console.log(`WRONG ${what.slice(0, 1000)}`);
  }

  count(name: string): void {
    this.classes[name] = (this.classes[name] ?? 0) + 1;
  }

  time(ms: number): void {
    const i = BORDERS.findIndex((border) => ms <= border);
    const at = i < 0 ? BORDERS.length : i;
    this.#times[at]!++;
  }

  /** Upper border of the class the quantile falls into, ms. */
  quantile(q: number): number {
    const all = this.#times.reduce((a, b) => a + b, 0);
    let sum = 0;
    for (const [i, n] of this.#times.entries()) if ((sum += n) >= all * q) return BORDERS[i] ?? Infinity;
    return 0;
  }
}

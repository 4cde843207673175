/**
 * A distribution in consecutive slots of a shared page: one count a bucket (not cumulative), then the one above the last bound,
 * then the sum. One thread writes it; others may read it at any time.
 */

/** Envoy's default upper bounds, which Istio keeps, for milliseconds and for bytes (Envoy: config.metrics.v3.StatsConfig). */
export const ENVOY_BUCKETS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

/** Slots that a histogram with these bounds takes. */
export const histogramWidth = (bounds: readonly number[]): number => bounds.length + 2;

export class Histogram {
  readonly #page: Float64Array;
  readonly #at: number;
  readonly #bounds: readonly number[];
  readonly #slot: number;

  /** `bounds`: upper bounds, inclusive, ascending. `slot`: the number of its first among all slots of its writer. */
  constructor(page: Float64Array, at: number, bounds: readonly number[], slot = at) {
    this.#page = page;
    this.#at = at;
    this.#bounds = bounds;
    this.#slot = slot;
  }

  /** The slot that a value is counted in. */
  slotOf(value: number): number {
    const above = this.#bounds.findIndex((bound) => value <= bound);
    return this.#slot + (above < 0 ? this.#bounds.length : above);
  }

  /** A value that is no number or below 0 counts as 0: one bad clock reading must not spoil the sum for good. */
  record(value: number): void {
    const v = value > 0 ? value : 0;
    const bounds = this.#bounds;
    let i = 0;
    // Most requests are short and small, so the search from below ends after a few steps.
    while (i < bounds.length && v > bounds[i]!) i++;
    this.#page[this.#at + i]! += 1;
    this.#page[this.#at + bounds.length + 1]! += v;
  }
}

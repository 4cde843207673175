/** A number that was set last, and when, in two slots of a shared page. One thread writes it; of several writers the latest counts. */

/** Slots that a gauge takes. */
export const GAUGE_WIDTH = 2;

export class Gauge {
  readonly #page: Float64Array;
  readonly #at: number;

  constructor(page: Float64Array, at: number) {
    this.#page = page;
    this.#at = at;
  }

  /** `time`: by a clock that all writers share, such as ms since 1970. */
  set(value: number, time: number): void {
    this.#page[this.#at] = value;
    this.#page[this.#at + 1] = time;
  }
}

/** Turns the monotonic times of exchanges into times of day, for logs and spans. */

export class WallClock {
  readonly #now: () => number;
  readonly #monotonic: () => number;
  #offset = 0;
  #checkedMs = Number.NEGATIVE_INFINITY;
  #second = Number.NaN;
  #prefix = '';

  /** `now`: ms since the epoch. `monotonic`: the clock exchanges are stamped with, ms. */
  constructor(now: () => number = Date.now, monotonic: () => number = () => performance.now()) {
    this.#now = now;
    this.#monotonic = monotonic;
  }

  /** ms since the epoch, with a fraction. The clocks are compared once a second, so that a corrected system clock is followed. */
  epochMs(monotonicMs: number): number {
    if (monotonicMs - this.#checkedMs > 1000 || monotonicMs < this.#checkedMs - 60_000) {
      this.#offset = this.#now() - this.#monotonic();
      this.#checkedMs = monotonicMs;
    }
    return monotonicMs + this.#offset;
  }

  /** `2026-11-21T07:05:12.345Z`. Only the milliseconds are new from one request to the next. */
  iso(monotonicMs: number): string {
    const ms = Math.floor(this.epochMs(monotonicMs));
    const second = Math.floor(ms / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#prefix = new Date(second * 1000).toISOString().slice(0, 20);
    }
    const rest = ms - second * 1000;
    return `${this.#prefix}${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}Z`;
  }
}

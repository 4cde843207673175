/** A number that only grows, in one slot of a shared page. One thread writes it; others may read it at any time. */

export class Counter {
  readonly #page: Float64Array;
  readonly #at: number;
  /** Its number among all slots of its writer. */
  readonly slot: number;

  constructor(page: Float64Array, at: number, slot = at) {
    this.#page = page;
    this.#at = at;
    this.slot = slot;
  }

  add(n: number): void {
    this.#page[this.#at]! += n;
  }

  get value(): number {
    return this.#page[this.#at]!;
  }
}

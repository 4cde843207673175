/**
 * The delay that stands: the middle one of the last three. A pause of the garbage collector or of the machine makes one delay long, a
 * queue makes all of them long (CoDel, RFC 8289 section 3, tells a burst from a standing queue for the same reason).
 */
export class StandingDelay {
  #last: readonly number[] = [0, 0, 0];
  /** ms */
  ms = 0;

  add(ms: number): void {
    this.#last = [this.#last[1]!, this.#last[2]!, ms];
    this.ms = this.#last.toSorted((a, b) => a - b)[1]!;
  }

  forget(): void {
    this.#last = [0, 0, 0];
    this.ms = 0;
  }
}

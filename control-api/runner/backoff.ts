/** How long to wait before starting a container again: at once, then 10 s doubling to 5 min (kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle). */

export class Backoff {
  #next = 0;

  /** Milliseconds to wait after a run of `ranMs`. A container that ran for ten minutes starts from the beginning. */
  after(ranMs: number): number {
    if (ranMs >= 600_000) this.#next = 0;
    const wait = this.#next;
    this.#next = wait === 0 ? 10_000 : Math.min(wait * 2, 300_000);
    return wait;
  }
}

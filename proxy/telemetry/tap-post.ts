/** Brings to the control API what the workers tell of taps: one message at a time; what there is no room for meanwhile is only counted. */
import type { TapBatch, TapEvent } from '../snapshot/tap.ts';

/** Events of one tap that wait. */
const MOST_WAITING = 300;

export class TapPost {
  readonly #send: (batches: readonly TapBatch[]) => Promise<unknown>;
  readonly #waiting = new Map<string, { events: TapEvent[]; skipped: number }>();
  #sending = false;

  /** `send` never rejects; what does not arrive is lost. */
  constructor(send: (batches: readonly TapBatch[]) => Promise<unknown>) {
    this.#send = send;
  }

  add(batches: readonly TapBatch[]): void {
    for (const { id, events, skipped } of batches) {
      let one = this.#waiting.get(id);
      if (one === undefined) this.#waiting.set(id, (one = { events: [], skipped: 0 }));
      const room = MOST_WAITING - one.events.length;
      one.events.push(...events.slice(0, room));
      one.skipped += skipped + Math.max(0, events.length - room);
    }
    if (!this.#sending) void this.#run();
  }

  async #run(): Promise<void> {
    this.#sending = true;
    while (this.#waiting.size > 0) {
      const batches = Array.from(this.#waiting, ([id, one]) => ({ id, ...one }));
      this.#waiting.clear();
      await this.#send(batches);
    }
    this.#sending = false;
  }
}

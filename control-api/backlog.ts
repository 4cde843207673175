/** The latest changes, for watchers that come back: bounded in number and in what they hold in memory. */
import type { StoreEvent } from './store.ts';

export type BacklogLimits = {
  /** How many changes a watcher can lag behind before it must list again. */
  readonly events: number;
  /** Characters of JSON that the kept changes may hold together. */
  readonly characters: number;
};

const LIMITS: BacklogLimits = { events: 5000, characters: 64 * 1024 * 1024 };

export class Backlog {
  readonly #limits: BacklogLimits;
  #events: { readonly event: StoreEvent; readonly characters: number }[] = [];
  #characters = 0;
  /** The revision before the oldest event that is kept. */
  #horizon: number;

  /** `revision`: of the newest change before the first that will be pushed. */
  constructor(revision: number, limits = LIMITS) {
    this.#horizon = revision;
    this.#limits = limits;
  }

  /** `characters`: of the resource as JSON. */
  push(event: StoreEvent, characters: number): void {
    this.#events.push({ event, characters });
    this.#characters += characters;
    const { events, characters: most } = this.#limits;
    // A fifth more before it is cut, so that not every change moves them all.
    if (this.#events.length <= events * 1.2 && this.#characters <= most * 1.2) return;
    let dropped = 0;
    while (this.#events.length - dropped > events || this.#characters > most) {
      const oldest = this.#events[dropped++]!;
      this.#characters -= oldest.characters;
      this.#horizon = oldest.event.revision;
    }
    this.#events = this.#events.slice(dropped);
  }

  /** Oldest first; null when they are not kept any more. */
  since(revision: number): readonly StoreEvent[] | null {
    if (revision < this.#horizon) return null;
    return this.#events.slice(this.#firstAfter(revision)).map(({ event }) => event);
  }

  /** Events are in order. */
  #firstAfter(revision: number): number {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#events[middle]!.event.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

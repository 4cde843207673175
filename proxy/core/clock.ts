/** The one source of time, and the one coarse timer for everything that may take too long. */

/** A pending timer. Cancelling one that has fired, or was cancelled, does nothing. */
export type Timer = { cancel(): void };

export type Clock = {
  /** Milliseconds since an arbitrary moment; never goes back (`performance.now()`). */
  now(): number;
  /**
   * Calls `fn(arg)` once, no sooner than after `ms`, and about 10 ms late at worst. The argument spares callers a closure.
   * Does not keep the process alive.
   */
  add<T>(ms: number, fn: (arg: T) => void, arg: T): Timer;
};

/** Length of a tick of the wheel, ms. */
const TICK = 10;
/** Power of two. 20 s in one turn: the usual timeouts never wait for a second one. */
const SLOTS = 2048;

/**
 * A hashed timer wheel: adding and cancelling cost the same however many timers there are. One `setTimeout` serves all, armed for
 * the next slot that holds a timer, so that a mesh at rest does not wake up a hundred times a second.
 */
export function wheelClock(now: () => number = () => performance.now()): Clock {
  return new Wheel(now);
}

/** A doubly linked ring per slot; a slot is its own sentinel. */
class Node implements Timer {
  next: Node = this;
  previous: Node = this;
  /** Tick at which it is due. */
  due = 0;
  fn: ((arg: never) => void) | null = null;
  arg: unknown = undefined;

  cancel(): void {
    this.fn = null;
    this.arg = undefined;
    this.unlink();
  }

  /** To the end of another ring. */
  moveTo(ring: Node): void {
    this.unlink();
    this.previous = ring.previous;
    this.next = ring;
    ring.previous.next = this;
    ring.previous = this;
  }

  unlink(): void {
    this.previous.next = this.next;
    this.next.previous = this.previous;
    this.next = this;
    this.previous = this;
  }
}

class Wheel implements Clock {
  readonly #now: () => number;
  readonly #slots: readonly Node[] = Array.from({ length: SLOTS }, () => new Node());
  readonly #wake = (): void => this.#turn();
  /** Every tick up to this one has been served. */
  #served: number;
  #armed: NodeJS.Timeout | null = null;
  #armedFor = 0;

  constructor(now: () => number) {
    this.#now = now;
    this.#served = Math.floor(now() / TICK);
  }

  now(): number {
    return this.#now();
  }

  add<T>(ms: number, fn: (arg: T) => void, arg: T): Timer {
    const node = new Node();
    node.fn = fn;
    node.arg = arg;
    // Not before the tick after the last one served, or it would wait for a whole turn.
    node.due = Math.max(Math.ceil((this.#now() + Math.max(ms, 0)) / TICK), this.#served + 1);
    const slot = this.#slots[node.due & (SLOTS - 1)]!;
    node.moveTo(slot);
    if (this.#armed === null || node.due < this.#armedFor) this.#arm(node.due);
    return node;
  }

  #arm(tick: number): void {
    if (this.#armed !== null) clearTimeout(this.#armed);
    this.#armedFor = tick;
    this.#armed = setTimeout(this.#wake, Math.max(1, Math.ceil(tick * TICK - this.#now())));
    this.#armed.unref();
  }

  #turn(): void {
    this.#armed = null;
    const until = Math.floor(this.#now() / TICK);
    // After a long stop one turn meets every slot; there is no need for more.
    const first = Math.max(this.#served + 1, until - SLOTS + 1);
    this.#served = Math.max(this.#served, until);
    for (let tick = first; tick <= until; tick++) this.#fire(this.#slots[tick & (SLOTS - 1)]!, until);
    this.#rearm(until);
  }

  /** What is due later (another turn) stays. What is due leaves the wheel first: timers may add and cancel others while they run. */
  #fire(slot: Node, until: number): void {
    const due = new Node();
    for (let node = slot.next; node !== slot;) {
      const { next } = node;
      if (node.due <= until) node.moveTo(due);
      node = next;
    }
    while (due.next !== due) {
      const { fn, arg } = due.next;
      due.next.cancel();
      fn?.(arg as never);
    }
  }

  #rearm(from: number): void {
    if (this.#armed !== null) return;
    for (let tick = from + 1; tick <= from + SLOTS; tick++) {
      const slot = this.#slots[tick & (SLOTS - 1)]!;
      if (slot.next !== slot) return this.#arm(tick);
    }
  }
}

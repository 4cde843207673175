/**
 * The overload monitor of one worker, after Envoy's overload manager: resources become pressures, pressures become actions. It looks
 * a few times a second; a request costs two additions and three comparisons.
 */
import { chance, type Random } from '../core/random.ts';
import type { LoadBoard } from '../live/load-board.ts';
import type { DelayProbe } from './delay-probe.ts';
import type { ListenerLimits } from './limits.ts';
import type { MemoryReading } from './memory-reading.ts';
import { StandingDelay } from './standing-delay.ts';

/** How often memory is looked at while requests come, ms (Envoy's refresh_interval in its example). */
const REFRESH_MS = 250;

/** How often the event loop is looked at while it has much to do, and while it has little, ms: a look wakes it up, which costs as much as a request. */
const LOOK_MS = 25;
const RARE_LOOK_MS = 500;

/** How long a delay is believed to stand, ms. */
const STALE_MS = 2000;

export type OverloadParts = {
  readonly readMemory: () => MemoryReading;
  /** Looks only while requests come. */
  readonly probe: (onDelay: (ms: number) => void) => DelayProbe;
  readonly random: Random;
  /** `performance.now()`. */
  readonly now: () => number;
  /** Where others see the worker's state, and its row there. */
  readonly board: LoadBoard;
  readonly row: number;
  /** New connections are to be refused from now on, or are welcome again. */
  readonly onRefuseConnections: (refuse: boolean) => void;
};

export class Overload {
  readonly #limits: ListenerLimits;
  readonly #parts: OverloadParts;
  readonly #probe: DelayProbe;
  readonly #delay = new StandingDelay();
  /** Requests under way. */
  #active = 0;
  /** `performance.now()`: of the next look at the event loop, and of the last answer. */
  #nextLook: number;
  #nextRareLook = 0;
  #delayAt = 0;
  #memoryAt = Number.NEGATIVE_INFINITY;
  /** Share of its limit that is taken, of whichever memory is shorter. */
  #memory = 0;
  #disableKeepAlive = false;
  #refuseConnections = false;
  /** Share of new requests to refuse, 0 … 1. */
  #refuse = 0;
  /** The resource that asks for it. */
  #why = '';

  constructor(limits: ListenerLimits, parts: OverloadParts) {
    this.#limits = limits;
    this.#parts = parts;
    this.#probe = parts.probe((ms) => this.#onDelay(ms));
    this.#nextLook = limits.overload.delay[0] === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : 0;
  }

  /** A request is there; `end` is called once when it is over. `startMs`: when it came, `performance.now()`. */
  begin(startMs: number): void {
    this.#active++;
    // No timer: who sleeps is not woken, and a timer would be late itself.
    if (startMs < this.#nextLook) return;
    if (this.#active >= this.#limits.overload.delayFrom || startMs >= this.#nextRareLook) this.#look();
  }

  end(): void {
    this.#active--;
  }

  /** Whether the request that was just begun is to be refused: why, as half a sentence; or null. */
  refusal(): string | null {
    if (this.#active > this.#limits.maxRequests) return `it has ${this.#limits.maxRequests} requests under way`;
    if (this.#refuse === 0) return null;
    return this.#refuse >= 1 || chance(this.#parts.random, this.#refuse * 100) ? this.#why : null;
  }

  /** Responses are to close their connection. */
  get disableKeepAlive(): boolean {
    return this.#disableKeepAlive;
  }

  /** To be called now and then, also when nothing happens. `now`: `performance.now()`. */
  sweep(now: number): void {
    if (now - this.#memoryAt >= REFRESH_MS) this.#lookAtMemory(now);
    this.#forgetWhatIsOld(now);
    this.#publish();
  }

  close(): void {
    this.#probe.close();
  }

  #look(): void {
    const now = this.#parts.now();
    this.#nextLook = now + LOOK_MS;
    this.#nextRareLook = now + RARE_LOOK_MS;
    this.#forgetWhatIsOld(now);
    this.#probe.look();
  }

  #onDelay(ms: number): void {
    const now = this.#parts.now();
    this.#delayAt = now;
    this.#delay.add(ms);
    if (now - this.#memoryAt >= REFRESH_MS) this.#lookAtMemory(now);
    else this.#decide();
    this.#publish();
  }

  /** Nobody came for a while: what was measured before says nothing of who comes now. */
  #forgetWhatIsOld(now: number): void {
    if (this.#delay.ms === 0 || now - this.#delayAt < STALE_MS) return;
    this.#delay.forget();
    this.#decide();
  }

  #lookAtMemory(now: number): void {
    this.#memoryAt = now;
    const { heap, process } = this.#parts.readMemory();
    this.#memory = Math.max(heap, process);
    this.#set('heap', heap * 100);
    this.#set('memory', process * 100);
    this.#decide();
  }

  #decide(): void {
    const { overload } = this.#limits;
    const memory = this.#memory;
    this.#disableKeepAlive = memory >= overload.disableKeepAlive;
    const refuse = memory >= overload.refuseConnections;
    if (refuse !== this.#refuseConnections) {
      this.#refuseConnections = refuse;
      this.#parts.onRefuseConnections(refuse);
    }
    const byDelay = this.#active >= overload.delayFrom ? scaled(this.#delay.ms, overload.delay) : 0;
    this.#set('delay', byDelay * 100);
    if (memory >= overload.refuseRequests) {
      this.#refuse = 1;
      this.#why = `${Math.round(memory * 100)} % of its memory is taken`;
    } else {
      this.#refuse = byDelay;
      if (byDelay > 0) this.#why = `a request waits ${Math.round(this.#delay.ms)} ms for its turn`;
    }
  }

  #publish(): void {
    this.#set('requests', this.#active);
    this.#set('requestPressure', (this.#active / this.#limits.maxRequests) * 100);
    this.#set('delayMs', this.#delay.ms);
    this.#set('disableKeepAlive', this.#disableKeepAlive ? 1 : 0);
    this.#set('refuseRequests', this.#active >= this.#limits.maxRequests ? 100 : this.#refuse * 100);
    this.#set('refuseConnections', this.#refuseConnections ? 1 : 0);
  }

  #set(field: Parameters<LoadBoard['set']>[1], value: number): void {
    this.#parts.board.set(this.#parts.row, field, value);
  }
}

/** Envoy's scaled trigger: 0 up to the first threshold, 1 from the second on, evenly in between. */
function scaled(value: number, [from, to]: readonly [number, number]): number {
  if (value <= from) return 0;
  return value >= to ? 1 : (value - from) / (to - from);
}

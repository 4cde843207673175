/** Who looks at single requests: proxies are told, and what they tell goes to whoever asked, at a bounded rate. */
import type { TapBatch, TapEvent, TapFilter, TapOrder } from '#proxy/snapshot/tap.ts';
import type { Sink } from './kube/watch.ts';
import { StatusError } from './kube/status-error.ts';

/** What it needs of the proxies. */
export type Tapped = {
  /** To every one that is connected. */
  broadcast(text: string): void;
  /** `<pod>.<namespace>` */
  isConnected(proxy: string): boolean;
  /** How many are. */
  readonly connected: number;
};

export type TapWish = {
  readonly filter: TapFilter;
  /** Requests a second at most. */
  readonly rate: number;
  /** What both ends see is told by the caller's end alone. */
  readonly once: boolean;
};

/** One line of the answer. */
export type TapLine =
  | { readonly kind: 'started'; readonly proxies: number }
  | ({ readonly kind: 'request'; readonly proxy: string } & TapEvent)
  /** So many more there were than the rate allows. */
  | { readonly kind: 'skipped'; readonly count: number }
  | { readonly kind: 'ping' };

type Open = TapWish & { readonly sink: Sink; skipped: number; second: number; told: number };

const MOST_TAPS = 16;
const PING_MS = 10_000;
const TICK_MS = 500;

export class TapHub {
  readonly #proxies: Tapped;
  readonly #open = new Map<string, Open>();
  #next = 1;
  #timer: NodeJS.Timeout | null = null;
  #ticks = 0;

  constructor(proxies: Tapped) {
    this.#proxies = proxies;
  }

  /** What a proxy that connects is told; "": nobody looks. */
  greeting(): string {
    return this.#open.size === 0 ? '' : this.#orders();
  }

  /** Throws TooManyRequests. */
  check(): void {
    if (this.#open.size >= MOST_TAPS)
      throw new StatusError(429, 'TooManyRequests', `${MOST_TAPS} taps are open; end one of them first`);
  }

  /** Returns what ends it. */
  open(wish: TapWish, sink: Sink): () => void {
    const id = `${Date.now().toString(36)}-${this.#next++}`;
    this.#open.set(id, { ...wish, sink, skipped: 0, second: 0, told: 0 });
    sink.write(lineOf({ kind: 'started', proxies: this.#proxies.connected }));
    this.#proxies.broadcast(this.#orders());
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref();
    return () => {
      this.#open.delete(id);
      this.#proxies.broadcast(this.#orders());
      if (this.#open.size > 0 || this.#timer === null) return;
      clearInterval(this.#timer);
      this.#timer = null;
    };
  }

  /** What a proxy tells. Of taps that are over, nothing is kept. */
  accept(proxy: string, batches: readonly TapBatch[], now = Date.now()): void {
    for (const { id, events, skipped } of batches) {
      const tap = this.#open.get(id);
      if (tap === undefined) continue;
      tap.skipped += skipped;
      for (const event of events) this.#tell(tap, proxy, event, now);
    }
  }

  close(): void {
    for (const { sink } of this.#open.values()) sink.end();
  }

  #tell(tap: Open, proxy: string, event: TapEvent, now: number): void {
    if (tap.once && event.direction === 'inbound' && this.#isToldBySource(tap, event)) return;
    if (now - tap.second >= 1000) {
      tap.second = now;
      tap.told = 0;
    }
    if (tap.told++ < tap.rate) tap.sink.write(lineOf({ kind: 'request', proxy, ...event }));
    else tap.skipped += 1;
  }

  /** Its caller has a proxy, which is asked, too. */
  #isToldBySource({ filter }: Open, { source }: TapEvent): boolean {
    if (filter.namespace !== null && filter.namespace !== source.namespace) return false;
    if (filter.workload !== null && filter.workload !== source.workload) return false;
    return source.pod !== '' && this.#proxies.isConnected(`${source.pod}.${source.namespace}`);
  }

  #tick(): void {
    this.#ticks += 1;
    const ping = (this.#ticks * TICK_MS) % PING_MS === 0;
    for (const tap of this.#open.values()) {
      if (tap.skipped > 0) tap.sink.write(lineOf({ kind: 'skipped', count: tap.skipped }));
      else if (ping) tap.sink.write(lineOf({ kind: 'ping' }));
      tap.skipped = 0;
    }
  }

  #orders(): string {
    const taps: TapOrder[] = Array.from(this.#open, ([id, { filter }]) => ({ id, filter }));
    return `${JSON.stringify({ kind: 'taps', taps })}\n`;
  }
}

const lineOf = (line: TapLine): string => `${JSON.stringify(line)}\n`;

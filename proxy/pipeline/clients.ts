/** The clients of a worker that are served as HTTP, or of which it is not known yet what they speak: who is there, and who has to go. */
import type { Socket } from 'node:net';
import type { Http1Downstream } from '../listener/http1.ts';
import type { Direction } from '../live/exchange.ts';

/** Who is left: connections of callers, connections of the application, and when that was last seen to call out (`performance.now()`). */
export type Left = { readonly callers: number; readonly calls: number; readonly calledMs: number };

export class Clients {
  readonly #served = new Map<Http1Downstream, Direction>();
  readonly #awaited = new Map<Socket, { readonly direction: Direction; readonly sinceMs: number }>();
  /** Whom new and open connections are asked to leave: `Connection: close` on their next response. */
  #leaving: 'nobody' | 'callers' | 'everybody' = 'nobody';
  /** Kept while draining. */
  #calledMs = 0;

  /** It is served from now on. */
  add(connection: Http1Downstream, direction: Direction): void {
    this.#served.set(connection, direction);
  }

  /** What it may have said already is known to it. */
  welcome(connection: Http1Downstream, direction: Direction): void {
    if (this.#leaving === 'nobody') return;
    this.#ask(connection, direction, Infinity);
    if (direction === 'outbound') this.#calledMs = performance.now();
  }

  delete(connection: Http1Downstream): void {
    this.#served.delete(connection);
  }

  /** Its first bytes are awaited. The returned function says that they came, or never will. */
  await(socket: Socket, direction: Direction): () => void {
    this.#awaited.set(socket, { direction, sinceMs: performance.now() });
    return () => this.#awaited.delete(socket);
  }

  sweep(now: number): void {
    for (const connection of this.#served.keys()) connection.sweep(now);
  }

  /**
   * Asks clients to go: `callers` come from outside, `everybody` is the application, too. Those that are idle for `idleMs` go at once, and
   * those that have not said a byte for so long. Call it again until nobody is left.
   */
  leave(who: 'callers' | 'everybody', idleMs: number): void {
    this.#leaving = who;
    for (const [connection, direction] of this.#served) this.#ask(connection, direction, idleMs);
    const before = performance.now() - idleMs;
    for (const [socket, { direction, sinceMs }] of this.#awaited) {
      if (sinceMs <= before && socket.bytesRead === 0 && this.#concerns(direction)) socket.destroy();
    }
  }

  get left(): Left {
    let calls = 0;
    for (const direction of this.#served.values()) if (direction === 'outbound') calls++;
    for (const { direction } of this.#awaited.values()) if (direction === 'outbound') calls++;
    return { callers: this.#served.size + this.#awaited.size - calls, calls, calledMs: this.#calledMs };
  }

  /** Cuts connections: all, or those whose handler threw. What was asked on them is reported. */
  cut(which: 'all' | 'stuck'): void {
    for (const connection of this.#served.keys())
      if (which === 'all' || connection.now === 'stuck') connection.socket.destroy();
    if (which === 'all') for (const socket of this.#awaited.keys()) socket.destroy();
  }

  #ask(connection: Http1Downstream, direction: Direction, idleMs: number): void {
    if (direction === 'outbound') this.#calledMs = connection.now === 'idle' ? this.#calledMs : performance.now();
    if (this.#concerns(direction)) connection.drain(idleMs);
  }

  #concerns(direction: Direction): boolean {
    return direction !== 'outbound' || this.#leaving === 'everybody';
  }
}

/** Passes on what is not ours to the resolvers of the system: one after the other, with a deadline, so many at a time. */
import { ask, type Ask, type Transport } from './ask.ts';
import { RCODE } from './codes.ts';
import type { Query } from './query.ts';
import type { Server } from './resolv-conf.ts';

/** What came of it. Null: no upstream answered, or too many questions are under way. */
export type Forwarded = { readonly reply: Buffer | null; readonly result: 'forwarded' | 'failed' | 'overloaded' };

export type ForwarderOptions = {
  readonly servers: readonly Server[];
  /** For all tries together, ms; 5 s, as libc waits for one (resolv.conf, `timeout`). */
  readonly deadlineMs?: number;
  /** Questions under way. */
  readonly limit?: number;
};

/** Each has a socket for every try: at most four times as many descriptors. */
const MOST_QUERIES = 256;
const MOST_TRIES = 4;

export class Forwarder {
  readonly #servers: readonly Server[];
  readonly #deadlineMs: number;
  readonly #limit: number;
  readonly #running = new Set<Running>();
  #closed = false;

  constructor({ servers, deadlineMs = 5000, limit = MOST_QUERIES }: ForwarderOptions) {
    this.#servers = servers;
    this.#deadlineMs = deadlineMs;
    this.#limit = limit;
  }

  /** Questions under way. */
  get active(): number {
    return this.#running.size;
  }

  /** There is somebody to ask. */
  get able(): boolean {
    return this.#servers.length > 0;
  }

  /** `done` is called once, later or at once; never after `close`. */
  forward(query: Query, transport: Transport, done: (forwarded: Forwarded) => void): void {
    if (this.#closed) return;
    if (!this.able) return done({ reply: null, result: 'failed' });
    if (this.#running.size >= this.#limit) return done({ reply: null, result: 'overloaded' });
    const running = new Running(query, transport, this.#servers, this.#deadlineMs, (reply) => {
      this.#running.delete(running);
      done({ reply, result: reply === null ? 'failed' : 'forwarded' });
    });
    this.#running.add(running);
    running.start();
  }

  /** Whether a question that came from `port` is one we sent: then somebody leads our own questions back to us. */
  isOurs(port: number, id: number): boolean {
    for (const running of this.#running) if (running.asks(port, id)) return true;
    return false;
  }

  close(): void {
    this.#closed = true;
    for (const running of this.#running) running.close();
    this.#running.clear();
  }
}

/** One question until it is answered. Earlier tries stay open: a slow upstream may still be the first to answer. */
class Running {
  readonly #query: Query;
  readonly #transport: Transport;
  readonly #servers: readonly Server[];
  readonly #tries: number;
  readonly #deadlineMs: number;
  readonly #done: (reply: Buffer | null) => void;
  readonly #asks: Ask[] = [];
  #failures = 0;
  /** The best bad answer: that an upstream will not or cannot say. */
  #unhelpful: Buffer | null = null;
  #timer: NodeJS.Timeout | null = null;
  #over = false;

  constructor(
    query: Query,
    transport: Transport,
    servers: readonly Server[],
    deadlineMs: number,
    done: (reply: Buffer | null) => void,
  ) {
    this.#query = query;
    this.#transport = transport;
    this.#servers = servers;
    this.#tries = Math.min(MOST_TRIES, servers.length * 2);
    this.#deadlineMs = deadlineMs;
    this.#done = done;
  }

  start(): void {
    this.#next();
  }

  asks(port: number, id: number): boolean {
    return this.#asks.some((a) => a.id === id && a.localPort() === port);
  }

  close(): void {
    this.#over = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const open of this.#asks) open.close();
  }

  #next(): void {
    const n = this.#asks.length;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#late(), this.#deadlineMs / this.#tries);
    const listening = {
      onReply: (reply: Buffer) => this.#onReply(reply),
      onFailure: () => this.#onFailure(),
    };
    const server = this.#servers[n % this.#servers.length]!;
    this.#asks.push(ask(this.#transport, server, this.#query.message, this.#query.question, listening));
  }

  /** The whole time of this try has gone by. */
  #late(): void {
    if (this.#asks.length < this.#tries) this.#next();
    else this.#end(this.#unhelpful);
  }

  #onReply(reply: Buffer): void {
    const rcode = reply.readUInt16BE(2) & 15;
    if (rcode !== RCODE.SERVFAIL && rcode !== RCODE.REFUSED && rcode !== RCODE.NOTIMP) return this.#end(reply);
    this.#unhelpful = reply;
    this.#onFailure();
  }

  /** The next is asked at once; a server that has just failed is not asked again when it is the only one. */
  #onFailure(): void {
    if (this.#over) return;
    this.#failures++;
    if (this.#asks.length < Math.min(this.#servers.length, this.#tries)) this.#next();
    // While a try is open, it may still be answered.
    else if (this.#failures >= this.#asks.length) this.#end(this.#unhelpful);
  }

  #end(reply: Buffer | null): void {
    if (this.#over) return;
    this.close();
    this.#done(reply);
  }
}

/** One HTTP/1.1 connection to an endpoint: sends a request, reads its response, and tells when it may be used again. */
import type { Socket } from 'node:net';

import { remove, type HeaderList } from '../core/header-list.ts';
import type { BodyFraming, Upstream, UpstreamEvents } from '../live/stream.ts';
import { BatchWriter } from '../wire/batch-writer.ts';
import { BodyReader, type BodyConsumer } from '../wire/http1-body.ts';
import { DEFAULT_LIMITS, findHeadEnd, parseResponseHead, type Framing, type ResponseHead } from '../wire/http1-head.ts';
import { chunkLine, CRLF, lastChunk } from '../wire/http1-write.ts';
import { keep, type Reads } from '../wire/lent-reads.ts';
import { localName } from './connect.ts';

/** What the pool must know. */
export type Http1Owner = {
  /** The exchange is over and the connection is clean. */
  onIdle(connection: Http1Connection): void;
  onClosed(connection: Http1Connection): void;
};

/** More informational responses than this before the final one is an attack. */
const MAX_INFORMATIONAL = 16;

/** Bytes that an idle connection's send buffer takes at once on every system (Linux: tcp_wmem begins with 16 kB). */
const SMALL_REQUEST = 16_384;

export class Http1Connection implements Upstream, BodyConsumer {
  readonly socket: Socket;
  /** `127.0.0.1:51234` */
  readonly local: string;
  /** Requests answered. */
  served = 0;
  /** `performance.now()` when it was opened. */
  readonly openedAt = performance.now();
  /** `performance.now()` when it became idle. */
  idleSince = 0;
  closed = false;
  /** What the server said in Keep-Alive (`timeout=5`). */
  keepAliveHint = '';
  readonly #owner: Http1Owner;
  readonly #reads: Reads;
  readonly #out: BatchWriter;
  #events: UpstreamEvents | null = null;
  #method = '';
  #chunkedOut = false;
  #requestEnded = false;
  #reader: BodyReader | null = null;
  #keepAlive = false;
  #carry: Buffer | null = null;
  #scanned = 0;
  #informational = 0;
  #gotBytes = false;
  #paused = false;
  /** Of the request, bytes: handed over, and those of them that were handed to the socket, in how many writes. */
  #handed = 0;
  #flushed = 0;
  #writes = 0;
  #unsent = false;
  #cause = '';

  constructor(socket: Socket, reads: Reads, owner: Http1Owner) {
    this.socket = socket;
    this.local = localName(socket);
    this.#owner = owner;
    this.#out = new BatchWriter(socket);
    this.#reads = reads;
    reads.onBytes = (bytes) => this.#onData(bytes);
    socket.on('drain', () => this.#events?.onUpstreamDrain());
    socket.on('end', () => this.#onEnd());
    socket.on('error', (error: NodeJS.ErrnoException) => this.#onError(error));
    socket.on('close', () => this.#onClose());
  }

  get busy(): boolean {
    return this.#events !== null;
  }

  /** `head`: the whole request head as text. `body`: what follows it. */
  send(method: string, head: string, body: BodyFraming, events: UpstreamEvents): void {
    this.#events = events;
    this.#method = method;
    this.#chunkedOut = body === 'chunked';
    this.#requestEnded = body === 'none';
    this.#reader = null;
    this.#scanned = 0;
    this.#informational = 0;
    this.#gotBytes = false;
    this.#handed = head.length;
    this.#flushed = 0;
    this.#writes = 0;
    this.#out.text(head);
  }

  sendData(chunk: Buffer): boolean {
    if (this.#chunkedOut) this.#out.text(chunkLine(chunk.length));
    this.#handed += chunk.length;
    this.#out.bytes(chunk);
    if (this.#chunkedOut) this.#out.text(CRLF);
    return !this.socket.writableNeedDrain;
  }

  sendEnd(trailers: HeaderList): void {
    if (this.#chunkedOut) {
      this.#handed++;
      this.#out.text(lastChunk(trailers));
    }
    this.#requestEnded = true;
  }

  flush(): void {
    if (this.#flushed === this.#handed) return;
    this.#flushed = this.#handed;
    this.#writes++;
    this.#out.flush();
  }

  pause(): void {
    this.#paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.socket.resume();
  }

  abort(): void {
    this.#events = null;
    this.socket.destroy();
  }

  takeOver(): { socket: Socket; reads: Reads; early: Buffer | null } {
    const early = this.#carry;
    this.#events = null;
    this.#carry = null;
    this.closed = true;
    for (const event of ['drain', 'end', 'error', 'close']) this.socket.removeAllListeners(event);
    this.#owner.onClosed(this);
    return { socket: this.socket, reads: this.#reads, early };
  }

  close(): void {
    this.socket.destroy();
  }

  /** Payload found by the body reader. */
  onBodyData(chunk: Buffer): void {
    this.#events?.onUpstreamData(chunk);
  }

  #onData(bytes: Buffer): void {
    const events = this.#events;
    // Bytes nobody asked for: never to be taken for the answer to a later request (CVE-2026-48931).
    if (events === null) return void this.socket.destroy();
    this.#gotBytes = true;
    let at = 0;
    if (this.#reader === null) {
      const all = this.#carry === null ? bytes : Buffer.concat([this.#carry, bytes]);
      this.#carry = null;
      at = this.#readHeads(all, events);
      bytes = all;
    }
    if (at >= 0 && this.#reader !== null && this.#events === events) this.#readBody(bytes, at, events);
    events.onUpstreamReadEnd();
  }

  /** Reads heads up to the final one; returns where its body starts, or -1. */
  #readHeads(bytes: Buffer, events: UpstreamEvents): number {
    let at = 0;
    for (;;) {
      const end = findHeadEnd(bytes, at, this.#scanned);
      if (end < 0) {
        if (bytes.length - at > DEFAULT_LIMITS.maxBytes) return this.#protocol('http1.headers_too_large');
        if (at === 0 && !'HTTP/1.'.startsWith(bytes.latin1Slice(0, Math.min(7, bytes.length))))
          return this.#protocol('http1.invalid_status_line');
        this.#scanned = bytes.length - at;
        if (at < bytes.length) this.#carry = at === 0 ? keep(bytes) : Buffer.from(bytes.subarray(at));
        return -1;
      }
      this.#scanned = 0;
      const head = parseResponseHead(bytes, at, end, DEFAULT_LIMITS);
      if (head.problem) return this.#protocol(head.details);
      const headBytes = end + 4 - at;
      at = end + 4;
      if (head.status >= 100 && head.status < 200 && head.status !== 101) {
        if (++this.#informational > MAX_INFORMATIONAL) return this.#protocol('http1.too_many_informational');
        remove(head.headers, 'content-length');
        events.onUpstreamInformational(upstreamHead(head, 'none', headBytes));
        if (this.#events !== events) return -1;
        continue;
      }
      return this.#onFinalHead(head, bytes, at, headBytes, events);
    }
  }

  #onFinalHead(head: ResponseHead, bytes: Buffer, at: number, headBytes: number, events: UpstreamEvents): number {
    // No length may be told of what has no content, lest somebody waits for it (RFC 9110 section 8.6).
    if (head.status === 101 || head.status === 204) remove(head.headers, 'content-length');
    if (head.status === 101) {
      // The tunnel begins right after the head: whatever came with it is the other protocol's.
      this.#carry = at < bytes.length ? Buffer.from(bytes.subarray(at)) : null;
      events.onUpstreamHead(upstreamHead(head, 'none', headBytes));
      return -1;
    }
    const framing: Framing = hasNoBody(this.#method, head.status) ? 'none' : head.framing;
    this.#keepAlive = head.keepAlive && framing !== 'close';
    if (head.keepAliveHint !== null) this.keepAliveHint = head.keepAliveHint;
    this.#reader = new BodyReader(framing, head.contentLength);
    const empty = this.#reader.done && framing === 'length';
    events.onUpstreamHead(upstreamHead(head, empty ? 'none' : framing, headBytes));
    return at;
  }

  #readBody(bytes: Buffer, at: number, events: UpstreamEvents): void {
    const reader = this.#reader!;
    const stop = reader.done ? at : reader.read(bytes, at, this);
    if (this.#events !== events) return;
    if (reader.problem !== null) return void this.#protocol(reader.problem.details);
    if (reader.done) this.#onComplete(stop < bytes.length, events);
  }

  #onComplete(surplus: boolean, events: UpstreamEvents): void {
    const trailers = this.#reader!.trailers;
    this.#reads.rest();
    this.#events = null;
    this.#reader = null;
    this.served++;
    // The client may be slow to take the end of this answer; the next one must be read all the same.
    this.resume();
    // Reusable only when both messages ended exactly here (CVE-2025-4366: an undrained request body must not be reused).
    if (surplus || !this.#requestEnded || !this.#keepAlive) this.socket.destroy();
    else this.#owner.onIdle(this);
    events.onUpstreamEnd(trailers);
  }

  #protocol(details: string): -1 {
    const events = this.#events;
    this.#events = null;
    this.socket.destroy();
    events?.onUpstreamProblem({ kind: 'protocol', details });
    return -1;
  }

  #onEnd(): void {
    const events = this.#events;
    if (events !== null && this.#reader?.finish() === true) {
      this.#keepAlive = false;
      this.#onComplete(false, events);
      events.onUpstreamReadEnd();
    } else {
      this.socket.destroy();
    }
  }

  #onError({ code, message, syscall }: NodeJS.ErrnoException): void {
    this.#cause = code ?? message;
    // A small first write fits into an idle connection's buffer whole: when it fails, nothing of it has left.
    this.#unsent = syscall === 'write' && this.#writes <= 1 && this.#handed <= SMALL_REQUEST;
  }

  #onClose(): void {
    this.closed = true;
    this.#reads.end();
    const events = this.#events;
    this.#events = null;
    this.#owner.onClosed(this);
    events?.onUpstreamProblem({
      kind: 'reset',
      cause: this.#cause,
      reused: this.served > 0,
      gotBytes: this.#gotBytes,
      unsent: this.#unsent && !this.#gotBytes,
    });
  }
}

const hasNoBody = (method: string, status: number): boolean => method === 'HEAD' || status === 204 || status === 304;

const upstreamHead = (head: ResponseHead, framing: BodyFraming, bytes: number) => ({
  status: head.status,
  reason: head.reason,
  headers: head.headers,
  framing,
  upgrade: head.upgrade,
  bytes,
});

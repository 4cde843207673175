/**
 * One downstream HTTP/1.1 connection: reads requests one after the other, hands each on, writes the responses in order.
 * Pipelined requests wait, bounded, until the one before them is answered: order needs no bookkeeping then.
 */
import type { Socket } from 'node:net';
import type { HeaderList } from '../core/header-list.ts';
import type { Connection } from '../live/connection.ts';
import type { BodyFraming, Downstream, DownstreamEvents } from '../live/stream.ts';
import { BatchWriter } from '../wire/batch-writer.ts';
import { BodyReader } from '../wire/http1-body.ts';
import { CR, LF, TOKEN } from '../wire/http1-fields.ts';
import {
  findHeadEnd,
  hasBareLineFeed,
  parseRequestHead,
  type HeadProblem,
  type RequestHead,
} from '../wire/http1-head.ts';
import { refuseOversize } from '../wire/http1-oversize.ts';
import { chunkLine, CRLF, lastChunk, responseHead } from '../wire/http1-write.ts';
import { keep, type Reads } from '../wire/lent-reads.ts';
import { BodyRate } from './body-rate.ts';
import { LINGER_BYTES, type ListenerLimits } from './limits.ts';
import { refusal } from './refusal.ts';
import type { RequestHandler } from './request-handler.ts';
import { targetOf, type Target } from './target.ts';

export class Http1Downstream implements Downstream {
  readonly socket: Socket;
  readonly info: Connection;
  readonly #handler: RequestHandler;
  readonly #limits: ListenerLimits;
  readonly #out: BatchWriter;
  readonly #reads: Reads;
  /** `head`: between or in request heads. `open`: an exchange is under way. `linger`: the last response is out, input is thrown away. */
  #state: 'head' | 'open' | 'linger' | 'closed' = 'head';
  #events: DownstreamEvents | null = null;
  #reader: BodyReader | null = null;
  #head: RequestHead | null = null;
  #bodyStarted = false;
  #requestDone = false;
  #responseDone = false;
  #headSent = false;
  /** Bytes of the response have been handed to the socket. */
  #leftAny = false;
  #chunkedOut = false;
  /** The response body is never written (HEAD, 204, 304), whatever it is said to be. */
  #bodiless = false;
  #keepAlive = true;
  /** Bytes that are not consumed yet. */
  #carry: Buffer | null = null;
  #scanned = 0;
  /** The one empty line that may stand before a request line has come. */
  #emptyLine = false;
  #paused = false;
  #parsing = false;
  #lingered = 0;
  readonly #rate = new BodyRate();
  #draining = false;
  /** `performance.now()` of the last progress, and of the first byte of the head that is being read (0: none) or of the linger. */
  #activeMs = performance.now();
  #headStartMs = 0;

  /** `reads` is told of what `socket` reads (lendReads). */
  constructor(socket: Socket, reads: Reads, info: Connection, handler: RequestHandler, limits: ListenerLimits) {
    this.socket = socket;
    this.#reads = reads;
    this.info = info;
    this.#handler = handler;
    this.#limits = limits;
    this.#out = new BatchWriter(socket);
    reads.onBytes = (bytes) => this.#onData(bytes);
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#onEnd());
    // A reset tells nothing that `close` does not; without a listener it would end the process.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#onClose());
  }

  /** What was read of it before: it is the beginning of the first request. */
  begin(early: Buffer): void {
    this.#onData(early);
  }

  get bodyFraming(): BodyFraming {
    return this.#head?.framing ?? 'none';
  }

  get upgrade(): string | null {
    return this.#head?.upgrade ?? null;
  }

  startBody(): void {
    if (this.#bodyStarted) return;
    this.#bodyStarted = true;
    if (this.#head?.expectContinue === true && !this.#headSent && this.#carry === null) {
      this.#out.text('HTTP/1.1 100 Continue\r\n\r\n');
      this.#out.flush();
    }
    if (!this.#parsing) this.#advance();
  }

  pauseBody(): void {
    this.#pause();
  }

  resumeBody(): void {
    this.#resume();
  }

  sendInformational(status: number, reason: string, headers: HeaderList): void {
    if (this.#head?.minor === 1 && !this.#headSent) this.#out.text(responseHead(status, reason, headers, false, ''));
  }

  sendHead(status: number, reason: string, headers: HeaderList, framing: BodyFraming): void {
    const head = this.#head;
    if (head === null || this.#headSent) return;
    this.#headSent = true;
    if (!this.#bodyStarted) this.#skipBody(head);
    this.#bodiless = head.method === 'HEAD' || status === 204 || status === 304;
    this.#chunkedOut = !this.#bodiless && head.minor === 1 && (framing === 'chunked' || framing === 'close');
    const endsWithConnection = !this.#bodiless && head.minor === 0 && (framing === 'chunked' || framing === 'close');
    const isTunnel = status === 101 || (head.method === 'CONNECT' && status < 300);
    // After a CONNECT that failed, what the client sent ahead of its answer must not be read as requests.
    const failedTunnel = head.method === 'CONNECT' && !isTunnel;
    // Who answers before the request is whole can read no other one after it; Envoy tells the client so, too (RFC 9112 section 9.6).
    this.#keepAlive = head.keepAlive && !endsWithConnection && !failedTunnel && !this.#draining && this.#requestDone;
    const connection = isTunnel ? '' : this.#keepAlive ? (head.minor === 0 ? 'keep-alive' : '') : 'close';
    this.#out.text(responseHead(status, reason, headers, this.#chunkedOut, connection));
  }

  /** Nobody is going to read the body of this request. When all of it is here, the connection can go on behind it. */
  #skipBody({ framing, contentLength }: RequestHead): void {
    const here = this.#carry?.length ?? 0;
    if (framing !== 'length' || here < contentLength) return;
    this.#carry = here > contentLength ? this.#carry!.subarray(contentLength) : null;
    this.#requestDone = true;
  }

  sendData(chunk: Buffer): boolean {
    if (this.#bodiless || chunk.length === 0) return true;
    this.#activeMs = performance.now();
    if (this.#chunkedOut) this.#out.text(chunkLine(chunk.length));
    this.#out.bytes(chunk);
    if (this.#chunkedOut) this.#out.text(CRLF);
    return !this.socket.writableNeedDrain;
  }

  sendEnd(trailers: HeaderList): void {
    if (this.#responseDone) return;
    if (this.#chunkedOut) this.#out.text(lastChunk(this.#head?.acceptsTrailers === true ? trailers : []));
    this.#responseDone = true;
    this.#exchangeMayBeOver();
  }

  flush(): void {
    if (this.#headSent) this.#leftAny = true;
    this.#out.flush();
  }

  takeBack(): boolean {
    if (this.#leftAny || !this.#out.takeBack()) return false;
    this.#headSent = false;
    return true;
  }

  abort(): void {
    this.#events = null;
    this.socket.resetAndDestroy();
  }

  takeOver(): { socket: Socket; reads: Reads; early: Buffer | null } {
    this.#out.flush();
    const early = this.#carry;
    this.#carry = null;
    this.#events = null;
    this.#state = 'closed';
    // Who counts connections goes on listening to `close`.
    for (const event of ['drain', 'end', 'error']) this.socket.removeAllListeners(event);
    this.#handler.onClosed();
    return { socket: this.socket, reads: this.#reads, early };
  }

  /** Asks the client to go: with `Connection: close` on the next response, or now when it has been idle for `idleMs`. */
  drain(idleMs: number): void {
    this.#draining = true;
    if (this.now === 'idle' && performance.now() - this.#activeMs >= idleMs) this.#finish();
  }

  /** Idle: between two requests. Stuck, asked outside of its own handlers: one of them threw, nothing will come of it any more. */
  get now(): 'idle' | 'busy' | 'stuck' {
    return this.#parsing ? 'stuck' : this.#state === 'head' && this.#carry === null ? 'idle' : 'busy';
  }

  /** Closes what makes no progress. `now`: `performance.now()`. Returns a reason when it closed something. */
  sweep(now: number): void {
    if (this.#state === 'closed') return;
    const idle = now - this.#activeMs;
    if (this.socket.writableLength > 0 && idle > this.#limits.writeTimeout) this.socket.destroy();
    else if (this.#state === 'head') {
      if (this.#headStartMs > 0) {
        if (now - this.#headStartMs > this.#limits.headTimeout)
          this.#refuse({ problem: true, status: 408, details: 'http1.head_timeout' });
      } else if (idle > this.#limits.idleTimeout) this.socket.destroy();
    } else if (this.#state === 'linger') {
      // A slow reader of a long last answer is given the time of a slow reader.
      if (this.socket.writableLength > 0) return;
      if (idle > this.#limits.lingerTimeout || now - this.#headStartMs > this.#limits.headTimeout)
        this.socket.destroy();
    } else if (this.#requestDone || !this.#bodyStarted || this.#paused) this.#rate.forget();
    else if (
      idle > this.#limits.bodyTimeout ||
      this.#rate.isTooSlow(now, this.socket, this.bodyFraming, this.#limits)
    ) {
      this.#events?.onRequestProblem('request_body_timeout');
    }
  }

  #onData(bytes: Buffer): void {
    this.#activeMs = performance.now();
    if (this.#state === 'linger') {
      if ((this.#lingered += bytes.length) > LINGER_BYTES) this.socket.destroy();
      return;
    }
    this.#carry = this.#carry === null ? bytes : Buffer.concat([this.#carry, bytes]);
    this.#advance();
    if (this.#carry !== null) this.#carry = keep(this.#carry);
  }

  /** Does what can be done with the bytes that are here. */
  #advance(): void {
    if (this.#parsing) return;
    this.#parsing = true;
    let progress = true;
    while (progress && this.#carry !== null) {
      // Who does not read the answers gets no further ones made: pipelining would fill our memory with them.
      if (this.#state === 'head') progress = !this.socket.writableNeedDrain && this.#readHead();
      else if (this.#state === 'open' && this.#bodyStarted && !this.#requestDone) progress = this.#readBody();
      else progress = false;
    }
    this.#parsing = false;
    this.#events?.onRequestReadEnd();
    this.flush();
    const waiting = this.#carry?.length ?? 0;
    if (this.#state === 'open' && waiting > this.#limits.pipelineBytes) this.#pause();
    if (this.#state === 'head' && waiting > 0 && this.socket.writableNeedDrain) this.#pause();
  }

  #readHead(): boolean {
    const bytes = this.#carry!;
    if (bytes[0] === CR && !this.#emptyLine && (bytes.length === 1 || bytes[1] === LF)) return this.#skipEmptyLine();
    if (this.#headStartMs === 0) this.#headStartMs = this.#activeMs;
    const end = findHeadEnd(bytes, 0, this.#scanned);
    if (end < 0) {
      if (bytes.length > this.#limits.head.maxBytes)
        this.#refuse(refuseOversize(bytes, 0, this.#limits.head.maxTarget));
      // A TLS hello, a binary protocol: nothing after such a byte can make it a request line.
      else if (TOKEN[bytes[0]!] !== 1) this.#refuse({ problem: true, status: 400, details: 'http1.invalid_method' });
      else if (hasBareLineFeed(bytes, 0, this.#scanned))
        this.#refuse({ problem: true, status: 400, details: 'http1.bare_line_feed' });
      else this.#scanned = bytes.length;
      return false;
    }
    this.#scanned = 0;
    this.#emptyLine = false;
    const head = parseRequestHead(bytes, 0, end, this.#limits.head);
    if (head.problem) return this.#refuse(head);
    const target = targetOf(head);
    if (target.problem) return this.#refuse(target);
    const next = end + 4;
    this.#carry = next < bytes.length ? bytes.subarray(next) : null;
    this.#begin(head, target, next);
    return true;
  }

  /** One empty line before a request line is allowed (RFC 9112 section 2.2); it begins no request. */
  #skipEmptyLine(): boolean {
    const bytes = this.#carry!;
    if (bytes.length === 1) return false;
    this.#emptyLine = true;
    this.#carry = bytes.length > 2 ? bytes.subarray(2) : null;
    return true;
  }

  #begin(head: RequestHead, target: Target, headBytes: number): void {
    const startMs = this.#headStartMs;
    this.#headStartMs = 0;
    this.#state = 'open';
    this.#head = head;
    this.#reader = head.framing === 'none' ? null : new BodyReader(head.framing, head.contentLength);
    this.#requestDone = this.#reader === null || this.#reader.done;
    this.#responseDone = false;
    this.#headSent = false;
    this.#leftAny = false;
    this.#bodyStarted = false;
    this.#rate.forget();
    const events = this.#handler.onRequest(this.info, head, target, headBytes, startMs, this);
    // An answer given at once ended the exchange before its events were known.
    if (this.#state === 'open' && this.#head === head && !(this.#responseDone && this.#requestDone)) {
      this.#events = events;
      if (this.#requestDone) events.onRequestEnd([]);
    }
  }

  #readBody(): boolean {
    const bytes = this.#carry!;
    const reader = this.#reader!;
    const events = this.#events;
    if (events === null || this.#paused) return false;
    this.#carry = null;
    const stop = reader.read(bytes, 0, this);
    if (this.#state !== 'open') return false;
    if (stop < bytes.length && reader.problem === null) this.#carry = bytes.subarray(stop);
    if (reader.problem !== null) {
      events.onRequestProblem(reader.problem.details);
      return false;
    }
    if (reader.done) {
      this.#reads.rest();
      this.#requestDone = true;
      events.onRequestEnd(reader.trailers);
      this.#exchangeMayBeOver();
    }
    return true;
  }

  /** Payload found by the body reader. */
  onBodyData(chunk: Buffer): void {
    this.#events?.onRequestData(chunk);
  }

  #exchangeMayBeOver(): void {
    if (!this.#responseDone || this.#state !== 'open') return;
    this.#events = null;
    this.#head = null;
    this.#reader = null;
    if (!this.#keepAlive) return this.#finish();
    this.#state = 'head';
    // What came ahead begins to count as a request now.
    if (this.#carry !== null) this.#activeMs = performance.now();
    this.#resume();
    if (!this.#parsing && this.#carry !== null) this.#advance();
  }

  /** The last response is out: half-close, and read on for a moment, so that no reset overtakes it (RFC 9112 section 9.6). */
  #finish(): void {
    this.#out.flush();
    this.#state = 'linger';
    this.#carry = null;
    this.#activeMs = performance.now();
    this.#headStartMs = this.#activeMs;
    this.#resume();
    this.socket.end();
  }

  #refuse(problem: HeadProblem): false {
    const bytes = this.#carry?.length ?? 0;
    this.#handler.onRefused(this.info, problem, bytes, this.#headStartMs);
    this.#out.text(refusal(problem));
    this.#finish();
    return false;
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#activeMs = performance.now();
    this.socket.resume();
    if (this.#carry !== null && !this.#parsing) this.#advance();
  }

  #onDrain(): void {
    this.#activeMs = performance.now();
    this.#events?.onDownstreamDrain();
    if (this.#state === 'head') this.#resume();
  }

  /** The client's FIN: between requests it is the end; during one the client is gone, as Envoy and Node see it. */
  #onEnd(): void {
    if (this.#state === 'head') this.socket.end();
    else if (this.#state === 'open') this.socket.destroy();
  }

  #onClose(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#reads.end();
    const events = this.#events;
    this.#events = null;
    this.#carry = null;
    events?.onDownstreamClose();
    this.#handler.onClosed();
  }
}

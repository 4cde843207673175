/**
 * A tunnel by POST (Envoy: `use_post`): what is written goes in chunks of the request's body, what is read comes out of the response's. It
 * stands where a connection stands.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { BodyReader } from '../wire/http1-body.ts';
import type { ResponseHead } from '../wire/http1-head.ts';
import { CRLF, chunkLine, lastChunk } from '../wire/http1-write.ts';
import type { Reads } from '../wire/lent-reads.ts';

/** `bytes`: what `socket` reads. `to`: who is told of what is in it. `early`: bytes behind the head. */
export function postTunnel(socket: Socket, bytes: Reads, to: Reads, head: ResponseHead, early: Buffer | null): Socket {
  // It has what is asked of one end of a tunnel, not all that a socket has.
  return new PostTunnel(socket, bytes, to, head, early) as unknown as Socket;
}

class PostTunnel extends Duplex {
  readonly #socket: Socket;
  readonly #to: Reads;
  readonly #body: BodyReader;
  #early: Buffer | null;

  constructor(socket: Socket, bytes: Reads, to: Reads, head: ResponseHead, early: Buffer | null) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#to = to;
    this.#body = new BodyReader(head.framing, head.contentLength);
    this.#early = early;
    bytes.onBytes = (read) => this.#read(read);
    socket.pause();
    socket.on('end', () => (this.#body.finish() ? this.push(null) : this.#broken()));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
    if (this.#body.done) this.push(null);
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress;
  }

  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }

  setKeepAlive(): this {
    return this;
  }

  override pause(): this {
    this.#socket.pause();
    return super.pause();
  }

  override resume(): this {
    const early = this.#early;
    this.#early = null;
    super.resume();
    this.#socket.resume();
    if (early !== null) this.#read(early);
    return this;
  }

  resetAndDestroy(): this {
    this.#socket.resetAndDestroy();
    return this.destroy();
  }

  onBodyData(chunk: Buffer): void {
    this.#to.onBytes(chunk);
  }

  override _read(): void {
    // Bytes do not go through this stream, only its end does.
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    // An empty chunk would be the last.
    if (chunk.length === 0) return done();
    this.#socket.cork();
    this.#socket.write(chunkLine(chunk.length), 'latin1');
    this.#socket.write(chunk);
    this.#socket.write(CRLF, 'latin1', done);
    this.#socket.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.write(lastChunk([]), 'latin1', done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #read(bytes: Buffer): void {
    if (this.#body.done) return;
    this.#body.read(bytes, 0, this);
    if (this.#body.problem !== null) this.#broken();
    else if (this.#body.done) this.push(null);
  }

  /** The response did not end where it said: nobody may take that for the end of what was sent. */
  #broken(): void {
    this.destroy(new Error('the body of the tunnel broke off'));
  }
}

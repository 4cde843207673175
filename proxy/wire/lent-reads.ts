/**
 * One buffer that all HTTP connections of a thread read into. Node's own way gives each read 64 kB of new memory, of which a request
 * uses a few hundred bytes: that costs more than parsing does, in time and in memory (docs/decisions/0009-where-the-time-goes.md).
 * The bytes are lent: whoever needs them after the call that brought them keeps a copy.
 */

/** Shared by the connections of this thread; nothing in it outlives the read that brought it. */
const LENT: Buffer = Buffer.allocUnsafeSlow(65_536);

/** Who is told of what a connection reads. */
export class Reads {
  /** The bytes are lent until it returns. False: nothing more is to be read until the stream asks for it. */
  onBytes: (bytes: Buffer) => unknown = ignore;
  /** The option `onread` of `net.connect` and `new net.Socket` (Node: net, "socket.connect(options)"). */
  readonly onread = {
    buffer: LENT,
    callback: (length: number): boolean => {
      return this.onBytes(LENT.subarray(0, length)) !== false;
    },
  };
}

const ignore = (): void => undefined;

/** The same bytes, to be kept: a copy when they are lent. */
export function keep(bytes: Buffer): Buffer {
  return bytes.buffer === LENT.buffer ? Buffer.from(bytes) : bytes;
}

/** The connection becomes a plain stream again, for a tunnel: what it reads is pushed into it. */
export function endLending(stream: { push(bytes: Buffer): boolean }, reads: Reads): void {
  // A stream that is full must stop the reads, or a paused tunnel would fill memory.
  reads.onBytes = (bytes) => stream.push(keep(bytes));
}

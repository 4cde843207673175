/**
 * Where connections read to. Node's own way gives each read 64 kB of new memory, of which a request uses a few hundred bytes: that
 * costs more than parsing does, and sets off V8's full collections (docs/decisions/0009-where-the-time-goes.md). Here all
 * connections of a thread read into one buffer. One that brings much reads into a block of its own, and the block is written on from
 * where it is: no copy, no new memory.
 *
 * Bytes are lent for the call that brings them. Whoever needs them longer writes them (`writeLent`) or keeps a copy (`keep`).
 */

const SIZE = 65_536;
/** Reads of this size and more make a connection read into blocks, bytes; below the second it goes back to the common buffer. */
const MUCH = 16_384;
const LITTLE = 8192;
/** Blocks that are kept for the next time: 4 MB a thread. */
const MOST_FREE = 64;
/** Block of a connection that fills the usual one, and whose peer keeps up: fewer, larger reads. There are only so many, 4 MB a thread. */
const LARGE = 262_144;
const MOST_LARGE = 16;

/** Of all connections of this thread; nothing in it outlives the read that brought it. */
const COMMON: Buffer = Buffer.allocUnsafeSlow(SIZE);

class Block {
  readonly bytes: Buffer;
  /** Writes under way that point into it. */
  holds = 0;
  /** A connection reads into it. */
  reading = false;
  readonly release = (): void => {
    this.holds--;
    giveBack(this);
  };

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }
}

const free: Block[] = [];
const freeLarge: Block[] = [];
/** Large blocks that exist. */
let larges = 0;

function giveBack(block: Block): void {
  if (block.holds > 0 || block.reading) return;
  if (poisoned) block.bytes.fill(POISON);
  if (block.bytes.length === LARGE) freeLarge.push(block);
  else if (free.length < MOST_FREE) free.push(block);
}

const POISON = 0xdd;
let poisoned = false;

/** For tests: what was lent is overwritten as soon as it is no longer lent, so that whoever still looks at it is found out. */
export function poisonReads(): void {
  poisoned = true;
}

/** The block of the read that is being told; null: the common buffer, or none. */
let current: Block | null = null;

/** Who is told of what a connection reads. */
export class Reads {
  /** The bytes are lent until it returns. False: no more is read, until the stream asks for it. */
  onBytes: (bytes: Buffer) => unknown = ignore;
  /** The option `onread` of `net.connect` and `new net.Socket` (Node: net, "socket.connect(options)"). */
  readonly onread = {
    buffer: (): Buffer => this.#next(),
    callback: (length: number): boolean => this.#read(length),
  };
  #block: Block | null = null;
  /** The block of the read before; what was read into it is being written, or has been. */
  #before: Block | null = null;
  #resting = false;
  /** Asked by Node after each read; undefined: the same as before. */
  #change: Buffer | undefined = COMMON;

  /** A message ends with this read: what comes next is small again. */
  rest(): void {
    this.#resting = true;
  }

  /** The connection is closed. */
  end(): void {
    if (this.#block === null) return;
    if (this.#block === current) this.#resting = true;
    else this.#use(null);
  }

  #read(length: number): boolean {
    const block = this.#block;
    current = block;
    this.#resting = false;
    const more = this.onBytes((block === null ? COMMON : block.bytes).subarray(0, length));
    current = null;
    if (poisoned) {
      if (block === null) COMMON.fill(POISON, 0, length);
      else if (block.holds === 0) block.bytes.fill(POISON, 0, length);
    }
    if (block === null) {
      if (length >= MUCH && !this.#resting) this.#use(take());
    } else if (length < LITTLE || this.#resting) {
      this.#use(null);
    } else if (block.holds > 0) {
      // Node tells of a write in the next tick, so what is known is how it went with the one before.
      const keepsUp = this.#before === null || this.#before.holds === 0;
      this.#before = block;
      this.#use((keepsUp && length >= SIZE ? takeLarge() : null) ?? take());
    }
    return more !== false;
  }

  #use(next: Block | null): void {
    const before = this.#block;
    if (before !== null) {
      before.reading = false;
      giveBack(before);
    }
    this.#block = next;
    this.#change = next === null ? COMMON : next.bytes;
  }

  #next(): Buffer {
    const change = this.#change;
    this.#change = undefined;
    // Node takes anything else than a buffer for "as before", but does not say so in its types.
    return change as Buffer;
  }
}

/** Null: all of them are in use. */
function takeLarge(): Block | null {
  let block = freeLarge.pop() ?? null;
  if (block === null && larges < MOST_LARGE) {
    larges++;
    block = new Block(LARGE);
  }
  if (block !== null) block.reading = true;
  return block;
}

function take(): Block {
  const block = free.pop() ?? new Block(SIZE);
  block.reading = true;
  return block;
}

const ignore = (): void => undefined;

const isLent = (bytes: Buffer): boolean =>
  bytes.buffer === COMMON.buffer || (current !== null && bytes.buffer === current.bytes.buffer);

/** The same bytes, to be kept: a copy when they are lent. */
export function keep(bytes: Buffer): Buffer {
  return isLent(bytes) ? Buffer.from(bytes) : bytes;
}

/** Where bytes go: a socket. */
export type Sink = { write(bytes: Buffer, done?: () => void): boolean };

/** Writes bytes that may be lent; at most as many as one read brings. */
export function writeLent(sink: Sink, bytes: Buffer): boolean {
  if (!isLent(bytes)) return sink.write(bytes);
  let block = current;
  let piece = bytes;
  if (block === null) {
    block = take();
    block.reading = false;
    block.bytes.set(bytes);
    piece = block.bytes.subarray(0, bytes.length);
  }
  block.holds++;
  return sink.write(piece, block.release);
}

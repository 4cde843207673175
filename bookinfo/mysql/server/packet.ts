/** Packets of MySQL's protocol (dev.mysql.com, MySQL Packets): split off a stream, read with every length checked, and written. */

/** A peer that says what cannot be: its connection ends. */
export class Malformed extends Error {}

/** Collects packets of at most `limit` bytes; throws Malformed on a longer one. */
export class Packets {
  limit: number;
  #rest: Buffer = Buffer.alloc(0);
  /** Pieces behind `rest`, joined only when a packet is whole: bytes that come one by one are not copied each time. */
  #more: Buffer[] = [];
  #size = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  push(chunk: Buffer): void {
    this.#more.push(chunk);
    this.#size += chunk.length;
  }

  /** The next whole packet; null until there is one. */
  next(): { readonly sequence: number; readonly payload: Buffer } | null {
    if (this.#size < 4) return null;
    if (this.#rest.length < 4) this.#join();
    const length = this.#rest.readUIntLE(0, 3);
    if (length > this.limit) throw new Malformed(`a packet of ${length} bytes, more than ${this.limit}`);
    if (this.#size < 4 + length) return null;
    if (this.#rest.length < 4 + length) this.#join();
    const packet = { sequence: this.#rest[3]!, payload: this.#rest.subarray(4, 4 + length) };
    this.#rest = this.#rest.subarray(4 + length);
    this.#size -= 4 + length;
    return packet;
  }

  #join(): void {
    this.#rest = Buffer.concat([this.#rest, ...this.#more]);
    this.#more = [];
  }
}

export class PacketReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  bytes(count: number): Buffer {
    if (count > this.left) throw new Malformed('a packet that ends too soon');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  /** Unsigned, of 1 to 4 bytes. */
  uint(size: number): number {
    return this.bytes(size).readUIntLE(0, size);
  }

  /** Length-encoded integer (Basic Data Types, int<lenenc>). */
  count(): number {
    const first = this.uint(1);
    if (first < 0xfb) return first;
    if (first === 0xfc || first === 0xfd) return this.uint(first === 0xfc ? 2 : 3);
    // Eight bytes would count more than any packet has.
    throw new Malformed('a length that cannot be');
  }

  counted(): Buffer {
    return this.bytes(this.count());
  }

  /** Up to a NUL, or to the end. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    const text = this.bytes((end < 0 ? this.#bytes.length : end) - this.#at).toString('utf8');
    if (end >= 0) this.#at++;
    return text;
  }

  rest(): string {
    return this.bytes(this.left).toString('utf8');
  }
}

/** Payloads are lists of pieces, joined when they are sent. */
export const uint = (value: number, size: number): Buffer => {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntLE(value, 0, size);
  return bytes;
};

export function count(value: number): Buffer {
  if (value < 0xfb) return uint(value, 1);
  if (value < 0x10000) return Buffer.concat([uint(0xfc, 1), uint(value, 2)]);
  if (value < 0x1000000) return Buffer.concat([uint(0xfd, 1), uint(value, 3)]);
  const bytes = Buffer.alloc(9, 0xfe);
  bytes.writeBigUInt64LE(BigInt(value), 1);
  return bytes;
}

export const counted = (value: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([count(bytes.length), bytes]);
};

export const terminated = (value: string): Buffer => Buffer.from(`${value}\0`);

/** With its header; a payload of 16 MiB or more would need several packets, and is refused. */
export function framed(sequence: number, ...pieces: readonly Buffer[]): Buffer {
  const payload = Buffer.concat(pieces);
  if (payload.length >= 0xffffff) throw new Malformed('an answer that is too long for one packet');
  return Buffer.concat([uint(payload.length, 3), uint(sequence & 0xff, 1), payload]);
}

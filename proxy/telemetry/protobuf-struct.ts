/**
 * google.protobuf.Struct, as much of it as Istio's peer metadata uses: texts, and structs of texts. Other values are skipped.
 * https://protobuf.dev/programming-guides/encoding, google/protobuf/struct.proto
 */

export type TextStruct = { readonly [field: string]: string | TextStruct };

/** Structs in structs; Istio's labels are the second level. */
const MAX_DEPTH = 2;
const MAX_FIELDS = 128;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Wire types. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** Null: these bytes are no such message, or it is too large or deep. Never throws. */
export function readStruct(bytes: Uint8Array): TextStruct | null {
  try {
    return struct(new Reader(bytes), MAX_DEPTH);
  } catch {
    return null;
  }
}

/** Fields in the order of their names, as Istio writes them. */
export function writeStruct(value: TextStruct): Buffer {
  const fields = Object.keys(value)
    .sort()
    .map((name) => {
      const field = value[name]!;
      const content = typeof field === 'string' ? bytesField(3, Buffer.from(field)) : bytesField(5, writeStruct(field));
      return bytesField(1, Buffer.concat([bytesField(1, Buffer.from(name)), bytesField(2, content)]));
    });
  return Buffer.concat(fields);
}

function bytesField(number: number, content: Uint8Array): Buffer {
  const head = [(number << 3) | BYTES];
  let length = content.length;
  for (; length > 0x7f; length >>>= 7) head.push((length & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...head, length]), content]);
}

class Malformed extends Error {}

/** Every read checks its end: what is cut short is malformed. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** At most 32 bits; longer ones, which no field that is read here has, are cut. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new Malformed();
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new Malformed();
  }

  bytes(): Uint8Array {
    return this.#take(this.varint());
  }

  skip(type: number): void {
    if (type === VARINT) this.varint();
    else if (type === FIXED64) this.#take(8);
    else if (type === BYTES) this.bytes();
    else if (type === FIXED32) this.#take(4);
    else throw new Malformed();
  }

  #take(n: number): Uint8Array {
    if (n > this.#bytes.length - this.#at) throw new Malformed();
    this.#at += n;
    return this.#bytes.subarray(this.#at - n, this.#at);
  }
}

/** Calls `on` for fields of bytes; others are skipped. */
function eachBytes(reader: Reader, on: (number: number, bytes: Uint8Array) => void): void {
  while (reader.more) {
    const tag = reader.varint();
    if (tag >>> 3 === 0) throw new Malformed();
    if ((tag & 7) === BYTES) on(tag >>> 3, reader.bytes());
    else reader.skip(tag & 7);
  }
}

function struct(reader: Reader, depth: number): TextStruct {
  // No field name may mean anything to JavaScript.
  const fields = Object.create(null) as Record<string, string | TextStruct>;
  let n = 0;
  eachBytes(reader, (number, entry) => {
    if (number !== 1) return;
    if (++n > MAX_FIELDS) throw new Malformed();
    let name = '';
    let value: string | TextStruct | null = null;
    eachBytes(new Reader(entry), (part, bytes) => {
      if (part === 1) name = utf8.decode(bytes);
      else if (part === 2) value = valueOf(new Reader(bytes), depth);
    });
    if (value !== null) fields[name] = value;
  });
  return fields;
}

/** Null: neither a text nor a struct. */
function valueOf(reader: Reader, depth: number): string | TextStruct | null {
  let value: string | TextStruct | null = null;
  eachBytes(reader, (number, bytes) => {
    if (number === 3) value = utf8.decode(bytes);
    else if (number === 5) {
      if (depth <= 1) throw new Malformed();
      value = struct(new Reader(bytes), depth - 1);
    }
  });
  return value;
}

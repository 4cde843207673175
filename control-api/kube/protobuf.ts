/** Just enough of the protobuf wire format to write messages: https://protobuf.dev/programming-guides/encoding/ */

/** A message under construction. Fields come out in the order they are added; what is empty is left out, as proto3 does. */
export class Message {
  readonly #parts: Buffer[] = [];

  text(field: number, value: string | undefined): this {
    return value === undefined || value === '' ? this : this.#bytes(field, Buffer.from(value, 'utf8'));
  }

  texts(field: number, values: readonly string[] = []): this {
    // An empty one among several means something, unlike a single one.
    for (const value of values) this.#bytes(field, Buffer.from(value, 'utf8'));
    return this;
  }

  message(field: number, value: Message | undefined): this {
    return value === undefined ? this : this.#bytes(field, value.bytes());
  }

  messages(field: number, values: Iterable<Message>): this {
    for (const value of values) this.#bytes(field, value.bytes());
    return this;
  }

  bool(field: number, value: boolean | undefined): this {
    return value === true ? this.integer(field, 1) : this;
  }

  /** 0 and up. */
  integer(field: number, value: number | undefined): this {
    if (value === undefined || value === 0) return this;
    this.#parts.push(varint(field * 8), varint(value));
    return this;
  }

  double(field: number, value: number | undefined): this {
    if (value === undefined || value === 0) return this;
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    this.#parts.push(varint(field * 8 + 1), bytes);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #bytes(field: number, value: Buffer): this {
    this.#parts.push(varint(field * 8 + 2), varint(value.length), value);
    return this;
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** Docker's multiplexed stream: stdout and stderr of a container in one connection, in frames. */

/** https://docs.docker.com/reference/api/engine/version/v1.44/#tag/Container/operation/ContainerAttach, "Stream format" */
const HEAD = 8;
const STDERR = 2;
/** What Docker itself has to say of a stream that it cannot go on with (moby, pkg/stdcopy: Systemerr). */
const SYSTEM = 3;

export type Output = 'stdout' | 'stderr';

/** Takes the frames apart as bytes come; payloads are handed on as they are, without waiting for the rest of a frame. */
export class FrameReader {
  readonly #emit: (output: Output, bytes: Buffer) => void;
  readonly #head = Buffer.alloc(HEAD);
  /** Bytes of `#head` that are there. */
  #have = 0;
  /** Bytes of the frame's payload that are still to come. */
  #left = 0;

  constructor(emit: (output: Output, bytes: Buffer) => void) {
    this.#emit = emit;
  }

  /** Throws for what is no such stream. */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#left > 0) {
        const part = chunk.subarray(at, at + this.#left);
        this.#left -= part.length;
        at += part.length;
        this.#emit(this.#head[0]! < STDERR ? 'stdout' : 'stderr', part);
      } else {
        const part = chunk.subarray(at, at + HEAD - this.#have);
        this.#head.set(part, this.#have);
        this.#have += part.length;
        at += part.length;
        if (this.#have === HEAD) this.#begin();
      }
    }
  }

  #begin(): void {
    if (this.#head[0]! > SYSTEM || this.#head[1] !== 0 || this.#head[2] !== 0 || this.#head[3] !== 0)
      throw new Error(`expected the head of a frame of Docker's stream, got bytes ${this.#head.toString('hex')}`);
    this.#left = this.#head.readUInt32BE(4);
    this.#have = 0;
  }
}

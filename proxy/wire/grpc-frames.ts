/** Counts the messages of a gRPC stream: five bytes before each, of which four are its length (gRPC over HTTP/2, "Length-Prefixed-Message"). */

const PREFIX = 5;
/** gRPC-Web sends its trailers as a last frame with this bit; it is no message. */
const TRAILERS = 0x80;

export class GrpcFrames {
  /** Messages that have begun. */
  count = 0;
  /** Bytes of the prefix that are here. */
  #seen = 0;
  #flags = 0;
  #length = 0;
  /** Bytes of the message that are still to come. */
  #left = 0;

  /** The next bytes of the body, cut wherever. */
  feed(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const part = Math.min(this.#left, bytes.length - at);
        this.#left -= part;
        at += part;
        continue;
      }
      const byte = bytes[at++]!;
      if (this.#seen === 0) {
        this.#flags = byte;
        this.#length = 0;
      } else this.#length = this.#length * 256 + byte;
      if (++this.#seen < PREFIX) continue;
      this.#seen = 0;
      this.#left = this.#length;
      if ((this.#flags & TRAILERS) === 0) this.count++;
    }
  }
}

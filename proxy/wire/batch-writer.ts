/**
 * Collects what one turn of the event loop wants to write to a connection, so that a head and a small body leave in one
 * system call. Small pieces are joined as latin1 text, larger ones are written as they are, uncopied.
 */
import { writeLent } from './lent-reads.ts';

/** The part of a socket that is needed. */
export type ByteSink = {
  write(data: string, encoding: 'latin1'): boolean;
  write(data: Buffer, done?: () => void): boolean;
  cork(): void;
  uncork(): void;
  readonly writableNeedDrain: boolean;
};

/** Below this, copying is cheaper than another element of a writev. */
const SMALL = 8192;

export class BatchWriter {
  readonly #sink: ByteSink;
  #text = '';
  #corked = false;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  text(piece: string): void {
    this.#text += piece;
  }

  bytes(piece: Buffer): void {
    if (piece.length <= SMALL && this.#text.length <= SMALL) {
      this.#text += piece.latin1Slice(0, piece.length);
      return;
    }
    if (!this.#corked) {
      this.#corked = true;
      this.#sink.cork();
    }
    this.#writeText();
    writeLent(this.#sink, piece);
  }

  /** Forgets what has not been handed to the connection; false: some of it has. */
  takeBack(): boolean {
    if (this.#corked) return false;
    this.#text = '';
    return true;
  }

  /** False: the connection takes no more for now; it will say `drain`. */
  flush(): boolean {
    this.#writeText();
    if (this.#corked) {
      this.#corked = false;
      this.#sink.uncork();
    }
    return !this.#sink.writableNeedDrain;
  }

  #writeText(): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    this.#sink.write(text, 'latin1');
  }
}

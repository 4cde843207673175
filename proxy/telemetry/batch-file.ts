/** Appends text to a file or a pipe in large writes, without ever waiting: what does not fit the bounded buffer is dropped and counted. */
import { close, fstatSync, open, openSync, write } from 'node:fs';

export type BatchFileOptions = {
  /** An open descriptor (1: stdout), or a path that is opened for appending. */
  readonly to: number | string;
  /** Longest time a line waits to be written, ms. */
  readonly intervalMs?: number;
  /** A batch this large is written at once, characters. */
  readonly batch?: number;
  /** Largest backlog while the reader of a pipe is slow, characters. */
  readonly limit?: number;
  /** Several threads write to the same pipe: only writes of 4 KiB (PIPE_BUF) are not torn apart there. */
  readonly shared?: boolean;
  /** Told of lines that were dropped. */
  readonly onDrop?: (lines: number) => void;
};

const PIPE_BUF = 4096;
/** A full non-blocking pipe is tried again after so long, ms. */
const RETRY_MS = 20;

export class BatchFile {
  readonly #options: Required<Omit<BatchFileOptions, 'to'>>;
  readonly #path: string | null;
  readonly #piecewise: boolean;
  #fd: number;
  #pending: string[] = [];
  #size = 0;
  #timer: NodeJS.Timeout | null = null;
  #writing = false;
  #waiting: (() => void)[] = [];

  /** Throws when the path cannot be opened: a log that cannot be written is told at the start. */
  constructor({
    to,
    intervalMs = 20,
    batch = 65_536,
    limit = 4_194_304,
    shared = false,
    onDrop = () => {},
  }: BatchFileOptions) {
    this.#options = { intervalMs, batch, limit, shared, onDrop };
    this.#path = typeof to === 'string' ? to : null;
    this.#fd = typeof to === 'string' ? openSync(to, 'a') : to;
    this.#piecewise = shared && !fstatSync(this.#fd).isFile();
  }

  /** `line` ends in a line feed. */
  append(line: string): void {
    if (this.#size + line.length > this.#options.limit) {
      this.#options.onDrop(1);
      return;
    }
    this.#pending.push(line);
    this.#size += line.length;
    if (this.#size >= this.#options.batch) this.#writeNow();
    else this.#timer ??= setTimeout(() => this.#writeNow(), this.#options.intervalMs);
  }

  /** Resolves when all that was appended before has been written (or dropped). */
  flush(): Promise<void> {
    this.#writeNow();
    if (!this.#writing) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Opens the path again, after a log rotation has moved the file away. A descriptor that was given stays. Rejects when it cannot be opened. */
  async reopen(): Promise<void> {
    if (this.#path === null) return;
    const fd = await new Promise<number>((resolve, reject) =>
      open(this.#path!, 'a', (error, fd) => (error === null ? resolve(fd) : reject(error))),
    );
    await this.flush();
    const old = this.#fd;
    this.#fd = fd;
    close(old, () => {});
  }

  #writeNow(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#writing || this.#pending.length === 0) return;
    this.#writing = true;
    const lines = this.#pending;
    this.#pending = [];
    // Counted until written, so that the limit bounds what is in flight as well.
    const size = this.#size;
    this.#put(this.#piecewise ? pieces(lines) : [Buffer.from(lines.join(''))], () => {
      this.#size -= size;
      this.#writing = false;
      // Lines that came meanwhile follow at once when somebody waits for them or they make a batch.
      if (this.#pending.length > 0 && (this.#waiting.length > 0 || this.#size >= this.#options.batch)) this.#writeNow();
      else if (this.#pending.length > 0) this.#timer ??= setTimeout(() => this.#writeNow(), this.#options.intervalMs);
      else for (const done of this.#waiting.splice(0)) done();
    });
  }

  #put(chunks: readonly Buffer[], done: () => void, i = 0, offset = 0): void {
    const chunk = chunks[i];
    if (chunk === undefined) return done();
    write(this.#fd, chunk, offset, chunk.length - offset, null, (error, written) => {
      if (error?.code === 'EAGAIN') return void setTimeout(() => this.#put(chunks, done, i, offset), RETRY_MS);
      if (error !== null) {
        // Nobody reads any more (EPIPE), or the disk is full: these lines are lost, the next ones may not be.
        this.#options.onDrop(countLines(chunks, i, offset));
        return done();
      }
      if (offset + written < chunk.length) this.#put(chunks, done, i, offset + written);
      else this.#put(chunks, done, i + 1, 0);
    });
  }
}

function pieces(lines: readonly string[]): Buffer[] {
  const out: Buffer[] = [];
  let held: Buffer[] = [];
  let size = 0;
  for (const line of lines) {
    const bytes = Buffer.from(line);
    if (size > 0 && size + bytes.length > PIPE_BUF) {
      out.push(Buffer.concat(held));
      held = [];
      size = 0;
    }
    held.push(bytes);
    size += bytes.length;
  }
  out.push(Buffer.concat(held));
  return out;
}

function countLines(chunks: readonly Buffer[], from: number, offset: number): number {
  let lines = 0;
  for (let i = from; i < chunks.length; i++) {
    const chunk = i === from ? chunks[i]!.subarray(offset) : chunks[i]!;
    for (const byte of chunk) if (byte === 10) lines++;
  }
  return lines;
}

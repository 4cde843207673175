/** Appends text to a file or a pipe in large writes, without ever waiting: what does not fit the bounded buffer is dropped and counted. */
import { close, constants, fstatSync, open, openSync, write } from 'node:fs';

export type BatchFileOptions = {
  /** An open descriptor (1: stdout), or a path that is opened for appending. */
  readonly to: number | string;
  /** Longest time a line waits to be written, ms. Each write wakes two threads: at low load that is a good part of a request's cost. */
  readonly intervalMs?: number;
  /** A batch this large is written at once, bytes. */
  readonly batch?: number;
  /** Largest backlog while the reader of a pipe is slow, bytes. */
  readonly limit?: number;
  /** Several threads write to the same pipe: only writes of 4 KiB (PIPE_BUF) are not torn apart there. */
  readonly shared?: boolean;
  /** Told of lines that were dropped. */
  readonly onDrop?: (lines: number) => void;
};

const PIPE_BUF = 4096;
/** A full non-blocking pipe is tried again after so long, ms. */
const RETRY_MS = 20;
/** Room beyond a batch, so that the line that completes it still fits. */
const MARGIN = 16_384;
const LINE_FEED = 10;
/** Without waiting: a pipe that nobody reads is an error, not a halt. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
/** Logs tell who did what: not for everybody. */
const MODE = 0o640;

/** Lines become bytes as they come: kept as strings, they would outlive the collector's young generation and cost twice. */
export class BatchFile {
  readonly #options: Required<Omit<BatchFileOptions, 'to'>>;
  readonly #path: string | null;
  readonly #piecewise: boolean;
  #fd: number;
  /** What is being filled, and how far. */
  #page: Buffer | null = null;
  #used = 0;
  /** Full pages that wait for the write before them. */
  #full: Buffer[] = [];
  /** Bytes in all of them, and in what is being written. */
  #size = 0;
  /** A page that has been written, for the next time. */
  #spare: Buffer | null = null;
  #timer: NodeJS.Timeout | null = null;
  #writing = false;
  #waiting: (() => void)[] = [];
  /** A file to go on in, once `writes` more are in the old one, and who waits for that. */
  #next: { readonly fd: number; readonly writes: number; readonly done: readonly (() => void)[] } | null = null;

  /** Throws when the path cannot be opened: a log that cannot be written is told at the start. */
  constructor({
    to,
    intervalMs = 100,
    batch = 65_536,
    limit = 4_194_304,
    shared = false,
    onDrop = () => {},
  }: BatchFileOptions) {
    this.#options = { intervalMs, batch, limit, shared, onDrop };
    this.#path = typeof to === 'string' ? to : null;
    this.#fd = typeof to === 'string' ? openSync(to, FLAGS, MODE) : to;
    this.#piecewise = shared && !fstatSync(this.#fd).isFile();
  }

  /** `line` ends in a line feed. */
  append(line: string): void {
    // A character is three bytes of UTF-8 at most.
    const most = line.length * 3;
    if (this.#size + line.length > this.#options.limit) return this.#options.onDrop(1);
    if (this.#page === null || this.#used + most > this.#page.length) this.#turnPage(most);
    const bytes = this.#page!.utf8Write(line, this.#used);
    this.#used += bytes;
    this.#size += bytes;
    if (this.#used >= this.#options.batch) this.#writeNow();
    else this.#timer ??= setTimeout(() => this.#writeNow(), this.#options.intervalMs);
  }

  /** Resolves when all that was appended before has been written (or dropped). */
  flush(): Promise<void> {
    this.#writeNow();
    if (!this.#writing) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /**
   * Opens the path again, after a log rotation has moved the file away; resolves when the new one is in use. What was appended before is in
   * the old one, whole. A descriptor that was given stays. Rejects when the path cannot be opened.
   */
  async reopen(): Promise<void> {
    if (this.#path === null) return;
    const fd = await new Promise<number>((resolve, reject) =>
      open(this.#path!, FLAGS, MODE, (error, fd) => (error === null ? resolve(fd) : reject(error))),
    );
    return new Promise((resolve) => {
      const others = this.#next?.done ?? [];
      if (this.#next !== null) close(this.#next.fd, () => {});
      // Under way is a write of lines from before; those that wait make another.
      const waits = this.#used > 0 || this.#full.length > 0;
      this.#next = { fd, writes: (this.#writing ? 1 : 0) + (waits ? 1 : 0), done: [...others, resolve] };
      if (this.#next.writes === 0) this.#swap();
      else this.#writeNow();
    });
  }

  /** Writes what is left and gives the descriptor back, unless it was given. Nothing is appended after that. */
  async close(): Promise<void> {
    await this.flush();
    if (this.#path !== null) await new Promise<void>((resolve) => close(this.#fd, () => resolve()));
  }

  #swap(): void {
    const { fd, done } = this.#next!;
    this.#next = null;
    close(this.#fd, () => {});
    this.#fd = fd;
    for (const resolve of done) resolve();
  }

  /** A page with room for `most` bytes. */
  #turnPage(most: number): void {
    if (this.#page !== null && this.#used > 0) this.#full.push(this.#page.subarray(0, this.#used));
    const size = Math.max(this.#options.batch + MARGIN, most);
    this.#page = this.#spare !== null && this.#spare.length >= size ? this.#spare : Buffer.allocUnsafeSlow(size);
    this.#spare = null;
    this.#used = 0;
  }

  #writeNow(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#writing || (this.#used === 0 && this.#full.length === 0)) return;
    this.#writing = true;
    const pages = this.#full;
    this.#full = [];
    const last = this.#page;
    if (last !== null && this.#used > 0) pages.push(last.subarray(0, this.#used));
    this.#page = null;
    this.#used = 0;
    // Counted until written, so that the limit bounds what is in flight as well.
    const size = this.#size;
    this.#put(this.#piecewise ? pages.flatMap(pieces) : pages, () => {
      this.#size -= size;
      this.#spare = last;
      this.#writing = false;
      if (this.#next !== null) {
        this.#next = { ...this.#next, writes: this.#next.writes - 1 };
        if (this.#next.writes === 0) this.#swap();
      }
      // Lines that came meanwhile follow at once when somebody waits for them or they make a batch.
      if (this.#size > 0 && (this.#waiting.length > 0 || this.#next !== null || this.#size >= this.#options.batch))
        this.#writeNow();
      else if (this.#size > 0) this.#timer ??= setTimeout(() => this.#writeNow(), this.#options.intervalMs);
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

/** Cuts after line feeds, into pieces of 4 KiB at most where lines allow it. */
function pieces(page: Buffer): Buffer[] {
  const out: Buffer[] = [];
  for (let at = 0; at < page.length;) {
    let end = page.lastIndexOf(LINE_FEED, at + PIPE_BUF - 1) + 1;
    if (end <= at) end = page.indexOf(LINE_FEED, at) + 1 || page.length;
    out.push(page.subarray(at, end));
    at = end;
  }
  return out;
}

function countLines(chunks: readonly Buffer[], from: number, offset: number): number {
  let lines = 0;
  for (let i = from; i < chunks.length; i++) {
    const chunk = i === from ? chunks[i]!.subarray(offset) : chunks[i]!;
    for (const byte of chunk) if (byte === LINE_FEED) lines++;
  }
  return lines;
}

/** Writes long answers a page at a time. Who stops taking them is cut off, so that nothing is kept for somebody who has gone away. */
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { createGzip } from 'node:zlib';

/** A page that is not taken by then is not taken at all, ms (Prometheus: scrape_timeout is 10 s). */
const STALL_MS = 10_000;
/** So many answers at a time; when one more comes, the oldest is cut off. */
const MAX_WRITING = 16;

export class PageWriter {
  readonly #stallMs: number;
  readonly #writing = new Set<ServerResponse>();

  constructor(stallMs = STALL_MS) {
    this.#stallMs = stallMs;
  }

  /** Resolves when all is written, or the response is destroyed. Never rejects. */
  async write(pages: AsyncIterable<string>, response: ServerResponse, isZipped: boolean): Promise<void> {
    this.#begin(response);
    // Level 1: label sets repeat so much that the better levels gain little for several times the time.
    const zip = isZipped ? createGzip({ level: 1 }) : null;
    const out: Writable = zip ?? response;
    zip?.pipe(response);
    zip?.on('error', () => response.destroy());
    try {
      for await (const page of pages) {
        if (response.destroyed) break;
        if (!out.write(page) && !(await this.#drained(out, response))) break;
      }
      if (!response.destroyed) {
        out.end();
        await this.#finished(response);
      }
    } catch {
      // The status is out: a cut answer is the only way to say that something went wrong.
      response.destroy();
    } finally {
      zip?.destroy();
      this.#writing.delete(response);
    }
  }

  #begin(response: ServerResponse): void {
    const [oldest] = this.#writing;
    if (this.#writing.size >= MAX_WRITING) {
      oldest!.destroy();
      this.#writing.delete(oldest!);
    }
    this.#writing.add(response);
  }

  /** False: the response is over. */
  #drained(out: Writable, response: ServerResponse): Promise<boolean> {
    return this.#within(response, (done) => {
      out.once('drain', done);
      return () => out.off('drain', done);
    });
  }

  #finished(response: ServerResponse): Promise<boolean> {
    if (response.writableFinished) return Promise.resolve(true);
    return this.#within(response, (done) => {
      response.once('finish', done);
      return () => response.off('finish', done);
    });
  }

  #within(response: ServerResponse, listen: (done: () => void) => () => void): Promise<boolean> {
    if (response.destroyed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const end = (going: boolean): void => {
        clearTimeout(timer);
        forget();
        response.off('close', closed);
        resolve(going);
      };
      const closed = (): void => end(false);
      const timer = setTimeout(() => {
        response.destroy();
        end(false);
      }, this.#stallMs);
      const forget = listen(() => end(true));
      response.once('close', closed);
    });
  }
}

/** The files of access logs: one for the proxy, and those that the configuration names, bounded in number, each opened once. */
import { BatchFile, type BatchFileOptions } from './batch-file.ts';

export type LogFilesOptions = Omit<BatchFileOptions, 'to'> & {
  /** Where lines go that name no file of their own; null: nowhere. */
  readonly to: number | string | null;
  /** Told, in a sentence, when a file of the configuration cannot be opened. */
  readonly onProblem?: (message: string) => void;
};

export type Sink = { append(line: string): void };

/** Descriptors of one worker that configuration may take. */
const MOST_FILES = 32;
/** As Istio writes them: the streams of the process, whatever the path would open. */
const STREAMS: Readonly<Record<string, number>> = { '/dev/stdout': 1, '/dev/stderr': 2 };

export class LogFiles {
  readonly #options: LogFilesOptions;
  readonly #main: BatchFile | null;
  /** Null: it cannot be opened, its lines are lost and counted. */
  readonly #files = new Map<string, BatchFile | null>();
  readonly #told = new Set<string>();

  /** Throws when `to` cannot be opened: a log that cannot be written is told at the start. */
  constructor(options: LogFilesOptions) {
    this.#options = options;
    this.#main = options.to === null ? null : new BatchFile({ ...options, to: options.to });
  }

  /** Closes what no path names any more, once it is written, and tries again what could not be opened. */
  only(paths: readonly (string | null)[]): void {
    for (const [path, file] of this.#files) {
      if (file !== null && paths.includes(path)) continue;
      this.#files.delete(path);
      if (!paths.includes(path)) this.#told.delete(path);
      void file?.close();
    }
  }

  /** Where lines for `path` go; null: they are not wanted. */
  sink(path: string | null): Sink | null {
    if (path === null) return this.#main;
    const { to } = this.#options;
    if (path === to || (path in STREAMS && STREAMS[path] === to)) return this.#main;
    if (!this.#files.has(path)) this.#files.set(path, this.#open(path));
    // Asked for line by line: a file that could not be opened may be there after a rotation.
    return { append: (line) => this.#append(path, line) };
  }

  /** Resolves when all that was appended before has been written (or dropped). */
  async flush(): Promise<void> {
    await Promise.all(this.#all().map((file) => file.flush()));
  }

  /** After a rotation. Rejects when one cannot be opened; the others are. */
  async reopen(): Promise<void> {
    for (const [path, file] of this.#files) if (file === null) this.#files.set(path, this.#open(path));
    const done = await Promise.allSettled(this.#all().map((file) => file.reopen()));
    for (const result of done) if (result.status === 'rejected') throw result.reason;
  }

  #all(): BatchFile[] {
    return [this.#main, ...this.#files.values()].filter((file) => file !== null);
  }

  #append(path: string, line: string): void {
    const file = this.#files.get(path);
    if (file === null || file === undefined) this.#options.onDrop?.(1);
    else file.append(line);
  }

  #open(path: string): BatchFile | null {
    try {
      if (this.#files.size >= MOST_FILES) throw new Error(`more than ${MOST_FILES} files`);
      return new BatchFile({ ...this.#options, to: Object.hasOwn(STREAMS, path) ? STREAMS[path]! : path });
    } catch (error) {
      const problem = `access log ${path}: ${(error as Error).message}; its lines are dropped`;
      if (!this.#told.has(path)) this.#options.onProblem?.(problem);
      this.#told.add(path);
      return null;
    }
  }
}

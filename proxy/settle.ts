/** What a thread does once it has settled: keeps what V8 compiled for the next start, and gives back memory that starting and compiling took. */
import { flushCompileCache } from 'node:module';
import { getHeapStatistics } from 'node:v8';

/** By then everything that a start needs has been loaded, and a burst of changes is over, ms. */
const SETTLED_MS = 1000;

/**
 * Writes Node's compile cache soon, instead of at a clean exit only: a process that is killed (OOM, SIGKILL, a crashed machine) would
 * start slowly and 20 MB larger again, and so would all that start meanwhile. Does nothing without NODE_COMPILE_CACHE.
 */
export function keepCompiledCode(): void {
  setTimeout(() => flushCompileCache(), SETTLED_MS).unref();
}

/** Garbage worth a collection, bytes. */
const WORTH = 4 * 1024 * 1024;

/**
 * Collects garbage when a thread that has little to do otherwise has been at work: V8 collects when more is allocated, and an idle
 * thread allocates nothing. 10,000 routes leave 120 MB behind, which nobody would ever ask for again. Blocks the thread for as long as
 * a full collection takes (10 to 100 ms): for the main thread, never for one that serves requests.
 */
export class Collector {
  readonly #collect: () => void;
  readonly #used: () => number;
  #live = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(collect: () => void = collectAll(), used = (): number => getHeapStatistics().used_heap_size) {
    this.#collect = collect;
    this.#used = used;
  }

  /** Something was done that leaves garbage. */
  afterWork(): void {
    this.#timer?.refresh();
    this.#timer ??= setTimeout(() => this.#look(), SETTLED_MS).unref();
  }

  #look(): void {
    this.#timer = null;
    if (this.#used() - this.#live < WORTH) return;
    this.#collect();
    this.#live = this.#used();
  }
}

/**
 * V8's own collection, with which it also gives memory back. It is there under `--expose-gc`, which the launcher sets; to set it while
 * a process runs would make V8 refuse its compile cache, which is made under a hash of all flags.
 */
function collectAll(): () => void {
  const { gc } = globalThis as { gc?: (options: object) => void };
  return gc === undefined ? () => undefined : () => gc({ type: 'major', flavor: 'last-resort' });
}

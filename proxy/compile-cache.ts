/** Keeps what V8 compiled, and the types that were stripped, for the next start. */
import { flushCompileCache } from 'node:module';

/** By then everything that a start needs has been loaded, ms. */
const SETTLED_MS = 1000;

/**
 * Writes Node's compile cache soon, instead of at a clean exit only: a process that is killed (OOM, SIGKILL, a crashed machine) would
 * start slowly and 20 MB larger again, and so would all that start meanwhile. Does nothing without NODE_COMPILE_CACHE.
 */
export function keepCompiledCode(): void {
  setTimeout(() => flushCompileCache(), SETTLED_MS).unref();
}

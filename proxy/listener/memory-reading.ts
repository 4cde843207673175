/** How much of its memory a worker has taken: of its heap's limit, and the process of what the machine gives it. */
import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';

/** Shares, 0 … 1; 0: there is no limit. */
export type MemoryReading = {
  /** The JavaScript heap of this thread. */
  readonly heap: number;
  /** What the process holds in memory (RSS). */
  readonly process: number;
};

/** `limit`: of the process, bytes; null: that of its cgroup. What it returns reads both; some 10 µs. */
export function memoryReader(limit: number | null): () => MemoryReading {
  const allowed = limit ?? cgroupLimit();
  return () => {
    const { used_heap_size: used, heap_size_limit: most } = getHeapStatistics();
    return { heap: used / most, process: allowed === null ? 0 : process.memoryUsage.rss() / allowed };
  };
}

/** Bytes; null when none is set (libuv then reports nothing, all of the machine's memory, or a number beyond it). */
function cgroupLimit(): number | null {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : null;
}

/** What a process tree has used: CPU time and memory, read from Linux's /proc. */
import { readFileSync, readdirSync } from 'node:fs';

/** Clock ticks per second of /proc/<pid>/stat; USER_HZ is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export type Memory = {
  /** Proportional set size in bytes: shared pages are split among those who map them. */
  readonly pss: number;
  /** Resident set size in bytes: shared pages count whole. */
  readonly rss: number;
  /** Bytes that nobody else maps. */
  readonly own: number;
  /** Bytes that belong to no file: heaps and stacks. */
  readonly anonymous: number;
};

/** CPU time of the whole process tree under `pid` so far, in microseconds; of all threads that are still alive. */
export function cpuTimeUs(pid: number): number {
  return treeOf(pid).reduce((sum, each) => sum + cpuOfProcess(each), 0);
}

/** Memory of the whole process tree under `pid`. */
export function memoryOf(pid: number): Memory {
  const parts = treeOf(pid).map((each) => parseRollup(readOrEmpty(`/proc/${each}/smaps_rollup`)));
  const sum = (pick: (memory: Memory) => number): number => parts.reduce((total, each) => total + pick(each), 0);
  return { pss: sum((m) => m.pss), rss: sum((m) => m.rss), own: sum((m) => m.own), anonymous: sum((m) => m.anonymous) };
}

/** CPU time of each living thread of the tree so far, in microseconds, by thread id. */
export function threadTimesUs(pid: number): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const each of treeOf(pid))
    for (const thread of listOrEmpty(`/proc/${each}/task`)) times.set(thread, cpuOfThread(each, thread));
  return times;
}

/** Whether this system has what the functions above read. */
export function canAccount(): boolean {
  return readOrEmpty(`/proc/${process.pid}/stat`) !== '';
}

function cpuOfProcess(pid: number): number {
  return listOrEmpty(`/proc/${pid}/task`).reduce((sum, thread) => sum + cpuOfThread(pid, thread), 0);
}

function cpuOfThread(pid: number, thread: string): number {
  const exact = parseSchedstat(readOrEmpty(`/proc/${pid}/task/${thread}/schedstat`));
  return exact ?? parseStat(readOrEmpty(`/proc/${pid}/task/${thread}/stat`))?.cpuUs ?? 0;
}

/** `pid` and all its descendants. */
function treeOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of listOrEmpty('/proc')) {
    const stat = /^\d+$/.test(entry) ? parseStat(readOrEmpty(`/proc/${entry}/stat`)) : null;
    if (stat !== null) children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(entry)]);
  }
  const tree = [pid];
  for (const each of tree) tree.push(...(children.get(each) ?? []));
  return tree;
}

/** `/proc/<pid>/task/<tid>/schedstat`: nanoseconds on a CPU first. Null where the kernel does not count them (all zero). */
export function parseSchedstat(text: string): number | null {
  const ns = Number(text.split(' ')[0]);
  return Number.isFinite(ns) && ns > 0 ? ns / 1000 : null;
}

/** `/proc/<pid>/stat` (proc(5)): field 4 the parent, 14 and 15 user and system time in ticks. The name in parentheses may hold spaces and parentheses. */
export function parseStat(text: string): { parent: number; cpuUs: number } | null {
  const end = text.lastIndexOf(')');
  if (end < 0) return null;
  const fields = text.slice(end + 2).split(' ');
  const [parent, user, system] = [Number(fields[1]), Number(fields[11]), Number(fields[12])];
  return Number.isInteger(parent) && Number.isFinite(user + system)
    ? { parent, cpuUs: ((user + system) * 1_000_000) / TICKS_PER_SECOND }
    : null;
}

/** `/proc/<pid>/smaps_rollup`: lines such as `Pss:   12082 kB`. */
export function parseRollup(text: string): Memory {
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return {
    pss: bytes('Pss'),
    rss: bytes('Rss'),
    own: bytes('Private_Clean') + bytes('Private_Dirty'),
    anonymous: bytes('Anonymous'),
  };
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process or thread has just ended
  }
}

function listOrEmpty(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Children of the benchmark: started on their core, stopped by their own process id, never left behind. */
import { spawn, spawnSync, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBinary } from './targets/binary.ts';

export type Child = AsyncDisposable & {
  readonly pid: number;
  readonly process: ChildProcess;
  readonly complaints: () => string;
};

/** `any`: wherever the kernel likes, for what needs more than one core. */
export type Role = 'proxy' | 'load' | 'any';

const taskset = findBinary('taskset');
const living = new Set<ChildProcess>();
const scratch = new Set<string>();
/** Children die with the benchmark even when it is killed outright (PR_SET_PDEATHSIG, Linux). */
const leash = leashOf(findBinary('setpriv'));

/** The proxy gets core 0 for itself; load and origin share core 1. Null where cores cannot be given out. */
export const CORES = taskset !== null && cpus().length >= 2 ? { proxy: 0, load: 1 } : null;

process.on('exit', () => {
  for (const child of living) signalGroup(child, 'SIGKILL');
  for (const dir of scratch) rmSync(dir, { recursive: true, force: true });
});

/** Lets a signal end this program by way of `process.exit`, so that children and folders go with it. */
export function exitOnSignals(): void {
  const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(codes[signal]));
}

/** A folder that is gone after its block, and in any case when this program ends. */
export function scratchFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'lateen-bench-'));
  scratch.add(path);
  return {
    path,
    [Symbol.dispose]: () => {
      rmSync(path, { recursive: true, force: true });
      scratch.delete(path);
    },
  };
}

/** Starts `command` on the core of its role, in a process group of its own. Its stderr is kept (last 4 kB) for error messages. */
export function start(
  role: Role,
  command: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly stdout?: 'pipe' | 'ignore'; readonly cwd?: string } = {},
): Child {
  const pinned = CORES === null || role === 'any' ? [] : [taskset!, '-c', String(CORES[role])];
  const [file = '', ...args] = [...leash, ...pinned, ...command];
  const stdio: StdioOptions = ['ignore', options.stdout ?? 'ignore', 'pipe'];
  const child = spawn(file, args, {
    stdio,
    detached: true,
    env: options.env ?? process.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  living.add(child);
  let complaints = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-4000);
  });
  child.on('error', (cause) => {
    complaints += String(cause);
  });
  return {
    pid: child.pid ?? -1,
    process: child,
    complaints: () => complaints,
    [Symbol.asyncDispose]: () => stop(child),
  };
}

/** SIGTERM, and SIGKILL after two seconds; whatever it started goes with it. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 2000);
    await exited;
    clearTimeout(timer);
  }
  signalGroup(child, 'SIGKILL');
  living.delete(child);
}

/** To the child and its descendants: nginx's workers, for one, outlive a master that is killed. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // nobody is left
  }
}

function leashOf(setpriv: string | null): string[] {
  if (setpriv === null) return [];
  const command = [setpriv, '--pdeathsig', 'KILL', '--'];
  return spawnSync(setpriv, [...command.slice(1), 'true'], { timeout: 5000 }).status === 0 ? command : [];
}

/** What a short-lived child prints; an error with its own words when it fails or takes longer than `limitMs`. `onFirst`: it has begun to print. */
export async function output(
  role: Role,
  command: readonly string[],
  limitMs: number,
  onFirst: () => void = () => undefined,
): Promise<string> {
  await using child = start(role, command, { stdout: 'pipe' });
  const timer = setTimeout(() => child.process.kill('SIGKILL'), limitMs);
  let text = '';
  child.process.stdout?.setEncoding('utf8').on('data', (part: string) => {
    if (text === '') onFirst();
    text += part;
  });
  const [code, signal] = (await once(child.process, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${command[0]} left with ${signal ?? `code ${code}`}: ${child.complaints()}`);
  return text;
}

/** A port of `host` that nobody uses at this moment. */
export async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error(`no port of ${host} could be had`);
  return address.port;
}

/** Waits until somebody accepts on host:port; fails when `child` ends first, or after `limitMs`. */
export async function listening(child: Child, host: string, port: number, limitMs = 15_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await accepts(host, port))) {
    const { exitCode, signalCode } = child.process;
    if (exitCode !== null || signalCode !== null)
      throw new Error(`left with ${signalCode ?? `code ${exitCode}`}: ${child.complaints()}`);
    if (performance.now() > end)
      throw new Error(`not listening on ${host}:${port} after ${limitMs} ms: ${child.complaints()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

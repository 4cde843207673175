/** Starts programs, each in a process group of its own that never outlives the runner. */
import { spawn as nodeSpawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { constants } from 'node:os';
import { PassThrough, Readable, type Writable } from 'node:stream';
import { startReaper } from './reaper.ts';

export type Program = {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
};

export type Exit = {
  /** As a shell tells it: 128 + signal number for a process that a signal ended; 127 for one that could not be started. */
  readonly code: number;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started at all; null otherwise. */
  readonly error: string | null;
};

export type Running = {
  /** Undefined: it could not be started (`exited` tells why). */
  readonly pid: number | undefined;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exited: Promise<Exit>;
  /** To the whole group; nothing happens when it has ended. */
  signal(name: NodeJS.Signals): void;
};

export type Spawn = (program: Program) => Running;

export type Processes = {
  readonly spawn: Spawn;
  /** Lets the reaper go; call it when all have ended. */ close(): void;
};

/** Real processes. When this process dies, however it does, a reaper kills what is left of them. */
export function realProcesses(): Processes {
  const reaper = startReaper();
  return {
    spawn(program) {
      const [file = '', ...args] = program.argv;
      // Detached: a group of its own, so that Ctrl-C in the terminal reaches the runner alone, which then ends them in order.
      const child = spawned(() =>
        nodeSpawn(file, args, { cwd: program.cwd, env: program.env, stdio: 'pipe', detached: true }),
      );
      if (typeof child === 'string') return unstarted(child);
      if (child.pid !== undefined) reaper.watch(child.pid);
      // Writing to a process that has ended is its business, not ours.
      child.stdin.on('error', () => {});
      return {
        pid: child.pid,
        stdin: child.stdin,
        stdout: child.stdout,
        stderr: child.stderr,
        exited: exitOf(child).then((exit) => {
          if (child.pid !== undefined) endGroup(child.pid);
          if (child.pid !== undefined) reaper.forget(child.pid);
          return exit;
        }),
        signal: (name) => signalGroup(child, name),
      };
    },
    close: () => reaper.close(),
  };
}

/** What Node refuses at once (an argument list that is too long, a NUL byte) by its code alone: the message may quote a secret. */
function spawned(start: () => ChildProcessWithoutNullStreams): ChildProcessWithoutNullStreams | string {
  try {
    return start();
  } catch (error) {
    return `the program cannot be started (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`;
  }
}

const unstarted = (error: string): Running => ({
  pid: undefined,
  stdin: new PassThrough(),
  stdout: Readable.from([]),
  stderr: Readable.from([]),
  exited: Promise.resolve({ code: 127, signal: null, error }),
  signal() {},
});

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ code: 127, signal: null, error: error.message });
    });
    child.once('exit', (code, signal) =>
      resolve({ code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]), signal, error: null }),
    );
  });
}

function signalGroup(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, name);
  } catch {
    child.kill(name);
  }
}

/** What a program left running behind it ends with it. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing was left.
  }
}

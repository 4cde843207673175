/**
 * Network namespaces for tests (Linux, root): each is a machine of its own with one interface, all on one bridge, none with a way
 * to the world. They are named `lt-<pid>-<n>-<name>`, and go with the test, however it ends.
 *
 * ```ts
 * const network = await startNetwork();
 * const app = await network.host('app');         // 10.203.0.2, fd42:cafe::2
 * const database = await network.host('mysql');  // 10.203.0.3, fd42:cafe::3
 * const server = await database.start('mariadbd', ['--port=3306'], { ready: /ready for connections/ });
 * const { stdout } = await app.run('mariadb', ['-h', database.ip, '-e', 'SELECT 1']);
 * await network[Symbol.asyncDispose]();          // in afterAll: ends every process, removes every namespace
 * ```
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';

export type Network = AsyncDisposable & {
  /** A new machine with the next address. `addresses`: more of 10.203.0.0/16 and fd42:cafe::/32 that are its own, too. */
  host(name: string, addresses?: readonly string[]): Promise<Host>;
};

export type Host = {
  /** The namespace: for `ip -n NAME …`. */
  readonly name: string;
  readonly ip: string;
  readonly ipv6: string;
  /** Runs a program to its end, whatever its exit code. */
  run(file: string, args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Starts a program that goes on until it is stopped; resolves once it has printed what `ready` matches, rejects when it ends first. */
  start(file: string, args: readonly string[], options: RunOptions & { readonly ready: RegExp }): Promise<Running>;
};

export type RunOptions = {
  /** User and group (by default of the same number) to run it as, with no capability but to read everything; root by default. */
  readonly uid?: number;
  readonly gid?: number;
  /** More of the environment; of that of the test, it has PATH and HOME only. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
};

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type Running = AsyncDisposable & {
  readonly pid: number;
  /** Everything it has printed so far, on stdout and stderr. */
  output(): string;
  /** Resolves once what it has printed matches; rejects, with what it printed, when it ends first or 20 s have passed. */
  printed(pattern: RegExp): Promise<void>;
  /** SIGTERM, and SIGKILL after 5 s. */
  stop(): Promise<void>;
};

const ROOT = new URL('../..', import.meta.url).pathname;
/** As scripts/with-node.sh has it: programs of this project start in half the time. */
const NODE_COMPILE_CACHE = `${ROOT}node_modules/.cache/node-compile`;
const PREFIX_LENGTH = { v4: 16, v6: 32 };
const READY_MS = 20_000;
const STOP_MS = 5000;

let networks = 0;
/** Namespaces that are there, for an end without goodbye. */
const living = new Set<string>();

/** Null when namespaces can be made here, or a sentence why not. `tools`: programs that the tests need besides. */
export function whyNoNamespaces(tools: readonly string[] = []): string | null {
  if (process.platform !== 'linux') return 'network namespaces are of Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  for (const tool of ['ip', 'nsenter', 'setpriv', ...tools]) {
    // ip knows -V only, but to be there is enough.
    if (spawnSync(tool, ['--version']).error !== undefined) return `${tool} is not installed`;
  }
  const tried = spawnSync('unshare', ['--net', 'setpriv', ...demoted(1337, 1337), 'true'], { encoding: 'utf8' });
  return tried.status === 0 ? null : `no network namespace can be made here: ${tried.stderr.trim()}`;
}

/** An empty network: a bridge (10.203.0.1, fd42:cafe::1) in a namespace of its own, which forwards nothing. */
export async function startNetwork(): Promise<Network> {
  const prefix = `lt-${process.pid}-${++networks}`;
  const bridge = `${prefix}-bridge`;
  const running = new Set<ChildProcess>();
  let hosts = 1;
  if (networks === 1) process.once('exit', removeLiving);
  const dispose = async (): Promise<void> => {
    await Promise.all([...running].map(end));
    for (const name of [...living].filter((n) => n.startsWith(`${prefix}-`))) remove(name);
  };
  const make = async (name: string, more: readonly string[]): Promise<void> => {
    living.add(name);
    await ip(['netns', 'add', name]);
    await ip(['-n', name, '-batch', '-'], ['link set lo up', ...more].join('\n'));
  };
  try {
    await make(bridge, [
      'link add br0 type bridge',
      ...addresses('br0', ['10.203.0.1', 'fd42:cafe::1']),
      'link set br0 up',
    ]);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    host: async (label, more = []) => {
      const n = ++hosts;
      const name = `${prefix}-${label}`;
      const [v4, v6] = [`10.203.0.${n}`, `fd42:cafe::${n.toString(16)}`];
      await make(name, [
        `link add eth0 type veth peer name v${n} netns ${bridge}`,
        ...addresses('eth0', [v4, v6, ...more]),
        'link set eth0 up',
        'route add default via 10.203.0.1',
        'route add default via fd42:cafe::1',
      ]);
      await ip(['-n', bridge, '-batch', '-'], `link set v${n} master br0 up`);
      return hostIn(name, v4, v6, running);
    },
    [Symbol.asyncDispose]: dispose,
  };
}

/** Without duplicate address detection: it would take a second. */
const addresses = (device: string, all: readonly string[]): string[] =>
  all.map((a) =>
    a.includes(':')
      ? `address add ${a}/${PREFIX_LENGTH.v6} dev ${device} nodad`
      : `address add ${a}/${PREFIX_LENGTH.v4} dev ${device}`,
  );

/** Arguments of setpriv. It may read everything: a checkout may be below /root. */
const demoted = (uid: number, gid: number): string[] => {
  const only = '-all,+dac_read_search';
  const caps = ['--bounding-set', '--inh-caps', '--ambient-caps'].map((set) => `${set}=${only}`);
  return [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...caps];
};

function hostIn(name: string, v4: string, v6: string, running: Set<ChildProcess>): Host {
  const open = (file: string, args: readonly string[], { uid, gid, env = {} }: RunOptions): ChildProcess => {
    const as = uid === undefined ? [] : ['setpriv', ...demoted(uid, gid ?? uid)];
    const child = spawn('nsenter', [`--net=/run/netns/${name}`, '--', ...as, file, ...args], {
      cwd: ROOT,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_COMPILE_CACHE, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    running.add(child);
    child.once('close', () => running.delete(child));
    return child;
  };
  return {
    name,
    ip: v4,
    ipv6: v6,
    run: (file, args, options = {}) => {
      const child = open(file, args, options);
      return ran(child, options.input);
    },
    start: async (file, args, options) => {
      const child = open(file, args, options);
      child.stdin?.on('error', () => {}).end(options.input ?? '');
      const process = watched(child);
      try {
        await process.printed(options.ready);
      } catch (error) {
        await process.stop();
        throw error;
      }
      return process;
    },
  };
}

function watched(child: ChildProcess): Running {
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      child.emit('printed');
    });
  const stop = (): Promise<void> => end(child);
  return {
    pid: child.pid ?? 0,
    output: () => text,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const fail = (why: string): void =>
          settle(new Error(`${child.spawnargs.join(' ')}: ${why}, and printed:\n${text}`));
        const look = (): void => {
          if (pattern.test(text)) settle(null);
        };
        const ended = (): void => fail(`ended with ${child.exitCode ?? child.signalCode}`);
        const failed = (error: Error): void => fail(error.message);
        const timer = setTimeout(() => fail(`nothing matched ${pattern} in ${READY_MS} ms`), READY_MS);
        const settle = (error: Error | null): void => {
          clearTimeout(timer);
          child.off('printed', look).off('close', ended).off('error', failed);
          if (error === null) resolve();
          else reject(error);
        };
        child.on('printed', look).on('close', ended).on('error', failed);
        look();
        if (isOver(child)) setImmediate(ended);
      }),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function ran(child: ChildProcess, input = ''): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const out = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name]?.setEncoding('utf8').on('data', (chunk: string) => (out[name] += chunk));
    child.on('error', reject).on('close', (code) => resolve({ code: code ?? 128, ...out }));
    child.stdin?.on('error', () => {}).end(input);
  });
}

const isOver = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function end(child: ChildProcess): Promise<void> {
  if (isOver(child) || child.pid === undefined) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = new AbortController();
  const killed = wait(STOP_MS, null, { signal: late.signal }).then(
    () => child.kill('SIGKILL'),
    () => false,
  );
  await exited;
  late.abort();
  await killed;
}

/** With whatever a program has left running in it. */
function remove(name: string): void {
  const pids = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).stdout ?? '';
  for (const pid of pids.split('\n').filter((line) => line !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // over in the meantime
    }
  }
  spawnSync('ip', ['netns', 'del', name]);
  living.delete(name);
}

function removeLiving(): void {
  for (const name of living) remove(name);
}

async function ip(args: readonly string[], input?: string): Promise<void> {
  const { code, stderr } = await ran(spawn('ip', args, { stdio: ['pipe', 'pipe', 'pipe'] }), input);
  if (code !== 0) throw new Error(`ip ${args.join(' ')} ended with ${code}: ${stderr}\n${input ?? ''}`);
}

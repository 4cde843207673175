/** A whole mesh of its own for a test: `lateen up` as a child process, on addresses, ports and state that nobody else has. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts, pause, steer, type Steered } from './steer.ts';

export type MeshOptions = {
  /** Starts with nothing in it; otherwise with BookInfo and its gateway, as `npm start`. */
  readonly empty?: boolean;
  /** More arguments for `lateen up`. */
  readonly args?: readonly string[];
};

export type Mesh = AsyncDisposable &
  Steered & {
    readonly pid: number;
    /** What `lateen up` has printed so far. */
    output(): string;
  };

const ROOT = new URL('../..', import.meta.url).pathname;
const START_DEADLINE_MS = 60_000;

/** Resolves once the mesh says it is ready; rejects, with what it printed, when it ends before or takes over a minute. */
export async function startMesh({ empty = false, args = [] }: MeshOptions = {}): Promise<Mesh> {
  const state = await mkdtemp(join(tmpdir(), 'lateen-mesh-'));
  const [controlPort, gatewayPort, tlsPort] = (await freePorts(3)) as [number, number, number];
  const flags = {
    port: controlPort,
    'gateway-port': gatewayPort,
    'gateway-tls-port': tlsPort,
    'pod-cidr': `127.${90 + (process.pid % 100)}.0.0/16`,
    state,
  };
  const argv = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(join(ROOT, 'lateen'), ['up', ...(empty ? ['--empty'] : []), ...argv, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const control = `http://127.0.0.1:${controlPort}`;
  const gateway = `http://127.0.0.1:${gatewayPort}`;
  const stop = async (): Promise<void> => {
    await end(child);
    // What the proxies and applications logged is there to be read after a failure.
    if (process.env['LATEEN_KEEP_STATE'] === '1') process.stderr.write(`kept ${state}\n${printed}`);
    else await rm(state, { recursive: true, force: true });
  };
  try {
    await ready(control, child, () => printed);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...steer(control, gateway, join(state, 'kubectl-cache')),
    pid: child.pid!,
    output: () => printed,
    [Symbol.asyncDispose]: stop,
  };
}

async function ready(control: string, child: ChildProcess, printed: () => string): Promise<void> {
  const deadline = performance.now() + START_DEADLINE_MS;
  let last = 'nobody answers';
  while (child.exitCode === null && child.signalCode === null) {
    try {
      const answer = await fetch(`${control}/lateen/v1/ready`);
      if (answer.status === 200) return;
      last = `${answer.status} ${await answer.text()}`;
    } catch {
      // not listening yet
    }
    if (performance.now() > deadline) throw new Error(`lateen up was not ready in time (${last}):\n${printed()}`);
    await pause(50);
  }
  throw new Error(`lateen up ended before it was ready:\n${printed()}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const kill = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await exited;
  clearTimeout(kill);
}

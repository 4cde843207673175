/** A whole mesh of its own for a test: `lateen up` as a child process, on addresses, ports and state that nobody else has. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchPage, type Page } from './page.ts';
import { startLoad, type Load, type LoadOptions } from './load.ts';

export type MeshOptions = {
  /** Starts with nothing in it; otherwise with BookInfo and its gateway, as `npm start`. */
  readonly empty?: boolean;
  /** More arguments for `lateen up`. */
  readonly args?: readonly string[];
};

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type Mesh = AsyncDisposable & {
  /** `http://127.0.0.1:41234`: the ingress gateway. */
  readonly gateway: string;
  /** The control API. */
  readonly control: string;
  readonly pid: number;
  /** Runs the stock kubectl against this mesh; throws, with what it said, when its exit code is not 0. */
  kubectl(...args: readonly string[]): Promise<string>;
  /** The same, whatever its exit code. `input` goes to its standard input. */
  tryKubectl(args: readonly string[], input?: string): Promise<Ran>;
  /** The product page through the gateway, signed in as `user` when one is given. */
  page(user?: string): Promise<Page>;
  /** So many pages, one after the other. */
  pages(count: number, user?: string): Promise<Page[]>;
  /** Pages without pause until it is stopped, each of which must be whole and without an error in it. */
  load(options?: LoadOptions): Load;
  /** Resolves, with the milliseconds it took, once every proxy has what was last applied. */
  settled(): Promise<number>;
  /** By pod: requests its proxy has seen fail for want of an answer (502, 503, 504, or the caller gone). A retry hides them from pages. */
  failures(): Promise<Map<string, number>>;
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
  const sessions = new Map<string, string>();
  const page = (user?: string): Promise<Page> => fetchPage(gateway, sessions, user);
  const tryKubectl = (args: readonly string[], input?: string): Promise<Ran> =>
    run('kubectl', ['--server', control, '--cache-dir', join(state, 'kubectl-cache'), ...args], input);
  return {
    gateway,
    control,
    pid: child.pid!,
    tryKubectl,
    kubectl: async (...args) => {
      const { code, stdout, stderr } = await tryKubectl(args);
      if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
      return stdout;
    },
    page,
    pages: async (count, user) => {
      const all: Page[] = [];
      while (all.length < count) all.push(await page(user));
      return all;
    },
    load: (options) => startLoad(gateway, options),
    settled: () => settled(control),
    failures: () => failures(control),
    output: () => printed,
    [Symbol.asyncDispose]: stop,
  };
}

export function run(file: string, args: readonly string[], input?: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    // No kubeconfig of this machine, nor a proxy, may lead it elsewhere.
    const env = {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      KUBECONFIG: join(tmpdir(), 'lateen-no-kubeconfig'),
    };
    const child = spawn(file, args, { cwd: ROOT, env, stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject).on('close', (code) => resolve({ code: code ?? 128, stdout, stderr }));
    child.stdin.on('error', () => {}).end(input ?? '');
  });
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

async function settled(control: string): Promise<number> {
  const started = performance.now();
  for (;;) {
    const answer = await fetch(`${control}/lateen/v1/proxies`);
    const { proxies } = (await answer.json()) as { proxies: readonly { sync: string }[] };
    if (proxies.length > 0 && proxies.every(({ sync }) => sync === 'SYNCED')) return performance.now() - started;
    if (performance.now() - started > 10_000)
      throw new Error(`not all proxies came to agree: ${JSON.stringify(proxies)}`);
    await pause(10);
  }
}

async function failures(control: string): Promise<Map<string, number>> {
  const { items } = (await (await fetch(`${control}/api/v1/pods`)).json()) as { items: readonly PodView[] };
  const counts = items.map(async ({ metadata, status }): Promise<[string, number]> => {
    const metrics = await (await fetch(`http://${status.podIP}:15090/stats/prometheus`)).text();
    const failed = [
      ...metrics.matchAll(/^istio_requests_total\{[^\n]*response_code="(?:0|502|503|504)"[^\n]*\} (\d+)/gm),
    ];
    return [metadata.name, failed.reduce((sum, [, count]) => sum + Number(count), 0)];
  });
  return new Map(await Promise.all(counts));
}

type PodView = { readonly metadata: { readonly name: string }; readonly status: { readonly podIP: string } };

/** Between two looks at something that tells nobody when it changes. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Held together, so that they differ; then let go for the mesh to take. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

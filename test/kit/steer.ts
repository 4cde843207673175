/** A running mesh, steered from outside by its gateway and its control API: pages, the stock kubectl, and what its proxies say. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLoad, type Load, type LoadOptions } from './load.ts';
import { fetchPage, type Page } from './page.ts';

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** What one does to a running mesh from outside, wherever it runs, and sees of it. */
export type Steered = {
  /** `http://127.0.0.1:41234`: the ingress gateway. */
  readonly gateway: string;
  /** The control API. */
  readonly control: string;
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
  /** Resolves, with the milliseconds it took, once every proxy has what was last applied; but for that of this pod, which is dead. */
  settled(dead?: string): Promise<number>;
  /** By pod: requests its proxy has seen fail for want of an answer (502, 503, 504, or the caller gone). A retry hides them from pages. */
  failures(): Promise<Map<string, number>>;
};

const ROOT = new URL('../..', import.meta.url).pathname;

/** `kubectlCache`: a directory of kubectl's own for what it learns of this control API. */
export function steer(control: string, gateway: string, kubectlCache: string): Steered {
  const sessions = new Map<string, string>();
  const page = (user?: string): Promise<Page> => fetchPage(gateway, sessions, user);
  const tryKubectl = (args: readonly string[], input?: string): Promise<Ran> =>
    run('kubectl', ['--server', control, '--cache-dir', kubectlCache, ...args], input);
  return {
    gateway,
    control,
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
    settled: (dead) => settled(control, dead),
    failures: () => failures(control),
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

async function settled(control: string, dead?: string): Promise<number> {
  const started = performance.now();
  for (;;) {
    const answer = await fetch(`${control}/lateen/v1/proxies`);
    const { proxies: all } = (await answer.json()) as { proxies: readonly { proxy: string; sync: string }[] };
    const proxies = all.filter(({ proxy }) => dead === undefined || !proxy.startsWith(`${dead}.`));
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
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Held together, so that they differ; then let go for the mesh to take. */
export async function freePorts(count: number): Promise<number[]> {
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

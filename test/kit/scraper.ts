/** A real Prometheus, on a loopback address, and its promtool. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const has = (tool: string): boolean => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0;

/** Both tools are there, which LATEEN_REQUIRE_TOOLS=1 demands. */
export const PROMETHEUS = has('prometheus') && has('promtool');
if (!PROMETHEUS && process.env['LATEEN_REQUIRE_TOOLS'] === '1')
  throw new Error('Prometheus is not installed, and LATEEN_REQUIRE_TOOLS=1 requires it');

export type Sample = { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] };

export type Prometheus = AsyncDisposable & {
  readonly url: string;
  /** An instant query. */
  query(promql: string): Promise<readonly Sample[]>;
  /** Asks until `done` says so of the answer; fails after 20 s with what was answered last. */
  until(promql: string, done: (samples: readonly Sample[]) => boolean): Promise<readonly Sample[]>;
  /** `data` of an answer of its HTTP API: `targets`, `query_exemplars?…`. */
  api(path: string): Promise<unknown>;
};

/** Scrapes `targets` (`host:port`) every 200 ms at `/stats/prometheus`. */
export async function startPrometheus(host: string, targets: readonly string[]): Promise<Prometheus> {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-prometheus-'));
  const config = join(dir, 'prometheus.yml');
  writeFileSync(
    config,
    JSON.stringify({
      global: { scrape_interval: '200ms', scrape_timeout: '200ms' },
      scrape_configs: [{ job_name: 'lateen', metrics_path: '/stats/prometheus', static_configs: [{ targets }] }],
    }),
  );
  const address = `${host}:${await freePort(host)}`;
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=${address}`,
      '--enable-feature=exemplar-storage',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.on('data', (bytes: Buffer) => (log = (log + bytes.toString()).slice(-4000)));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `http://${address}`;
  const api = async (path: string): Promise<unknown> => {
    const answer = (await (await fetch(`${url}/api/v1/${path}`)).json()) as { data: unknown; error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.data;
  };
  const query = async (promql: string): Promise<readonly Sample[]> =>
    ((await api(`query?query=${encodeURIComponent(promql)}`)) as { result: Sample[] }).result;
  return {
    url,
    query,
    api,
    async until(promql, done) {
      let last: unknown = null;
      for (let tries = 0; tries < 200; tries++) {
        try {
          const samples = await query(promql);
          if (done(samples)) return samples;
          last = samples;
        } catch (error) {
          last = error;
        }
        await pause(100);
      }
      throw new Error(`${promql}: ${last instanceof Error ? last.message : JSON.stringify(last)}\n${log}`);
    },
    async [Symbol.asyncDispose]() {
      // Nothing it has is kept.
      child.kill('SIGKILL');
      await exited;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** What `promtool check metrics` finds wrong; "" is nothing. */
export function checkMetrics(text: string): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

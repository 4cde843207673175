/** A real Prometheus on one mesh, with the configuration of config/prometheus: only its place and its pace are other ones. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const CONFIG = new URL('../../config/prometheus', import.meta.url).pathname;

export type Labels = Readonly<Record<string, string>>;

export type Prometheus = AsyncDisposable & {
  /** An instant query; throws what Prometheus says is wrong with it. */
  query(expr: string): Promise<readonly { readonly metric: Labels; readonly value: number }[]>;
  /** Label sets of the series that match. */
  series(selector: string): Promise<readonly Labels[]>;
  /** `data` of `/api/v1/…`. */
  ask(path: string): Promise<unknown>;
};

/** Paths; null: not installed, which LATEEN_REQUIRE_TOOLS=1 does not accept. */
export const PROMETHEUS = found('prometheus');
export const PROMTOOL = found('promtool');

function found(tool: string): string | null {
  try {
    return execFileSync('/bin/sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim();
  } catch {
    if (process.env['LATEEN_REQUIRE_TOOLS'] === '1')
      throw new Error(`${tool} is not installed, and LATEEN_REQUIRE_TOOLS=1 requires it`);
    return null;
  }
}

/** `control`: the control API, `http://127.0.0.1:41234`. Resolves when Prometheus answers; it is gone when it is disposed of. */
export async function startPrometheus(control: string): Promise<Prometheus> {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-prometheus-'));
  cpSync(CONFIG, dir, { recursive: true });
  const config = join(dir, 'prometheus.yml');
  writeFileSync(config, quick(readFileSync(config, 'utf8')).replaceAll('localhost:8001', new URL(control).host));
  const address = await freeAddress();
  const child = spawn(
    PROMETHEUS!,
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=${address}`,
      '--enable-feature=exemplar-storage',
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    rmSync(dir, { recursive: true, force: true });
  };
  const ask = async (path: string): Promise<unknown> => {
    const answer = (await (await fetch(`http://${address}/api/v1/${path}`)).json()) as {
      data?: unknown;
      error?: string;
    };
    if (answer.error !== undefined) throw new Error(`${decodeURIComponent(path)}: ${answer.error}`);
    return answer.data;
  };
  const deadline = performance.now() + 20_000;
  while (!(await answers(`http://${address}/-/ready`))) {
    if (child.exitCode === null && performance.now() < deadline) {
      await pause(50);
      continue;
    }
    await stop();
    throw new Error(`Prometheus did not start:\n${printed}`);
  }
  return {
    ask,
    query: async (expr) => {
      const { result } = (await ask(`query?query=${encodeURIComponent(expr)}`)) as {
        result: readonly { metric: Labels; value: [number, string] }[];
      };
      return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
    },
    series: async (selector) => (await ask(`series?match[]=${encodeURIComponent(selector)}`)) as readonly Labels[],
    [Symbol.asyncDispose]: stop,
  };
}

/** Of this test alone, since Prometheus cannot say which port it found. */
async function freeAddress(): Promise<string> {
  const host = `127.66.${1 + (process.pid % 250)}.9`;
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `${host}:${port}`;
}

/** Everything once a second: nobody wants to wait for what takes four scrapes. */
function quick(config: string): string {
  return config.replace(
    /^( *(?:scrape_interval|scrape_timeout|evaluation_interval|refresh_interval):) \d+s$/gm,
    '$1 1s',
  );
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

/** Between two looks at something that tells nobody when it changes. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

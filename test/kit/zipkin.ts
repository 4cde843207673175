/** A real Zipkin 3 of a test's own, in memory, on a loopback address: the published server (slim: no storage but memory), which needs Java 17. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

/** How to run it; null when Java or the jar is not here (`.ci/run` fetches it), which LATEEN_REQUIRE_TOOLS=1 does not accept. */
export const ZIPKIN = found();
if (ZIPKIN === null && process.env['LATEEN_REQUIRE_TOOLS'] === '1')
  throw new Error('Java 17 or the jar of Zipkin is not here (see .ci/run), and LATEEN_REQUIRE_TOOLS=1 requires them');

export type Zipkin = AsyncDisposable & {
  /** `http://127.64.0.9:41234` */
  readonly url: string;
  /** Of its API: `/api/v2/services`. Null: 404. */
  get<T>(path: string): Promise<T | null>;
};

/** JDK, Spring and Armeria take some seconds. */
const START_DEADLINE_MS = 60_000;

/** Rejects, with what it printed, when it is not ready within a minute. */
export async function startZipkin(address: string): Promise<Zipkin> {
  const { java, jar } = ZIPKIN!;
  const dir = mkdtempSync(join(tmpdir(), 'lateen-zipkin-'));
  const port = ['ip', 'port', 'protocols[0]'].map((name, i) => `--armeria.ports[0].${name}=${[address, 0, 'http'][i]}`);
  const child = spawn(
    java,
    // Quick to start rather than quick to run.
    [
      '-Xmx192m',
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      '-Xshare:auto',
      `-Djava.io.tmpdir=${dir}`,
      '-jar',
      jar,
      ...port,
    ],
    { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
    rmSync(dir, { recursive: true, force: true });
  };
  let printed = '';
  const url = await new Promise<string | null>((resolve) => {
    const late = setTimeout(() => resolve(null), START_DEADLINE_MS);
    const settle = (found: string | null): void => {
      clearTimeout(late);
      resolve(found);
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        printed = (printed + text).slice(-8000);
        const serving = /Serving HTTP at \S+ - http:\/\/[\d.]+(:\d+)/.exec(printed);
        if (serving !== null) settle(`http://${address}${serving[1]!}`);
      });
    }
    void exited.then(() => settle(null));
  });
  if (url === null) {
    await stop();
    throw new Error(`Zipkin did not start:\n${printed}`);
  }
  return {
    url,
    async get<T>(path: string) {
      const answer = await fetch(`${url}${path}`);
      return answer.status === 404 ? null : ((await answer.json()) as T);
    },
    [Symbol.asyncDispose]: stop,
  };
}

function found(): { java: string; jar: string } | null {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const jar =
    process.env['LATEEN_ZIPKIN_JAR'] ?? globSync(join(cache, 'lateen/zipkin-server-3.*-slim.jar')).sort().at(-1);
  if (jar === undefined) return null;
  try {
    execFileSync('java', ['-version'], { stdio: 'ignore' });
    return { java: 'java', jar };
  } catch {
    return null;
  }
}

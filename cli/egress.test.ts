import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { call, start, stopAll } from '#control-api/server.kit.ts';
import type { ControlApi } from '#control-api/server.ts';
import { parseText } from '#proxy/istio/parse.ts';

const MAIN = new URL('main.ts', import.meta.url).pathname;

type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

let api: ControlApi;
beforeEach(async () => {
  api = await start();
});
afterEach(stopAll);

const environment = () => ({ PATH: process.env['PATH'], LATEEN_SERVER: api.url });

const egress = (...args: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(process.execPath, [MAIN, 'egress', ...args], { env: environment() }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });

let seq = 0;
async function report(...rows: readonly object[]): Promise<void> {
  const now = Date.now();
  const plain = { verdict: 'blocked', protocol: 'http', address: '', port: 80, service: '', count: 1, failures: 0 };
  const rest = { failure: '', sent: 7, received: 9, firstSeen: now, lastSeen: now };
  const body = {
    run: '1',
    seq: ++seq,
    workload: 'details-v1',
    rows: rows.map((row) => ({ ...plain, ...rest, ...row })),
  };
  expect((await call(api, 'PUT', '/lateen/v1/proxies/details-v1-0.default/egress', body)).status).toBe(200);
}

const entries = (): string[] => api.store.list('ServiceEntry').map((r) => `${r.metadata.namespace}/${r.metadata.name}`);

describe('lateen egress', () => {
  test('shows who called what, and what became of it', async () => {
    await report(
      { host: 'www.googleapis.com', port: 443, protocol: 'tls', count: 12 },
      { host: '', address: '203.0.113.7', port: 3306, protocol: 'tcp', verdict: 'passed' },
      { host: '', port: 0, protocol: 'other', count: 99 },
      { host: 'api.example.com', verdict: 'allowed', service: 'api.example.com', failures: 1, failure: 'refused' },
    );
    const { code, stdout, stderr } = await egress();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.replace(/\b[0-9]s /g, '#s ')).toBe(
      `SOURCE       DESTINATION          PORT   PROTOCOL   VERDICT   COUNT   LAST   WHY
details-v1   (other)              -      -          blocked   99      #s     REGISTRY_ONLY, and nothing declares it
details-v1   www.googleapis.com   443    tls        blocked   12      #s     REGISTRY_ONLY, and nothing declares it
details-v1   203.0.113.7          3306   tcp        passed    1       #s     ALLOW_ANY, and nothing declares it
details-v1   api.example.com      80     http       allowed   1       #s     api.example.com; 1 failed: refused
`,
    );
    const [blocked, wide, json, elsewhere] = await Promise.all([
      egress('--blocked', '--since', '10m', '--workload', 'details-v1'),
      egress('-A', '-o', 'wide'),
      egress('-o', 'json'),
      egress('-n', 'prod'),
    ]);
    expect(blocked.stdout.split('\n')).toHaveLength(4);
    expect(wide.stdout).toMatch(/^SOURCE .* WHY +ADDRESS +SENT +RECEIVED +FAILED +FIRST\n/);
    expect(wide.stdout).toMatch(/\ndefault\/details-v1 +203\.0\.113\.7 .* 203\.0\.113\.7 +7 +9 +0 /);
    expect(JSON.parse(json.stdout)).toHaveLength(4);
    expect(elsewhere.stdout).toBe('Nothing left the mesh, or tried to, from namespace prod.\n');
  });

  test('proposes ServiceEntries that our own validator takes, with who needs them', async () => {
    await report(
      { host: 'www.googleapis.com', port: 443, protocol: 'tls', count: 12 },
      { host: 'www.googleapis.com', port: 80 },
      { host: 'a\u001b[2J.example.com' },
    );
    const { stdout } = await egress('--propose');
    expect(stdout).toMatch(
      /^# details-v1 was kept from www\.googleapis\.com:80 \(http\) once at [-0-9T:]+Z\n# details-v1 .*:443 \(tls\) 12 times since /,
    );
    expect(stdout).toMatch(/\n# not proposed: a\?\[2J\.example\.com:80 for default: it is no DNS name\n$/);
    const { resources, problems } = parseText(stdout, { file: 'x', defaultNamespace: 'other' });
    expect(problems.filter((p) => p.severity === 'error')).toEqual([]);
    expect(resources.map(({ kind, metadata, spec }) => ({ kind, metadata, spec }))).toMatchObject([
      {
        kind: 'ServiceEntry',
        metadata: { name: 'www.googleapis.com', namespace: 'default' },
        spec: {
          hosts: ['www.googleapis.com'],
          ports: [
            { number: 80, name: 'http', protocol: 'HTTP' },
            { number: 443, name: 'tls', protocol: 'TLS' },
          ],
          resolution: 'DNS',
          location: 'MESH_EXTERNAL',
          exportTo: ['.'],
        },
      },
    ]);
  });

  test('creates them when it is told to, never unasked, and has nothing to propose then', async () => {
    await report({ host: 'www.googleapis.com', port: 443, protocol: 'tls' });
    expect(await egress('--apply')).toMatchObject({
      code: 2,
      stderr: 'error: nobody is there to be asked.\n--yes creates them without a question.\n',
    });
    const dry = await egress('--apply', '--dry-run');
    expect(dry.stderr).toBe('serviceentry.networking.istio.io/www.googleapis.com created (server dry run)\n');
    expect(entries()).toEqual([]);
    const done = await egress('--apply', '--yes');
    expect(done).toMatchObject({ code: 0, stderr: 'serviceentry.networking.istio.io/www.googleapis.com created\n' });
    expect(entries()).toEqual(['default/www.googleapis.com']);
    const [after, left] = await Promise.all([egress('--propose'), egress()]);
    expect(after.stdout).toMatch(
      /^# nothing to propose\n# not proposed: .*: ServiceEntry default\/www\.googleapis\.com has it\n$/,
    );
    expect(left.stdout).toMatch(/REGISTRY_ONLY, but ServiceEntry default\/www\.googleapis\.com has it now\n$/);
    await egress('--reset');
    expect((await egress()).stdout).toMatch(/^Nothing left the mesh/);
  });

  test('follows: a line for each row that changes', async () => {
    await report({ host: 'a.example.com' });
    const child = spawn(process.execPath, [MAIN, 'egress', '-w'], { env: environment() });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<string> => ((await lines.next()).value as string).replace(/ +/g, ' ');
    expect(await next()).toMatch(/^SOURCE /);
    expect(await next()).toMatch(/^details-v1 a\.example\.com 80 http blocked 1 /);
    await report({ host: 'b.example.com' });
    expect(await next()).toMatch(/^details-v1 b\.example\.com 80 http blocked 1 /);
    child.kill();
    await once(child, 'exit');
  });

  test('says what is wrong with what it was asked', async () => {
    const [since, watch] = await Promise.all([egress('--since', 'soon'), egress('-w', '-o', 'json')]);
    expect(since).toMatchObject({ code: 1, stderr: expect.stringContaining('since: expected a duration') as string });
    expect(watch).toMatchObject({ code: 2, stderr: expect.stringContaining('expected -o wide or none') as string });
  });
});

/** What operators see without Prometheus, Zipkin and Grafana: stat, edges, tap, top, traces, logs. */
import { execFile, spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test } from 'vitest';
import type { LogOptions } from '#control-api/pod-runtime.ts';
import { call, PODS, start, stopAll, watch } from '#control-api/server.kit.ts';
import type { ControlApi } from '#control-api/server.ts';
import { TraceStore } from '#control-api/trace-store.ts';
import { traceRoutes } from '#control-api/traces.ts';
import { EdgeStats } from '#proxy/telemetry/edge-stats.ts';
import { exchange, liveCluster, liveEndpoint, proxyNode, workload } from '#proxy/telemetry/sample-exchange.ts';
import { lineFilter, readLine } from './log-line.ts';
import { percent, size, time } from './stat-rows.ts';
import { target } from './stat-target.ts';
import { TopTable, template } from './top-table.ts';
import { treeOf } from './trace-tree.ts';

const MAIN = new URL('main.ts', import.meta.url).pathname;
const EVIL = '/a\u001b]0;owned\u0007\u009b2J\u202e';

afterEach(stopAll);

type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

const env = (api: ControlApi) => ({ PATH: process.env['PATH'], LATEEN_SERVER: api.url });

const lateen = (api: ControlApi, ...args: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env: env(api) }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });

const running = (api: ControlApi, ...args: readonly string[]): ChildProcessByStdio<null, Readable, Readable> =>
  spawn(process.execPath, [MAIN, ...args], { env: env(api), stdio: ['ignore', 'pipe', 'pipe'] });

/** Columns one blank apart. */
const lines = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/ {2,}/g, ' '));

/** BookInfo's product page calls reviews: three times v1, once v3, which fails, and is denied by details. */
async function traffic(api: ControlApi): Promise<void> {
  const node = proxyNode(workload('productpage', 'v1', '127.67.0.3'));
  const stats = new EdgeStats(node);
  const calls = (app: string, version: string, count: number, over: object = {}): void => {
    const endpoint = liveEndpoint(workload(app, version, '127.67.0.9'));
    const cluster = liveCluster(`outbound|9080||${app}`, app);
    for (let i = 0; i < count; i++) stats.record(Object.assign(exchange('outbound'), { cluster, endpoint, ...over }));
  };
  calls('reviews', 'v1', 3);
  calls('reviews', 'v3', 1, { status: 503, flags: 'UF' });
  calls('details', 'v1', 2, { status: 403 });
  const rows = stats.drain();
  const denied = { ...rows[2]!, reporter: 'destination', denied: 2 };
  const report = { run: '1', seq: 1, workload: 'productpage-v1', rows: [...rows, denied] };
  expect((await call(api, 'PUT', '/lateen/v1/proxies/p-0.default/stats', report)).status).toBe(200);
}

describe('lateen stat', () => {
  test('shows rates, success and latencies; of what it is asked', async () => {
    const api = await start();
    expect(await lateen(api, 'stat')).toMatchObject({
      code: 0,
      stdout: 'No traffic in namespace default in the last 1m.\n',
    });
    await traffic(api);
    const [all, one, services, wide, json, elsewhere, wrong] = await Promise.all([
      lateen(api, 'stat'),
      lateen(api, 'stat', 'deploy/reviews-v3'),
      lateen(api, 'stat', 'svc'),
      lateen(api, 'stat', '-A', '-o', 'wide'),
      lateen(api, 'stat', 'svc/reviews', '-o', 'json', '-t', '10m'),
      lateen(api, 'stat', 'ns/prod'),
      lateen(api, 'stat', 'cron/x'),
    ]);
    const rate = (text: string): string => text.replace(/ \d+\.\d\d /g, ' # ').replace(/\d+(\.\d)?ms/g, '#ms');
    expect(lines(rate(all.stdout))).toEqual([
      'NAME RPS SUCCESS P50 P95 P99 TCP',
      'reviews-v1 # 100.00% #ms #ms #ms -',
      'details-v1 # 100.00% #ms #ms #ms -',
      'reviews-v3 # 0.00% #ms #ms #ms -',
    ]);
    expect(lines(one.stdout)).toHaveLength(2);
    expect(lines(rate(services.stdout))[1]).toBe('reviews # 75.00% #ms #ms #ms -');
    expect(lines(wide.stdout)[3]).toMatch(/^default reviews-v3 .* 0 1 0 0 0 120B 555B UF=1 source$/);
    expect(JSON.parse(json.stdout)).toMatchObject({ by: 'service', rows: [{ requests: 4, success: 0.75 }] });
    expect(elsewhere.stdout).toMatch(/^No traffic/);
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('Expected deploy/NAME') as string });
  });
});

test('lateen edges shows who calls whom, how it is split, and what is denied', async () => {
  const api = await start();
  await traffic(api);
  const [table, one] = await Promise.all([lateen(api, 'edges'), lateen(api, 'edges', 'svc/details', '-o', 'json')]);
  expect(lines(table.stdout).map((line) => line.replace(/\d+\.\d\d |\d+ms /g, ''))).toEqual([
    'SOURCE DESTINATION SERVICE VERSION SHARE RPS SUCCESS P50 P95 P99 TCP NOTE',
    'productpage-v1 reviews-v1 reviews v1 75% 100.00% - -',
    'productpage-v1 details-v1 details v1 100% 100.00% - denied 2',
    'productpage-v1 reviews-v3 reviews v3 25% 0.00% - UF=1',
  ]);
  expect(JSON.parse(one.stdout)).toMatchObject({ rows: [{ denied: 2, requests: 2 }] });
});

describe('with a proxy that is tapped', () => {
  const party = (name: string) => ({
    namespace: 'default',
    workload: name,
    version: 'v1',
    pod: `${name}-0`,
    address: '',
  });
  const event = (path: string, over: object = {}) => ({
    time: Date.parse('2026-11-21T17:03:12.345Z'),
    direction: 'outbound',
    source: party('a'),
    destination: party('b'),
    service: 'b.default.svc.cluster.local',
    method: 'GET',
    authority: 'b',
    path,
    status: 200,
    flags: '',
    duration: 12,
    reason: '',
    ...over,
  });

  /** Answers the first tap with these events. */
  async function answering(api: ControlApi, events: readonly object[]): Promise<() => void> {
    const proxy = await watch(api, '/lateen/v1/config?proxy=a-0.default');
    await proxy.next();
    void (async () => {
      const { taps } = await proxy.next();
      await call(api, 'PUT', '/lateen/v1/proxies/a-0.default/tap', {
        batches: [{ id: taps[0].id as string, events, skipped: 3 }],
      });
    })();
    return proxy.stop;
  }

  test('lateen tap shows single requests, harmless to a terminal', async () => {
    const api = await start();
    const stop = await answering(api, [
      event(EVIL),
      event('/x', { status: 503, flags: 'UF', reason: 'refused\u001b[31m' }),
      event('', { method: '', status: 0 }),
    ]);
    const { code, stdout, stderr } = await lateen(api, 'tap', 'deploy/a', '--max', '3');
    stop();
    expect(stdout.split('\n')).toEqual([
      '17:03:12.345 → a → b GET /a?]0;owned??2J? 200 12ms',
      '17:03:12.345 → a → b GET /x 503 UF 12ms: refused?[31m',
      '17:03:12.345 → a → b TCP 12ms',
      '',
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'Listening at 1 proxy; Ctrl-C ends it.\n' });
  });

  test('lateen tap -o json is for programs, and ends in peace when it is told to', async () => {
    const api = await start();
    const stop = await answering(api, [event(EVIL)]);
    const child = running(api, 'tap', '-o', 'json');
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    expect(JSON.parse(line)).toMatchObject({ kind: 'request', path: EVIL });
    // oxlint-disable-next-line no-control-regex -- what must not be there
    expect(line).not.toMatch(/[\u0000-\u001f]/);
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([0, null]);
    stop();
  });

  test('lateen top counts them by path', async () => {
    const api = await start();
    const stop = await answering(api, [event('/r/1'), event('/r/2?q=1'), event(EVIL, { status: 500 })]);
    const { code, stdout } = await lateen(api, 'top', '--for', '1s');
    stop();
    expect({ code, lines: lines(stdout) }).toEqual({
      code: 0,
      lines: [
        'SOURCE DESTINATION METHOD PATH COUNT BEST WORST LAST SUCCESS',
        'a b GET /r/* 2 12ms 12ms 12ms 100.00%',
        'a b GET /a?]0;owned??2J? 1 12ms 12ms 12ms 0.00%',
        '3 requests were too many to be counted',
      ],
    });
  });

  test('the table of top has bounds, and 100,000 paths push out nothing that is busy', () => {
    const table = new TopTable();
    const wanted = { grpcStatus: -1, received: 0, sent: 0, requestId: '' };
    for (let i = 0; i < 100_000; i++) {
      if (i % 100 === 0) table.add({ ...event('/busy'), ...wanted } as never);
      table.add({ ...event(`/p${i}x`), ...wanted } as never);
    }
    expect(table.size).toBe(1000);
    expect(table.rows(1)).toMatchObject([{ path: '/busy', count: 1000 }]);
    expect(
      ['/a/12', '/a/2f0e8f8a-1b1c-4d4e-8f9a-0123456789ab/b', '/v1/x?q=1', '/a/0123456789abcdef'].map(template),
    ).toEqual(['/a/*', '/a/*/b', '/v1/x', '/a/*']);
  });
});

describe('lateen traces', () => {
  const T = '463ac35c9f6413ad';
  const span = (id: string, parentId: string | null, at: number, over: object = {}) => ({
    traceId: T,
    id,
    ...(parentId === null ? {} : { parentId }),
    kind: 'SERVER',
    name: `op-${id.at(-1)}`,
    timestamp: Date.now() * 1000 + at,
    duration: 5000,
    localEndpoint: { serviceName: `svc-${id.at(-1)}.default` },
    ...over,
  });
  const id = (n: number): string => `000000000000000${n}`;

  test('lists what there is, and shows one as a tree', async () => {
    const store = new TraceStore();
    const api = await start({ parts: [(app) => traceRoutes(app, store)] });
    expect((await lateen(api, 'traces')).stdout).toBe('No traces.\n');
    await call(api, 'POST', '/api/v2/spans', [
      span(id(1), null, 0, { duration: 56_000 }),
      span(id(3), id(1), 2000, { tags: { error: 'true', 'http.status_code': '503', 'lateen.reason': 'no\u001b[2J' } }),
      span(id(2), id(1), 1000),
      span(id(4), id(2), 1500),
    ]);
    const [list, errors, tree, none, wrong] = await Promise.all([
      lateen(api, 'traces'),
      lateen(api, 'traces', '--service', 'svc-9'),
      lateen(api, 'traces', T),
      lateen(api, 'traces', '463ac35c9f6413ae'),
      lateen(api, 'traces', 'x'),
    ]);
    expect(lines(list.stdout)).toEqual([
      'TRACE AGE DURATION SPANS ERRORS ROOT OPERATION',
      expect.stringMatching(/^463ac35c9f6413ad \d+s 56ms 4 1 svc-1\.default op-1$/),
    ]);
    expect(errors.stdout).toBe('No traces.\n');
    expect(tree.stdout.split('\n').map((line) => line.slice(0, 17).trimEnd())).toEqual([
      'SERVICE',
      'svc-1.default',
      '  svc-2.default',
      '    svc-4.default',
      '  svc-3.default',
      '',
    ]);
    expect(tree.stdout).toMatch(/503 +no\?\[2J\n$/);
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('no trace 463ac35c9f6413ae') as string });
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('Expected 16 or 32') as string });
  });

  test('lose nothing of a circle, nor of 10,000 spans one below the other', () => {
    const circle = [span(id(1), id(2), 0), span(id(2), id(1), 1)] as never;
    expect(treeOf(circle)).toHaveLength(2);
    const deep = Array.from({ length: 10_000 }, (_, i) => ({ traceId: T, id: `${i}`, parentId: `${i - 1}` }));
    expect(treeOf(deep).at(-1)).toMatchObject({ depth: 9999 });
  });
});

describe('lateen logs', () => {
  const line = (at: number, path: string, code: number): string =>
    JSON.stringify({
      start_time: `2026-11-21T07:05:${at}.000Z`,
      method: 'GET',
      path,
      response_code: code,
      response_flags: code === 503 ? 'UF' : '-',
      duration: 12,
      authority: 'reviews:9080',
      upstream_cluster: 'inbound|9080||',
      reason: code === 503 ? 'nobody there' : null,
    });

  test('merges what all proxies of a workload wrote, and filters it', async () => {
    const written: Record<string, string> = {
      'r-0': `${line(10, '/first', 200)}\nlistening\n${line(30, '/third', 503)}\n`,
      'r-1': `${line(20, `/second${EVIL}`, 200)}\n`,
    };
    const asked: LogOptions[] = [];
    const api = await start({
      runtime: {
        logs: (_, pod, container, options) => {
          asked.push(options);
          return container === 'istio-proxy' ? Readable.from([written[pod]!]) : null;
        },
        exec: () => null,
      },
    });
    for (const pod of Object.keys(written)) {
      const containers = [
        { name: 'reviews', image: 'x' },
        { name: 'istio-proxy', image: 'y' },
      ];
      const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name: pod }, spec: { containers } };
      expect((await call(api, 'POST', PODS, body)).status).toBe(201);
      const report = {
        revision: 1,
        version: '1',
        accepted: true,
        problems: [],
        role: 'sidecar',
        workload: 'reviews-v1',
      };
      await call(api, 'PUT', `/lateen/v1/proxies/${pod}.default`, report);
    }
    const [all, failed, nobody, bad] = await Promise.all([
      lateen(api, 'logs', 'deploy/reviews-v1'),
      lateen(api, 'logs', 'reviews-v1', '--filter', 'response.code >= 500', '--tail', '5'),
      lateen(api, 'logs', 'ratings-v1'),
      lateen(api, 'logs', 'reviews-v1', '--filter', 'response.code >'),
    ]);
    expect(all.stdout.split('\n')).toEqual([
      '2026-11-21T07:05:10.000Z r-0 GET /first 200 12ms reviews:9080 → inbound|9080||',
      '2026-11-21T07:05:20.000Z r-1 GET /second/a?]0;owned??2J? 200 12ms reviews:9080 → inbound|9080||',
      '2026-11-21T07:05:30.000Z r-0 GET /third 503 UF 12ms reviews:9080 → inbound|9080||: nobody there',
      '',
    ]);
    expect(lines(failed.stdout)).toHaveLength(1);
    expect(failed.stdout).toContain('/third');
    expect(asked.map(({ tailLines }) => tailLines)).toContain(5);
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('There are: reviews-v1.') as string });
    expect(bad).toMatchObject({ code: 2, stderr: expect.stringContaining('--filter: ') as string });
  });

  test('conditions see what a line tells', () => {
    const read = readLine(line(10, '/reviews/0?page=2', 503))!;
    for (const [text, holds] of [
      ['response.code == 503', true],
      ['request.url_path == "/reviews/0"', true],
      ['request.path.startsWith("/ratings")', false],
      ['response.flags == "UF" && request.duration > duration("10ms")', true],
      ['request.method == "POST"', false],
    ] as const)
      expect(`${text}: ${lineFilter(text)(read)}`).toBe(`${text}: ${holds}`);
    for (const other of ['', 'listening', '{"level":30}', '{', '[]']) expect(readLine(other)).toBeNull();
  });
});

test('numbers are short, and never better than they are', () => {
  expect([null, 0, 0.5, 0.999_999, 1].map(percent)).toEqual(['-', '0.00%', '50.00%', '99.99%', '100.00%']);
  expect([null, 0.123, 12.3, 9999, 12_345].map(time)).toEqual(['-', '0.1ms', '12ms', '9999ms', '12.3s']);
  expect([0, 1023, 2048, 5 * 1024 ** 3].map(size)).toEqual(['0B', '1023B', '2.0Ki', '5.0Gi']);
  expect(['deploy', 'reviews-v3', 'svc/reviews', 'ns/prod'].map(target)).toEqual([
    { kind: 'workload', name: null },
    { kind: 'workload', name: 'reviews-v3' },
    { kind: 'service', name: 'reviews' },
    { kind: 'namespace', name: 'prod' },
  ]);
});

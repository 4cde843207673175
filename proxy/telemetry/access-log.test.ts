import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { Exchange } from '../live/exchange.ts';
import type { LogSettings, TwoSided } from '../snapshot/telemetry.ts';
import { createAccessLog, type AccessLog, type AccessLogOptions } from './access-log.ts';
import { accessLine } from './access-log-line.ts';
import { exchange, liveCluster, liveEndpoint, namedRoute, proxyNode, workload } from './sample-exchange.ts';
import { WallClock } from './wall-clock.ts';

/** Monotonic 0 is one second before 07:05:12.345. */
const clock = new WallClock(
  () => Date.UTC(2026, 10, 21, 7, 5, 11, 345),
  () => 0,
);

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'lateen-access-log-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('access log line', () => {
  test('has the fields of Envoy, in the order of Istio, then why and under which configuration', () => {
    const x = exchange('outbound', workload('productpage', 'v1', '127.1.0.1'));
    x.route = namedRoute('reviews-canary');
    x.cluster = liveCluster('outbound|9080|v2|reviews.default.svc.cluster.local', 'reviews');
    x.endpoint = liveEndpoint(workload('reviews', 'v2', '127.1.0.7'));
    x.upstreamLocal = '127.1.0.1:51234';
    x.trace = {
      traceId: '463ac35c9f6413ad48485a3953bb6124',
      spanId: '0020000000000001',
      parentId: null,
      sampled: true,
    };
    x.decidedBy = { kind: 'VirtualService', namespace: 'default', name: 'reviews', path: 'spec.http[0]' };
    const line = accessLine(x, '9f3c', clock);
    assert.ok(line.endsWith('}\n'));
    assert.deepEqual(Object.entries(JSON.parse(line) as object), [
      ['start_time', '2026-11-21T07:05:12.345Z'],
      ['route_name', 'reviews-canary'],
      ['method', 'GET'],
      ['path', '/reviews/0'],
      ['protocol', 'HTTP/1.1'],
      ['response_code', 200],
      ['response_flags', '-'],
      ['response_code_details', 'via_upstream'],
      ['connection_termination_details', null],
      ['bytes_received', 0],
      ['bytes_sent', 375],
      ['duration', 12],
      ['upstream_service_time', '9'],
      ['x_forwarded_for', null],
      ['user_agent', 'python-requests/2.31'],
      ['request_id', '2f0e8f8a-1b1c-4d4e-8f9a-0123456789ab'],
      ['authority', 'reviews:9080'],
      ['upstream_host', '127.1.0.7:9080'],
      ['upstream_cluster', 'outbound|9080|v2|reviews.default.svc.cluster.local'],
      ['upstream_local_address', '127.1.0.1:51234'],
      ['downstream_local_address', '127.1.0.3:15001'],
      ['downstream_remote_address', '127.1.0.1:40000'],
      ['requested_server_name', null],
      ['upstream_transport_failure_reason', null],
      ['reason', null],
      ['decided_by', 'VirtualService/default/reviews spec.http[0]'],
      ['trace_id', '463ac35c9f6413ad48485a3953bb6124'],
      ['config_version', '9f3c'],
    ]);
  });

  test('shows the path as the client sent it, without the secrets in it', () => {
    const x = exchange('inbound');
    x.path = '/v2/reviews';
    x.originalPath = '/reviews?token=abc';
    assert.equal(JSON.parse(accessLine(x, '1', clock)).path, '/reviews?token=***');
  });

  test('is one line of JSON, whatever callers send', () => {
    const text = fc.string({ unit: 'binary', maxLength: 5000 });
    fc.assert(
      fc.property(fc.array(text, { minLength: 10, maxLength: 10 }), ([a, b, c, d, e, f, g, h, i, j]) => {
        const x = exchange('gateway');
        [x.method, x.path, x.authority, x.requestId, x.flags, x.details, x.reason, x.transportFailure] = [
          a!,
          b!,
          c!,
          d!,
          e!,
          f!,
          g!,
          h!,
        ];
        x.headers = ['user-agent', i!, 'X-Forwarded-For', j!];
        const line = accessLine(x, '1', clock);
        assert.equal(line.indexOf('\n'), line.length - 1);
        assert.ok(line.length < 40_000);
        assert.equal(JSON.parse(line).response_code, 200);
      }),
    );
  });
});

const node = proxyNode(workload('reviews', 'v1', '127.1.0.3'));
const open = (to: string | null, more: Partial<AccessLogOptions> = {}): AccessLog =>
  createAccessLog({ to, node, intervalMs: 5, ...more });
const setting = (over: Partial<LogSettings> = {}): LogSettings => ({
  format: { kind: 'default' },
  filter: null,
  percent: 100,
  path: null,
  source: null,
  ...over,
});
const server = (...logs: LogSettings[]): TwoSided<readonly LogSettings[]> => ({ server: logs, client: [] });
const text = (format: string, over: Partial<LogSettings> = {}): LogSettings =>
  setting({ format: { kind: 'text', format }, ...over });
const request = (path: string, over: Partial<Exchange> = {}): Exchange =>
  Object.assign(exchange('inbound'), { path, configVersion: '1' }, over);
const linesOf = (file: string): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1);

describe('access log', () => {
  test('writes every line it was given, in order, by the time flush resolves', async () => {
    const file = join(dir, 'order.log');
    const log = open(file);
    log.use(server(setting()));
    for (let i = 0; i < 1000; i++) log.record(request(`/${i}`));
    await log.flush();
    assert.deepEqual(
      linesOf(file).map((line) => JSON.parse(line).path),
      Array.from({ length: 1000 }, (_, i) => `/${i}`),
    );
  });

  test('goes on in a new file after a rotation, and lets others but the group read nothing', async () => {
    const file = join(dir, 'rotated.log');
    const log = open(file);
    log.use(server(setting()));
    log.record(request('/before'));
    renameSync(file, `${file}.1`);
    await log.reopen();
    log.record(request('/after'));
    await log.flush();
    assert.equal(JSON.parse(readFileSync(`${file}.1`, 'utf8')).path, '/before');
    assert.equal(JSON.parse(readFileSync(file, 'utf8')).path, '/after');
    assert.equal(statSync(file).mode & 0o007, 0);
  });

  test('loses and doubles no line when it is rotated under load', async () => {
    const file = join(dir, 'busy.log');
    const log = open(file, { batch: 2000 });
    log.use(server(text('%REQ(:PATH)%')));
    let sent = 0;
    for (let rotation = 1; rotation <= 20; rotation++) {
      renameSync(file, `${file}.${rotation}`);
      const reopened = log.reopen();
      const state = { done: false };
      void reopened.then(() => (state.done = true));
      // Lines come without a pause all the time, also between the two writes a rotation may need.
      while (!state.done) {
        for (let i = 0; i < 50; i++) log.record(request(`/${sent++}`));
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await log.flush();
    const files = [...Array.from({ length: 20 }, (_, i) => `${file}.${i + 1}`), file];
    assert.deepEqual(
      files.flatMap(linesOf),
      Array.from({ length: sent }, (_, i) => `/${i}`),
    );
  });

  test('writes each request to every log of its side', async () => {
    const [main, own] = [join(dir, 'main.log'), join(dir, 'own.log')];
    const log = open(main);
    log.use({
      server: [text('in %RESPONSE_CODE%'), text('own %REQ(:PATH)%\n', { path: own })],
      client: [setting({ format: { kind: 'json', fields: { code: '%RESPONSE_CODE%' } } })],
    });
    log.record(request('/a'));
    log.record(exchange('outbound'));
    log.record(exchange('gateway'));
    await log.flush();
    assert.deepEqual(linesOf(main), ['in 200', '{"code":200}', '{"code":200}']);
    assert.deepEqual(linesOf(own), ['own /a']);
  });

  test('a new snapshot takes nothing away that was recorded before, and closes what it does not name', async () => {
    const [first, second] = [join(dir, 'first.log'), join(dir, 'second.log')];
    const log = open(null);
    log.use(server(text('%REQ(:PATH)%', { path: first })));
    for (let i = 0; i < 100; i++) log.record(request(`/${i}`));
    log.use(server(text('%REQ(:PATH)%', { path: second })));
    log.record(request('/new'));
    await log.flush();
    assert.deepEqual(linesOf(second), ['/new']);
    await until(() => linesOf(first).length === 100);
    await until(() => !openFiles().includes(first));
    assert.ok(openFiles().includes(second));
    log.use(server());
    await until(() => !openFiles().includes(second));
  });

  test('what a filter lets through is logged, and of these a share by request id; errors are logged anyhow', async () => {
    const file = join(dir, 'some.log');
    const log = open(file, { random: () => 0.5 });
    const slow = {
      kind: 'call',
      op: 'ge',
      args: [
        { kind: 'attribute', name: 'response.code' },
        { kind: 'value', value: 400 },
      ],
    } as const;
    log.use(server(text('filter %REQ(:PATH)%', { filter: slow }), text('share %REQ(:PATH)%', { percent: 25 })));
    const id = (low: number): string => `${low.toString(16).padStart(8, '0')}-1b1c-4d4e-8f9a-0123456789ab`;
    log.record(request('/sampled', { requestId: id(2499) }));
    log.record(request('/not', { requestId: id(2500) }));
    log.record(request('/by-chance', { requestId: '' }));
    log.record(request('/client-error', { status: 404, requestId: id(9999) }));
    log.record(request('/server-error', { status: 500, requestId: id(9999) }));
    log.record(request('/flagged', { flags: 'DC', requestId: id(9999) }));
    log.record(request('/delayed', { flags: 'DI', requestId: id(9999) }));
    await log.flush();
    assert.deepEqual(linesOf(file), [
      'share /sampled',
      'filter /client-error',
      'filter /server-error',
      'share /server-error',
      'share /flagged',
    ]);
  });

  test('a file that cannot be opened is told once, costs its lines alone, and is tried again', async () => {
    const missing = join(dir, 'missing', 'a.log');
    const main = join(dir, 'beside.log');
    const problems: string[] = [];
    let dropped = 0;
    const log = open(main, { onProblem: (p) => problems.push(p), onDrop: (n) => (dropped += n) });
    const settings = server(text('%REQ(:PATH)%', { path: missing }), text('%REQ(:PATH)%'));
    log.use(settings);
    log.record(request('/1'));
    log.use(settings);
    log.record(request('/2'));
    assert.equal(problems.length, 1);
    assert.match(problems[0]!, /missing.*ENOENT/);
    assert.equal(dropped, 2);
    mkdirSync(join(dir, 'missing'));
    await log.reopen();
    log.record(request('/3'));
    await log.flush();
    assert.deepEqual(linesOf(missing), ['/3']);
    assert.deepEqual(linesOf(main), ['/1', '/2', '/3']);
  });

  test('opens so many files and no more, and no pipe that nobody reads', async () => {
    const problems: string[] = [];
    const log = open(null, { onProblem: (p) => problems.push(p) });
    const paths = Array.from({ length: 40 }, (_, i) => join(dir, `many-${i}.log`));
    log.use(server(...paths.map((path) => text('x', { path }))));
    assert.equal(problems.length, 8);
    log.use(server());
    const pipe = join(dir, 'pipe');
    assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
    log.use(server(text('x', { path: pipe })));
    assert.match(problems.at(-1)!, /ENXIO/);
  });
});

/** Files this process has open. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

/** A turn of the loop at a time. */
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 10_000 && !holds(); i++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(holds());
}

describe('wall clock', () => {
  test('follows a system clock that is set, within a second', () => {
    let now = 1_000_000;
    let monotonic = 0;
    const clock = new WallClock(
      () => now,
      () => monotonic,
    );
    assert.equal(clock.epochMs(0), 1_000_000);
    now = 5_000_000;
    assert.equal(clock.epochMs(500), 1_000_500);
    monotonic = 1500;
    assert.equal(clock.epochMs(1500), 5_000_000);
  });
});

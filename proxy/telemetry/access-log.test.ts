import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { accessLine, createAccessLog } from './access-log.ts';
import { exchange, liveCluster, liveEndpoint, namedRoute, workload } from './sample-exchange.ts';
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

describe('access log', () => {
  test('writes every line it was given, in order, by the time flush resolves', async () => {
    const file = join(dir, 'order.log');
    const log = createAccessLog({ to: file });
    for (let i = 0; i < 1000; i++) {
      const x = exchange('inbound');
      x.path = `/${i}`;
      log.record(x, '1');
    }
    await log.flush();
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).path),
      Array.from({ length: 1000 }, (_, i) => `/${i}`),
    );
  });

  test('goes on in a new file after a rotation', async () => {
    const file = join(dir, 'rotated.log');
    const log = createAccessLog({ to: file });
    log.record(exchange('inbound'), 'before');
    renameSync(file, `${file}.1`);
    await log.reopen();
    log.record(exchange('inbound'), 'after');
    await log.flush();
    assert.equal(JSON.parse(readFileSync(`${file}.1`, 'utf8')).config_version, 'before');
    assert.equal(JSON.parse(readFileSync(file, 'utf8')).config_version, 'after');
  });
});

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

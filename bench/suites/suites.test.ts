import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { parseText } from '../../proxy/istio/parse.ts';
import type { LoadResult } from '../load/load.ts';
import { randomProbes } from '../load/wrk-script.ts';
import { scratchFolder } from '../process.ts';
import { FORMAT, merged, type Record } from '../record.ts';
import { growth, slope } from '../statistics.ts';
import { findEnvoy } from '../targets/binary.ts';
import { envoyJob } from '../targets/envoy-job.ts';
import { manyRoutes, PLAIN, probe, sampleOf } from '../targets/job.ts';
import { lateenJob } from '../targets/lateen-job.ts';
import { FULL } from './jobs.ts';
import { added } from './latency.ts';
import { shareOf } from './workers.ts';

const result = (p99: number): LoadResult => ({
  tool: 'open-loop',
  requests: 1,
  errors: 0,
  seconds: 1,
  latencyMs: { p50: p99, p90: p99, p99, p999: null, max: p99 },
  lagMs: 0,
});

describe('the maths of the suites', () => {
  test('added latency is subtracted round by round, and the median taken of that', () => {
    const cells = [
      { who: 'direct' as const, rate: 10, rounds: [1, 100, 3].map(result) },
      { who: 'lateen' as const, rate: 10, rounds: [2, 103, 5].map(result) },
    ];
    assert.equal(added({ cells }, 'lateen', 10, 'p99'), 2);
    assert.equal(added({ cells }, 'lateen', 10, 'p999'), null);
    assert.equal(added({ cells }, 'envoy', 10, 'p99'), null);
  });

  test('the busiest thread and all threads, per request; a new thread counts whole', () => {
    const before = new Map(Object.entries({ a: 100, b: 50 }));
    const after = new Map(Object.entries({ a: 300, b: 150, c: 40 }));
    assert.deepEqual(shareOf(before, after, 10), { allUs: 34, busiestUs: 20 });
  });

  test('growth of a curve is last over first', () => {
    assert.equal(growth([10, 30, 20]), 2);
    assert.equal(growth([10]), null);
    assert.equal(growth([0, 1]), null);
  });

  test('the slope of a line through points', () => {
    assert.equal(slope([0, 1, 2, 3].map((x) => ({ x, y: 2 * x + 5 }))), 2);
    assert.equal(slope([1].map((x) => ({ x, y: x }))), null);
    assert.equal(slope([1, 2].map((y) => ({ x: 1, y }))), null);
  });
});

describe('the routes of both proxies', () => {
  for (const { count, perHost, hosts } of [
    { count: 10, perHost: 10, hosts: 1 },
    { count: 100, perHost: 10, hosts: 10 },
    { count: 100, perHost: 100, hosts: 1 },
  ]) {
    test(`${count}, ${perHost} a host: as many as asked for, and on each host one for the rest`, () => {
      const table = manyRoutes(count, perHost);
      assert.equal(table.length, hosts);
      assert.equal(table.flatMap(({ routes }) => routes).length, count + hosts);
    });

    test(`${count}, ${perHost} a host: each probe finds the route it is for first`, () => {
      const table = manyRoutes(count, perHost);
      for (let n = 0; n < count; n++) {
        const { path, headers } = probe(n, count, perHost);
        const host = table.find(({ name }) => name === headers['Host']);
        const found = host?.routes.find(({ match }) => {
          const { kind, value } = match.path ?? { kind: 'prefix', value: '/' };
          const header = match.header === undefined || headers[match.header.name] === match.header.value;
          return header && (kind === 'exact' ? path === value : path.startsWith(value));
        });
        assert.equal(found?.name, `r${n}`);
      }
    });
  }

  test('the sample is the same every time, and spread over all of them', () => {
    const sample = sampleOf(10_000, 500);
    assert.deepEqual(sample, sampleOf(10_000, 500));
    assert.ok(sample.every((n) => Number.isInteger(n) && n >= 0 && n < 10_000));
    assert.ok(Math.min(...sample) < 500 && Math.max(...sample) > 9500);
  });

  const place = { host: '127.0.0.1', port: 1 };
  const jobs = { plain: PLAIN, full: FULL, many: { ...PLAIN, hosts: manyRoutes(3000, 10) } };
  for (const [name, job] of Object.entries(jobs)) {
    test(`${name}: ours finds no error in its resources`, () => {
      const { resources, problems } = parseText(lateenJob(job, place), { defaultNamespace: 'default' });
      assert.deepEqual(
        problems.filter(({ severity }) => severity === 'error'),
        [],
      );
      assert.ok(resources.length >= job.hosts.length + 2);
    });

    test.skipIf(findEnvoy() === null)(`${name}: Envoy accepts its configuration`, () => {
      using folder = scratchFolder();
      const file = join(folder.path, 'envoy.json');
      const at = { address: '127.0.0.1', port: 1, adminPort: 2 };
      writeFileSync(file, envoyJob(job, at, { origin: place, collector: place }, join(folder.path, 'log')));
      const { status, stderr } = spawnSync(findEnvoy()!, ['--mode', 'validate', '-c', file, '-l', 'error']);
      assert.equal(status, 0, String(stderr));
    });
  }

  test('a script for wrk quotes what it is given', () =>
    assert.match(
      randomProbes([{ path: '/a"b\\', headers: { Host: 'h' } }]),
      /wrk\.format\("GET", "\/a\\"b\\\\", \{\["Host"\]="h"\}\)/,
    ));
});

test('a suite that is run again on the same day replaces itself only', () => {
  const entry = (command: string): Record['suites'][string] => ({
    command,
    loadBefore: 0,
    tookSeconds: 1,
    failed: null,
    data: 1,
  });
  const machine = { cpu: 'c', cores: 2, memoryGb: 1, platform: 'l', kernel: '6', node: '26', loadBefore: 0 };
  const record = (suites: Record['suites']): Record => ({ format: FORMAT, date: 'd', machine, pinned: true, suites });
  const whole = merged(record({ latency: entry('old'), memory: entry('old') }), record({ latency: entry('new') }));
  assert.equal(whole.suites['latency']?.command, 'new');
  assert.equal(whole.suites['memory']?.command, 'old');
});

test('a scratch folder is gone after its block', () => {
  let path = '';
  {
    using folder = scratchFolder();
    path = folder.path;
    assert.ok(existsSync(path));
  }
  assert.ok(!existsSync(path));
});

import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { beatOf, dueAt, dueBy, latencyOf } from './schedule.ts';

describe('the schedule of an open loop', () => {
  test('spreads requests evenly from the start on', () =>
    assert.deepEqual(
      [0, 1, 2].map((n) => dueAt(n, 500)),
      [0, 2, 4],
    ));

  for (const { elapsed, is } of [
    { elapsed: -1, is: 0 },
    { elapsed: 0, is: 1 },
    { elapsed: 1.9, is: 1 },
    { elapsed: 2, is: 2 },
    { elapsed: 1e6, is: 100 },
  ]) {
    test(`after ${elapsed} ms at 500/s, ${is} of 100 are due`, () => assert.equal(dueBy(elapsed, 500, 100), is));
  }

  test('each request is due exactly when the schedule says so', () => {
    for (const rate of [1, 3, 333, 1000, 1770, 16_999]) {
      for (let n = 0; n < 200; n++) assert.equal(dueBy(dueAt(n, rate), rate, 1000), n + 1, `${n} at ${rate}/s`);
    }
  });

  test('looks at the clock once a request, at most every 0.2 ms', () => {
    assert.equal(beatOf(1000), 1);
    assert.equal(beatOf(50_000), 0.2);
  });

  // What a stall of one second does to 1000 requests at 100/s: a closed loop would have seen one slow request.
  test('a stall shows in as many requests as it kept waiting', () => {
    const stalledUntil = 1000;
    const latencies = Float64Array.from({ length: 1000 }, (_, n) => Math.max(1, stalledUntil - dueAt(n, 100)));
    const { p50, p90, p99, p999, max } = latencyOf(latencies);
    assert.deepEqual({ p50, p90, p99, p999, max }, { p50: 1, p90: 1, p99: 900, p999: 990, max: 1000 });
  });

  test('of nothing there is no percentile', () => assert.ok(Number.isNaN(latencyOf(new Float64Array(0)).p99)));
});

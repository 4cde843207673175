import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { findFortio, parseFortio } from './fortio.ts';

const REPORT = {
  RunType: 'HTTP',
  ActualDuration: 1_000_581_814,
  RetCodes: { '-1': 2, '200': 995, '503': 3 },
  DurationHistogram: {
    Count: 1000,
    Max: 0.001_736,
    Percentiles: [
      { Percentile: 50, Value: 0.000_22 },
      { Percentile: 90, Value: 0.000_39 },
      { Percentile: 99, Value: 0.000_7 },
      { Percentile: 99.9, Value: 0.001_6 },
    ],
  },
};

describe("fortio's report", () => {
  test('gives milliseconds, and counts what is not 2xx as errors', () => {
    const { requests, errors, seconds, latencyMs } = parseFortio(JSON.stringify(REPORT));
    assert.deepEqual({ requests, errors }, { requests: 995, errors: 5 });
    assert.equal(seconds.toFixed(3), '1.001');
    const { p50, p90, p99, p999, max } = latencyMs;
    assert.deepEqual(
      [p50, p90, p99, p999, max].map((ms) => (ms ?? Number.NaN).toFixed(3)),
      ['0.220', '0.390', '0.700', '1.600', '1.736'],
    );
  });

  test('has no percentiles when nothing was answered', () => {
    const empty = { ...REPORT, RetCodes: { '-1': 4 }, DurationHistogram: { Count: 0, Max: 0, Percentiles: null } };
    const { requests, errors, latencyMs } = parseFortio(JSON.stringify(empty));
    assert.deepEqual({ requests, errors }, { requests: 0, errors: 4 });
    assert.ok(Number.isNaN(latencyMs.p99));
  });
});

test('a variable that names nothing finds no fortio, whatever the PATH has', () =>
  assert.equal(findFortio({ LATEEN_FORTIO: '/nowhere/fortio', PATH: '/bin' }), null));

import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { parseWrk } from './wrk.ts';

const CLEAN = `Running 5s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.25ms  650.00us  12.50ms   88.12%
    Req/Sec    28.54k     1.20k   30.11k    80.00%
  Latency Distribution
     50%    2.10ms
     75%    2.42ms
     90%    2.81ms
     99%  980.50us
  142000 requests in 5.01s, 80.11MB read
Requests/sec:  28400.12
Transfer/sec:     16.02MB
`;

describe('the report of wrk', () => {
  test('gives requests, seconds and latencies in milliseconds', () => {
    assert.deepEqual(parseWrk(CLEAN), {
      tool: 'wrk',
      requests: 142_000,
      errors: 0,
      seconds: 5.01,
      latencyMs: { p50: 2.1, p90: 2.81, p99: 0.9805, p999: null, max: 12.5 },
      lagMs: null,
    });
  });

  test('counts other statuses and socket errors as errors, not as requests', () => {
    const report = `${CLEAN}  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 10\n`;
    const { requests, errors } = parseWrk(report);
    assert.deepEqual({ requests, errors }, { requests: 141_990, errors: 20 });
  });

  test('says so when there is no summary', () => assert.throws(() => parseWrk('unable to connect'), /no summary/));
});

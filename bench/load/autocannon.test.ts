import assert from 'node:assert/strict';
import { test } from 'vitest';
import { parseAutocannon } from './autocannon.ts';

test('the report of autocannon counts only 2xx as requests', () => {
  const report = {
    '2xx': 900,
    non2xx: 5,
    errors: 2,
    timeouts: 1,
    duration: 2.02,
    latency: { p50: 1, p90: 2, p99: 3, max: 9, average: 1.2 },
  };
  assert.deepEqual(parseAutocannon(JSON.stringify(report)), {
    tool: 'autocannon',
    requests: 900,
    errors: 7,
    seconds: 2.02,
    latencyMs: { p50: 1, p90: 2, p99: 3, p999: null, max: 9 },
    lagMs: null,
  });
});

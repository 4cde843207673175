import { describe, expect, test } from 'vitest';
import { usageOf, type Usage } from './proxies.ts';
import { costs, failures, text, type Load } from './report.ts';

const LOAD: Load = {
  seconds: 10,
  requests: 1000,
  latency: { p50: 1, p90: 2, p99: 3, p99_9: 4, max: 5 },
  failed: { errors: 0, timeouts: 0, statuses: {}, incomplete: 0 },
};
const usage = (cpu: number, requests: number): Usage => ({ cpu, requests, memory: 100 * 2 ** 20 });

describe('the report of a load', () => {
  test('reads what a proxy says of itself', () => {
    const page = `# HELP process_cpu_seconds_total x
process_cpu_seconds_total 1.5
process_resident_memory_bytes 1048576
istio_requests_total{reporter="source",destination_app="a b}c"} 3
istio_requests_total{reporter="destination"} 4
istio_requests_total_other 5
`;
    expect(usageOf(page)).toEqual({ cpu: 1.5, memory: 1048576, requests: 7 });
  });

  test('costs are of the time between, the dearest first; what began anew or came meanwhile is left out', () => {
    const before = new Map([
      ['a', usage(1, 100)],
      ['b', usage(1, 0)],
      ['anew', usage(9, 9)],
    ]);
    const after = new Map([
      ['a', usage(2, 1100)],
      ['b', usage(4, 0)],
      ['anew', usage(1, 3)],
      ['new', usage(1, 1)],
    ]);
    const memory = 100 * 2 ** 20;
    expect(costs(before, after, 10)).toEqual([
      { pod: 'b', cpu: 30, perRequest: null, memory },
      { pod: 'a', cpu: 10, perRequest: 1000, memory },
    ]);
  });

  test('says every kind of failure, and how many there were', () => {
    const bad: Load = { ...LOAD, failed: { errors: 1, timeouts: 2, statuses: { 503: 3 }, incomplete: 4 } };
    expect(failures(bad)).toBe(10);
    expect(text(bad, [])).toContain(
      'failed    10: 3 of status 503, 1 connection errors, 2 without an answer in time, 4 pages that lack a part\n',
    );
    expect(text(LOAD, costs(new Map([['a', usage(1, 0)]]), new Map([['a', usage(2, 1000)]]), 10))).toBe(
      `1000 pages in 10.0 s: 100.0 a second
latency   p50 1 ms   p90 2 ms   p99 3 ms   p99.9 4 ms   max 5 ms
failed    0

PROXY                    CPU   CPU/REQUEST    MEMORY
a                     10.0 %       1000 µs    100 MB
`,
    );
  });
});

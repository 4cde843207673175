import { describe, expect, test } from 'vitest';
import { bucketStart, latencyBucket, LATENCY_BUCKETS, quantile } from './latency-buckets.ts';

const counted = (latencies: readonly number[]): number[] => {
  const counts = Array.from({ length: LATENCY_BUCKETS }, () => 0);
  for (const ms of latencies) counts[latencyBucket(ms)]! += 1;
  return counts;
};

describe('latency buckets', () => {
  test('begin where a latency falls into them, and just before it does not', () => {
    for (let bucket = 1; bucket < LATENCY_BUCKETS; bucket++) {
      // The second bucket is a whole octave.
      if (bucket === 2) continue;
      expect(latencyBucket(bucketStart(bucket))).toBe(bucket);
      expect(latencyBucket(bucketStart(bucket) - 0.001)).toBe(bucket === 3 ? 1 : bucket - 1);
    }
  });

  test('take what is no latency as the shortest or the longest', () => {
    expect([Number.NaN, -1, 0, -Infinity].map(latencyBucket)).toEqual([0, 0, 0, 0]);
    expect([1e9, Infinity].map(latencyBucket)).toEqual([LATENCY_BUCKETS - 1, LATENCY_BUCKETS - 1]);
  });

  test('tell quantiles within a fifth of the exact ones', () => {
    const latencies = Array.from({ length: 10_000 }, (_, i) => 0.2 * 1.001 ** i);
    const counts = counted(latencies);
    for (const q of [0.1, 0.5, 0.9, 0.95, 0.99]) {
      const exact = latencies[Math.floor(q * latencies.length)]!;
      expect(Math.abs(quantile(counts, q)! - exact) / exact).toBeLessThan(0.2);
    }
  });

  test('have no quantile of nothing', () => {
    expect(quantile(counted([]), 0.5)).toBeNull();
    expect(quantile(counted([1e9]), 0.5)).toBe(131_072);
  });
});

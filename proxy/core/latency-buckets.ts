/** Latencies in half octaves from 125 µs to 131 s: few enough to be sent and kept by the thousand, close enough for a percentile. */

/** 0: below 125 µs. The last: 131.072 s and more. */
export const LATENCY_BUCKETS = 42;
/** Steps of the finest bucket in a millisecond. */
const STEPS = 8;
const LONGEST_MS = 131_072;

/** Bucket of a latency in ms; what is no number, or below 0, counts as 0. */
export function latencyBucket(ms: number): number {
  if (!(ms * STEPS >= 1)) return 0;
  if (ms >= LONGEST_MS) return LATENCY_BUCKETS - 1;
  const steps = (ms * STEPS) | 0;
  const octave = 31 - Math.clz32(steps);
  return octave === 0 ? 1 : 1 + 2 * octave + ((steps >> (octave - 1)) & 1);
}

/** Where a bucket begins, ms. */
export function bucketStart(bucket: number): number {
  if (bucket === 0) return 0;
  const octave = (bucket - 1) >> 1;
  return (2 ** octave * (1 + ((bucket - 1) & 1) / 2)) / STEPS;
}

/** The latency, ms, that a share `q` (0 … 1) of all counts is not above: interpolated within its bucket. Null: nothing was counted. */
export function quantile(counts: readonly number[], q: number): number | null {
  const total = counts.reduce((sum, n) => sum + n, 0);
  if (total === 0) return null;
  const rank = q * total;
  let below = 0;
  for (const [bucket, n] of counts.entries()) {
    if (n > 0 && below + n >= rank) {
      const from = bucketStart(bucket);
      return from + (endOf(bucket) - from) * Math.max(0, (rank - below) / n);
    }
    below += n;
  }
  return bucketStart(counts.length - 1);
}

/** The second one is a whole octave, since a step has no halves; the last has no end and counts as what it begins with. */
const endOf = (bucket: number): number =>
  bucketStart(bucket === 1 ? 3 : bucket === LATENCY_BUCKETS - 1 ? bucket : bucket + 1);

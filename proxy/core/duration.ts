/** Durations as Go and protobuf write them: `1.5s`, `1h30m`, `100ms`. */
import { ms, type Ms } from './brand.ts';

const UNITS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ns: 1e-6,
};
const PART = /(\d+\.?\d*|\.\d+)(ms|us|µs|μs|ns|h|m|s)/y;

/**
 * Milliseconds, with fractions where the text has them. Null when it is not a duration: no unit, an unknown unit, a sign,
 * blanks, or more than about 292 years (what Go's time.Duration can hold). `0` needs no unit, as in Go's time.ParseDuration.
 */
export function parseDuration(text: string): Ms | null {
  if (text === '0') return ms(0);
  if (text === '' || text.length > 64) return null;
  let total = 0;
  PART.lastIndex = 0;
  while (PART.lastIndex < text.length) {
    const part = PART.exec(text);
    if (part === null) return null;
    total += Number(part[1]) * UNITS[part[2]!]!;
  }
  // Through nanoseconds, Go's own grain, so that 0.3s is 300 and not 299.99999999999994.
  const nanos = Math.round(total * 1e6);
  return nanos <= 2 ** 63 ? ms(nanos / 1e6) : null;
}

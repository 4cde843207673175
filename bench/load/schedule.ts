/** When requests of an open loop are due, and what they took counted from then: latency without coordinated omission. */
import { percentile } from '../statistics.ts';
import type { Latency } from './load.ts';

/** Request `n` (from 0) at a steady `rate` a second is due so many milliseconds after the start. */
export function dueAt(n: number, rate: number): number {
  return (n * 1000) / rate;
}

/** How many of `total` requests are due `elapsed` milliseconds after the start. */
export function dueBy(elapsed: number, rate: number, total: number): number {
  return elapsed < 0 ? 0 : Math.min(total, Math.floor((elapsed * rate) / 1000 + 1e-9) + 1);
}

/** Milliseconds between two looks at the clock: one a request, but not more than 5000 a second. */
export function beatOf(rate: number): number {
  return Math.max(1000 / rate, 0.2);
}

/** Percentiles of latencies in milliseconds, to the microsecond; NaN of nothing. Sorts `latencies`. */
export function latencyOf(latencies: Float64Array): Latency {
  const sorted = latencies.sort();
  const at = (percent: number): number => Math.round((percentile(sorted, percent) ?? Number.NaN) * 1000) / 1000;
  return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: at(100) };
}

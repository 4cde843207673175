/** fortio, Istio's own load generator: found, run as Istio's benchmark runs it, and read. */
import { join } from 'node:path';
import { homedir } from 'node:os';
import { output } from '../process.ts';
import { findBinary } from '../targets/binary.ts';
import type { LoadResult, Target } from './load.ts';

/** LATEEN_FORTIO, the PATH, or where `go install fortio.org/fortio@latest` puts it; null when it is nowhere. */
export function findFortio(env: NodeJS.ProcessEnv = process.env): string | null {
  if (env['LATEEN_FORTIO'] !== undefined) return findBinary('fortio', env);
  const bins = [
    env['GOBIN'],
    ...(env['GOPATH'] ?? '').split(':').map((path) => (path === '' ? undefined : join(path, 'bin'))),
    join(homedir(), 'go', 'bin'),
  ];
  return findBinary('fortio', { ...env, PATH: [env['PATH'], ...bins].filter((dir) => dir !== undefined).join(':') });
}

/**
 * The command of istio/tools perf/benchmark/runner with jitter on, and buckets of 10 µs instead of 1 ms: Istio's own cannot tell 0.2 ms
 * from 0.3 ms. Each of `connections` sends and waits; the rate is that of all together.
 */
export async function fortio(
  binary: string,
  target: Target,
  connections: number,
  qps: number,
  seconds: number,
): Promise<LoadResult> {
  const headers = Object.entries(target.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const text = await output(
    'load',
    [
      ...[binary, 'load', '-quiet', '-json', '-', '-jitter=true', '-nocatchup=true', '-keepalive=true'],
      ...['-c', String(connections), '-qps', String(qps), '-t', `${seconds}s`],
      ...['-r', '0.00001', '-p', '50,90,99,99.9', '-httpbufferkb', '128', '-allow-initial-errors', ...headers],
      `http://${target.host}:${target.port}${target.path}`,
    ],
    (seconds + 20) * 1000,
  );
  return parseFortio(text);
}

type Report = {
  readonly ActualDuration: number;
  readonly RetCodes: Readonly<Record<string, number>>;
  readonly DurationHistogram: {
    readonly Count: number;
    readonly Max: number;
    readonly Percentiles: readonly { readonly Percentile: number; readonly Value: number }[] | null;
  };
};

/** fortio's JSON: durations in seconds, the run's in nanoseconds. Codes other than 2xx (-1: the connection broke) are errors. */
export function parseFortio(text: string): LoadResult {
  const { ActualDuration, RetCodes, DurationHistogram } = JSON.parse(text) as Report;
  const codes = Object.entries(RetCodes);
  const good = codes.filter(([code]) => /^2\d\d$/.test(code)).reduce((sum, [, n]) => sum + n, 0);
  const all = codes.reduce((sum, [, n]) => sum + n, 0);
  const at = (percent: number): number => {
    const found = DurationHistogram.Percentiles?.find(({ Percentile }) => Percentile === percent);
    return found === undefined ? Number.NaN : found.Value * 1000;
  };
  return {
    tool: 'fortio',
    requests: good,
    errors: all - good,
    seconds: ActualDuration / 1e9,
    latencyMs: { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: DurationHistogram.Max * 1000 },
    lagMs: null,
  };
}

/** autocannon with workers off: closed loop in one thread of Node. Its latencies are whole milliseconds, so only its throughput is read. */
import { createRequire } from 'node:module';
import { output } from '../process.ts';
import type { LoadResult, Target } from './load.ts';

const program = createRequire(import.meta.url).resolve('autocannon/autocannon.js');

export async function autocannon(target: Target, connections: number, seconds: number): Promise<LoadResult> {
  const headers = Object.entries(target.headers).flatMap(([name, value]) => ['-H', `${name}=${value}`]);
  const text = await output(
    'load',
    [
      process.execPath,
      program,
      '--json',
      '--no-progress',
      '-c',
      String(connections),
      '-d',
      String(seconds),
      '-t',
      '5',
      ...headers,
      `http://${target.host}:${target.port}${target.path}`,
    ],
    (seconds + 20) * 1000,
  );
  return parseAutocannon(text);
}

type Report = {
  '2xx': number;
  non2xx: number;
  errors: number;
  timeouts: number;
  duration: number;
  latency: { p50: number; p90: number; p99: number; max: number };
};

/** autocannon's JSON report. */
export function parseAutocannon(text: string): LoadResult {
  const report = JSON.parse(text) as Report;
  const { p50, p90, p99, max } = report.latency;
  return {
    tool: 'autocannon',
    requests: report['2xx'],
    errors: report.non2xx + report.errors,
    seconds: report.duration,
    latencyMs: { p50, p90, p99, p999: null, max },
    lagMs: null,
  };
}

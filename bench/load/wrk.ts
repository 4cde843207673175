/** wrk: closed loop, one thread; the strongest load a single core gives. */
import { output } from '../process.ts';
import type { LoadResult, Target } from './load.ts';

/** `script` is a file in Lua that makes other requests than GETs of one path. */
export async function wrk(
  binary: string,
  target: Target,
  connections: number,
  seconds: number,
  script: string | null = null,
): Promise<LoadResult> {
  const headers = Object.entries(target.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const text = await output(
    'load',
    [
      binary,
      '-t1',
      `-c${connections}`,
      `-d${seconds}s`,
      '--timeout',
      '5s',
      '--latency',
      ...headers,
      ...(script === null ? [] : ['-s', script]),
      `http://${target.host}:${target.port}${target.path}`,
    ],
    (seconds + 15) * 1000,
  );
  return parseWrk(text);
}

/** wrk's report. Times carry their own unit; socket errors and other statuses have lines only when there were some. */
export function parseWrk(text: string): LoadResult {
  const summary = /(\d+) requests in ([\d.]+(?:us|ms|s|m))/.exec(text);
  if (summary === null) throw new Error(`wrk printed no summary: ${text.slice(0, 500)}`);
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  const socketErrors = (socket?.slice(1) ?? []).reduce((sum, n) => sum + Number(n), 0);
  const otherStatus = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const at = (percent: string): number => toMs(new RegExp(`^\\s+${percent}%\\s+(\\S+)$`, 'm').exec(text)?.[1]);
  return {
    tool: 'wrk',
    requests: Number(summary[1]) - otherStatus,
    errors: socketErrors + otherStatus,
    seconds: toMs(summary[2]) / 1000,
    latencyMs: {
      p50: at('50'),
      p90: at('90'),
      p99: at('99'),
      p999: null,
      max: toMs(/Latency\s+\S+\s+\S+\s+(\S+)/.exec(text)?.[1]),
    },
    lagMs: null,
  };
}

const UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

function toMs(text: string | undefined): number {
  const parts = /^([\d.]+)(us|ms|s|m)$/.exec(text ?? '');
  return parts === null ? Number.NaN : Number(parts[1]) * UNITS[parts[2]!]!;
}

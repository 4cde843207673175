/** autocannon against the page, in this process: its report, and whether each page was whole. */
import autocannon from 'autocannon';
import type { Options } from './options.ts';
import type { Load } from './report.ts';

/** Said by productpage where a part could not be had; its status is 200 all the same. */
const INCOMPLETE = /Error fetching product|currently unavailable/;
/** Longer than --roll may take; it is stopped then. */
const WITH_ROLL_SECONDS = 600;

export type RunningLoad = {
  /** Rejects when the first connection cannot be made. */
  readonly ended: Promise<Load>;
  stop(): void;
};

export function startLoad({ url, connections, duration, rate, roll }: Options): RunningLoad {
  let incomplete = 0;
  const { promise: ended, resolve, reject } = Promise.withResolvers<Load>();
  const instance = autocannon(
    {
      url,
      connections,
      duration: roll === null ? duration : WITH_ROLL_SECONDS,
      // Each connection has its share, and at least one a second.
      ...(rate === null ? {} : { overallRate: rate, connections: Math.min(connections, rate) }),
      timeout: 20,
      verifyBody: (body) => {
        if (INCOMPLETE.test(String(body))) incomplete++;
        return true;
      },
    },
    (error, result) => {
      if (error !== null) return reject(error);
      const { p50, p90, p99, p99_9, max } = result.latency;
      const failed = Object.entries(result.statusCodeStats).filter(([status]) => !status.startsWith('2'));
      const statuses = Object.fromEntries(failed.map(([status, { count }]) => [status, count]));
      resolve({
        seconds: result.duration,
        requests: result.requests.total,
        latency: { p50, p90, p99, p99_9, max },
        failed: { errors: result.errors - result.timeouts, timeouts: result.timeouts, statuses, incomplete },
      });
    },
  );
  return { ended, stop: () => instance.stop() };
}

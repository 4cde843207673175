/** What a load on the mesh came to, for people. */
import type { Usage } from './proxies.ts';

export type Load = {
  readonly seconds: number;
  readonly requests: number;
  /** Milliseconds by percentile. */
  readonly latency: Readonly<Record<'p50' | 'p90' | 'p99' | 'p99_9' | 'max', number>>;
  readonly failed: {
    /** No answer: the connection broke, or nothing came in time. */
    readonly errors: number;
    readonly timeouts: number;
    /** Another status than 2xx, by status. */
    readonly statuses: Readonly<Record<string, number>>;
    /** A page of status 200 that says that a part of it is missing. */
    readonly incomplete: number;
  };
};

export type ProxyCost = {
  readonly pod: string;
  /** Of one core, percent. */
  readonly cpu: number;
  /** CPU time per request it passed on, µs; null: none passed. */
  readonly perRequest: number | null;
  readonly memory: number;
};

export const failures = ({ failed }: Load): number =>
  failed.errors + failed.timeouts + failed.incomplete + Object.values(failed.statuses).reduce((sum, n) => sum + n, 0);

/** Of proxies that ran all the time; one that was replaced meanwhile began its counters anew. */
export function costs(
  before: ReadonlyMap<string, Usage>,
  after: ReadonlyMap<string, Usage>,
  seconds: number,
): readonly ProxyCost[] {
  const rows = [...after].flatMap(([pod, now]): ProxyCost[] => {
    const then = before.get(pod);
    if (then === undefined || then.cpu > now.cpu || then.requests > now.requests) return [];
    const requests = now.requests - then.requests;
    const cpu = now.cpu - then.cpu;
    return [
      {
        pod,
        cpu: (cpu / seconds) * 100,
        perRequest: requests === 0 ? null : (cpu / requests) * 1e6,
        memory: now.memory,
      },
    ];
  });
  return rows.sort((a, b) => b.cpu - a.cpu);
}

export function text(load: Load, proxies: readonly ProxyCost[]): string {
  const { latency, failed, requests, seconds } = load;
  const statuses = Object.entries(failed.statuses).map(([status, n]) => `${n} of status ${status}`);
  const named: readonly (readonly [number, string])[] = [
    [failed.errors, 'connection errors'],
    [failed.timeouts, 'without an answer in time'],
    [failed.incomplete, 'pages that lack a part'],
  ];
  const why = [...statuses, ...named.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}`)];
  const width = Math.max(18, ...proxies.map(({ pod }) => pod.length)) + 2;
  const ms = (value: number): string => `${value} ms`;
  const lines = [
    `${requests} pages in ${seconds.toFixed(1)} s: ${(requests / seconds).toFixed(1)} a second`,
    `latency   p50 ${ms(latency.p50)}   p90 ${ms(latency.p90)}   p99 ${ms(latency.p99)}   p99.9 ${ms(latency.p99_9)}   max ${ms(latency.max)}`,
    `failed    ${failures(load)}${why.length === 0 ? '' : `: ${why.join(', ')}`}`,
    '',
    `${'PROXY'.padEnd(width)}${'CPU'.padStart(8)}${'CPU/REQUEST'.padStart(14)}${'MEMORY'.padStart(10)}`,
    ...proxies.map(
      ({ pod, cpu, perRequest, memory }) =>
        `${pod.padEnd(width)}${`${cpu.toFixed(1)} %`.padStart(8)}${(perRequest === null ? '-' : `${perRequest.toFixed(0)} µs`).padStart(14)}${`${(memory / 2 ** 20).toFixed(0)} MB`.padStart(10)}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

/** One candidate, one round: started fresh, warmed up, loaded, accounted, stopped. */
import { get } from 'node:http';
import { cpuTimeUs, memoryOf } from './accounting.ts';
import { autocannon } from './load/autocannon.ts';
import { fixedRate } from './load/fixed-rate.ts';
import type { LoadResult, Target } from './load/load.ts';
import { wrk } from './load/wrk.ts';
import { scratchFolder } from './process.ts';
import { BODY } from './targets/origin-body.ts';
import type { Candidate, Running, Surroundings } from './targets/candidate.ts';

export type Plan = {
  /** Seconds of each load. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  /** Requests per second of the fixed-rate load. */
  readonly rate: number;
  /** wrk's path; null where it is not installed. */
  readonly wrk: string | null;
};

export type Loaded = LoadResult & {
  readonly rps: number;
  /** CPU time of the proxy per answered request, in microseconds. */
  readonly cpuUs: number;
  /** Share of one core the proxy used: near 1 means it was the bottleneck. */
  readonly cores: number;
};

export type Round = {
  /** As much as one connection set asks for: wrk, else autocannon. */
  readonly saturation: Loaded;
  /** Null in all rounds but the first: its latencies say nothing, and its throughput is a second opinion only. */
  readonly autocannon: Loaded | null;
  readonly fixed: Loaded;
  /** Bytes, after the loads. */
  readonly pss: number;
  readonly rss: number;
};

/** Runs one round. Throws when the candidate does not start or does not give the origin's answer. */
export async function measure(
  candidate: Candidate,
  around: Omit<Surroundings, 'dir'>,
  plan: Plan,
  round: number,
): Promise<Round> {
  using folder = scratchFolder();
  await using running = await candidate.start({ ...around, dir: folder.path });
  const { target, pid } = running;
  await answersLikeTheOrigin(target);
  await saturate(target, plan, plan.warmUpSeconds);
  const saturation = await loaded(running, () => saturate(target, plan, plan.seconds));
  const second =
    round === 1 && plan.wrk !== null
      ? await loaded(running, () => autocannon(target, plan.connections, plan.seconds))
      : null;
  const fixed = await loaded(running, () => fixedRate(target, plan.connections, plan.rate, plan.seconds));
  const { pss, rss } = memoryOf(pid);
  return { saturation, autocannon: second, fixed, pss, rss };
}

/** As much as `connections` can ask for: wrk where installed, else autocannon. */
export function saturate(
  target: Target,
  { wrk: binary, connections }: Pick<Plan, 'wrk' | 'connections'>,
  seconds: number,
): Promise<LoadResult> {
  return binary === null ? autocannon(target, connections, seconds) : wrk(binary, target, connections, seconds);
}

/** Runs `load`, and accounts what the proxy spends on it; from the moment `load` calls `begin`, when it does. */
export async function loaded(
  { pid }: Pick<Running, 'pid'>,
  load: (begin: () => void) => Promise<LoadResult>,
): Promise<Loaded> {
  let before = cpuTimeUs(pid);
  const result = await load(() => {
    before = cpuTimeUs(pid);
  });
  const cpuUs = cpuTimeUs(pid) - before;
  return {
    ...result,
    rps: result.requests / result.seconds,
    // Of a load that got no answer at all there is no cost per request.
    cpuUs: result.requests === 0 ? Number.NaN : cpuUs / result.requests,
    cores: cpuUs / 1e6 / result.seconds,
  };
}

/** A candidate that answers something else than the origin would be measured doing another job. Waits up to `limitMs` for its configuration to be in force. */
export async function answersLikeTheOrigin(target: Target, limitMs = 5000): Promise<void> {
  let last = '';
  for (const end = performance.now() + limitMs; performance.now() < end;) {
    last = await ask(target);
    if (last === `200 ${BODY}`) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`expected the origin's answer, got ${last.slice(0, 200)}`);
}

function ask({ host, port, path, headers }: Target): Promise<string> {
  return new Promise((resolve) => {
    const request = get({ host, port, path, headers, agent: false, timeout: 2000 }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      answer.on('end', () => resolve(`${answer.statusCode} ${body}`));
      answer.on('error', (cause) => resolve(String(cause)));
    });
    request.on('timeout', () => request.destroy(new Error('no answer in 2 s')));
    request.on('error', (cause) => resolve(String(cause)));
  });
}

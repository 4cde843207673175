/** One candidate, one round: started fresh, warmed up, loaded, accounted, stopped. */
import { get } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuTimeUs, memoryOf } from './accounting.ts';
import { autocannon } from './load/autocannon.ts';
import { fixedRate } from './load/fixed-rate.ts';
import type { LoadResult, Target } from './load/load.ts';
import { wrk } from './load/wrk.ts';
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
  readonly autocannon: Loaded;
  readonly fixed: Loaded;
  /** Bytes, after the loads. */
  readonly pss: number;
  readonly rss: number;
};

/** Runs one round. Throws when the candidate does not start or does not give the origin's answer. */
export async function measure(candidate: Candidate, around: Omit<Surroundings, 'dir'>, plan: Plan): Promise<Round> {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-bench-'));
  try {
    await using running = await candidate.start({ ...around, dir });
    await answersLikeTheOrigin(running.target);
    await saturate(running.target, plan, plan.warmUpSeconds);
    const saturation = await loaded(running, () => saturate(running.target, plan, plan.seconds));
    const second =
      plan.wrk === null
        ? saturation
        : await loaded(running, () => autocannon(running.target, plan.connections, plan.seconds));
    const fixed = await loaded(running, () => fixedRate(running.target, plan.connections, plan.rate, plan.seconds));
    return { saturation, autocannon: second, fixed, ...memoryOf(running.pid) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function saturate(target: Target, { wrk: binary, connections }: Plan, seconds: number): Promise<LoadResult> {
  return binary === null ? autocannon(target, connections, seconds) : wrk(binary, target, connections, seconds);
}

async function loaded({ pid }: Running, load: () => Promise<LoadResult>): Promise<Loaded> {
  const before = cpuTimeUs(pid);
  const result = await load();
  const cpuUs = cpuTimeUs(pid) - before;
  return {
    ...result,
    rps: result.requests / result.seconds,
    cpuUs: cpuUs / Math.max(1, result.requests),
    cores: cpuUs / 1e6 / result.seconds,
  };
}

/** A candidate that answers something else than the origin would be measured doing another job. Waits up to 5 s for its configuration to be in force. */
async function answersLikeTheOrigin(target: Target): Promise<void> {
  let last = '';
  for (let tries = 0; tries < 50; tries++) {
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

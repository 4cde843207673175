/** Probes of containers: is it up, may it get requests, must it be restarted. */
import { get } from 'node:http';
import { connect } from 'node:net';
import { sleep, type Clock } from './clock.ts';
import type { Probe } from './object.ts';

/** Null: all is well. Otherwise what is not. Never rejects. */
export type Check = (timeoutMs: number) => Promise<string | null>;

/** In milliseconds; thresholds are numbers of answers in a row. */
export type Timing = {
  readonly delay: number;
  readonly period: number;
  readonly timeout: number;
  readonly successes: number;
  readonly failures: number;
};

export type Watch = { readonly check: Check; readonly timing: Timing };

export type Target = { readonly host: string; readonly port: number };

/** For what nobody wrote a probe for: ask often, for a process that starts takes a fraction of a second. */
export const EAGER: Timing = { delay: 0, period: 40, timeout: 1000, successes: 1, failures: Number.POSITIVE_INFINITY };

/** Kubernetes' defaults: every 10 s, 1 s timeout, 1 success, 3 failures. */
export function timingOf(probe: Probe): Timing {
  return {
    delay: (probe.initialDelaySeconds ?? 0) * 1000,
    period: Math.max(1, probe.periodSeconds ?? 10) * 1000,
    timeout: Math.max(1, probe.timeoutSeconds ?? 1) * 1000,
    successes: Math.max(1, probe.successThreshold ?? 1),
    failures: Math.max(1, probe.failureThreshold ?? 3),
  };
}

/** Success is a status from 200 to 399, as for the kubelet. */
export function httpCheck({ host, port }: Target, path: string, headers: Readonly<Record<string, string>> = {}): Check {
  return (timeout) =>
    new Promise((resolve) => {
      const request = get(
        { host, port, path, headers: { 'user-agent': 'kube-probe/lateen', ...headers }, agent: false, timeout },
        (response) => {
          const status = response.statusCode ?? 0;
          response.destroy();
          resolve(status >= 200 && status < 400 ? null : `HTTP probe failed with statuscode: ${status}`);
        },
      );
      request.on('timeout', () => request.destroy(new Error(`no answer within ${timeout} ms`)));
      request.on('error', (error) => resolve(`Get "http://${host}:${port}${path}": ${error.message}`));
    });
}

/** Success is a connection. */
export function tcpCheck({ host, port }: Target): Check {
  return (timeout) =>
    new Promise((resolve) => {
      const socket = connect({ host, port, timeout });
      const end = (why: string | null): void => {
        socket.destroy();
        resolve(why);
      };
      socket.once('connect', () => end(null));
      socket.once('timeout', () => end(`dial tcp ${host}:${port}: no answer within ${timeout} ms`));
      socket.once('error', (error) => end(`dial tcp ${host}:${port}: ${error.message}`));
    });
}

/** How probes reach what they ask; tests bring their own. */
export type Probes = { readonly http: typeof httpCheck; readonly tcp: typeof tcpCheck };

export const realProbes: Probes = { http: httpCheck, tcp: tcpCheck };

/**
 * Asks until `signal` is aborted, and tells `report` after each answer what holds now: true after `successes` good answers in a
 * row, false after `failures` bad ones, null while it is undecided. `why`: what was wrong with this answer.
 */
export async function watchProbe(
  clock: Clock,
  { check, timing }: Watch,
  signal: AbortSignal,
  report: (verdict: boolean | null, why: string | null) => void,
): Promise<void> {
  let verdict: boolean | null = null;
  let inRow = 0;
  let last: boolean | null = null;
  await sleep(clock, timing.delay, signal);
  while (!signal.aborted) {
    const why = await check(timing.timeout);
    if (signal.aborted) return;
    const ok = why === null;
    inRow = ok === last ? inRow + 1 : 1;
    last = ok;
    if (inRow >= (ok ? timing.successes : timing.failures)) verdict = ok;
    report(verdict, why);
    // Until it is up for the first time nobody should wait a whole period for an answer that is there already.
    await sleep(clock, verdict === true ? timing.period : Math.min(timing.period, 1000), signal);
  }
}

/** What is to become of a Job, out of what became of its Pods (kubernetes.io/docs/concepts/workloads/controllers/job). Pure. */
import type { JobSpec } from './object.ts';

export type JobFacts = {
  readonly spec: JobSpec;
  /** Pods that have ended, ever. */
  readonly succeeded: number;
  readonly failed: number;
  /** Pods that run, or are about to. */
  readonly active: number;
  /** How often containers of those were started again, under restartPolicy OnFailure. */
  readonly restarts: number;
  /** Milliseconds since the Job started. */
  readonly ranMs: number;
};

export type JobStep =
  | { readonly kind: 'complete' }
  | { readonly kind: 'fail'; readonly reason: string; readonly message: string }
  | { readonly kind: 'suspend' }
  /** So many Pods are to run. */
  | { readonly kind: 'run'; readonly wanted: number };

export function nextStepOf({ spec, succeeded, failed, active, restarts, ranMs }: JobFacts): JobStep {
  const { completions, parallelism = 1, backoffLimit = 6, activeDeadlineSeconds, suspend = false } = spec;
  // With OnFailure it is the containers that fail; with limit 0 the first one that does is one too many.
  const restarted = spec.template.spec.restartPolicy === 'OnFailure' && restarts >= Math.max(1, backoffLimit);
  if (failed > backoffLimit || restarted)
    return { kind: 'fail', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  if (!suspend && activeDeadlineSeconds !== undefined && ranMs >= activeDeadlineSeconds * 1000)
    return { kind: 'fail', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
  if (completions === undefined ? succeeded > 0 && active === 0 : succeeded >= completions) return { kind: 'complete' };
  if (suspend) return { kind: 'suspend' };
  // Without a number of completions, its Pods share the work: once one has succeeded, no new one begins.
  if (completions === undefined) return { kind: 'run', wanted: succeeded > 0 ? active : parallelism };
  return { kind: 'run', wanted: Math.min(parallelism, completions - succeeded) };
}

/** Milliseconds from a failure until the next Pod: 10 s, doubling to 10 min, as the Job controller waits. */
export const retryDelay = (failuresInARow: number): number =>
  failuresInARow === 0 ? 0 : Math.min(10_000 * 2 ** (failuresInARow - 1), 600_000);

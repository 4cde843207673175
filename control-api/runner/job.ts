/** Runs the Pods of each Job to their end, again when they fail, and says when it is complete. */
import type { Store } from '../store.ts';
import { annotate, askToEnd, RUNNER, update } from './author.ts';
import { timestamp, type Clock } from './clock.ts';
import { setCondition } from './condition.ts';
import type { Event } from './event.ts';
import { PROXY } from './inject.ts';
import { nextStepOf, retryDelay, type JobStep } from './job-plan.ts';
import {
  controllerOf,
  isOver,
  isReady,
  isTerminating,
  type Condition,
  type Job,
  type JobStatus,
  type Pod,
} from './object.ts';
import { createPod, hasRoom, MOST_PODS } from './pod-template.ts';
import type { Controller, WorkQueue } from './work-queue.ts';

/** Its Pod is part of the Job's figures already; so a Pod counts once, also when it stays for long, or goes at once. */
const COUNTED = 'lateen/counted';
const UID = 'batch.kubernetes.io/controller-uid';
const NAME = 'batch.kubernetes.io/job-name';
const RETRY_MS = 5000;

/** Failures since a Pod succeeded last, and when the last one was. Forgotten when the mesh is stopped. */
type Trouble = { readonly inARow: number; readonly at: number };

/** `key`: `namespace/name`. */
export function jobController(store: Store, clock: Clock, queue: WorkQueue, event: Event): Controller {
  const troubles = new Map<string, Trouble>();
  const controller: Controller = { name: 'Job', reconcile };
  return controller;

  function reconcile(key: string): void {
    const [namespace = '', name = ''] = key.split('/');
    const current = (): Job | undefined => store.get('Job', namespace, name) as Job | undefined;
    const stored = current();
    if (stored === undefined || isTerminating(stored)) return;
    if (stored.spec.selector === undefined) select(stored);
    const job = current()!;
    if (finishedAt(job) !== null) return expire(job, key);
    const before = job.status ?? {};
    const status = count(job, { ...before, startTime: before.startTime ?? timestamp(clock) });
    const step = stepOf(job, status);
    if (step.kind === 'run') scale(job, step.wanted, key);
    else for (const pod of activePods(job)) end(pod, step.kind !== 'fail');
    const after = step.kind === 'fail' ? count(job, status) : status;
    const conditions = conditionsOf(job, step, timestamp(clock));
    write(job, { ...after, conditions }, step);
    const { activeDeadlineSeconds } = job.spec;
    if (step.kind === 'run' && activeDeadlineSeconds !== undefined)
      queue.addAfter(controller, key, Math.max(1, activeDeadlineSeconds * 1000 - ranMs(status)));
    if (step.kind === 'complete' || step.kind === 'fail') troubles.delete(job.metadata.uid ?? '');
  }

  /** As the API server does it: a selector by the Job's uid, and the labels it asks for. */
  function select(job: Job): void {
    const { uid = '', name } = job.metadata;
    update(store, job, (current) => {
      const { template } = current.spec;
      const own = { [UID]: uid, [NAME]: name, 'controller-uid': uid, 'job-name': name };
      const metadata = { ...template.metadata, labels: { ...template.metadata?.labels, ...own } };
      const selector = { matchLabels: { [UID]: uid } };
      return { ...current, spec: { ...current.spec, selector, template: { ...template, metadata } } };
    });
  }

  function podsOf(job: Job): readonly Pod[] {
    const pods = store.list('Pod', job.metadata.namespace) as readonly Pod[];
    return pods.filter((pod) => controllerOf(pod)?.uid === job.metadata.uid);
  }

  function activePods(job: Job): readonly Pod[] {
    return podsOf(job).filter((pod) => !isOver(pod) && !isTerminating(pod));
  }

  /** Adds the Pods that have ended since. One that somebody else deletes has failed. */
  function count(job: Job, status: JobStatus): JobStatus {
    const uid = job.metadata.uid ?? '';
    let { succeeded = 0, failed = 0 } = status;
    for (const pod of podsOf(job)) {
      if (pod.metadata.annotations?.[COUNTED] !== undefined || (!isOver(pod) && !isTerminating(pod))) continue;
      if (pod.status?.phase === 'Succeeded') {
        succeeded++;
        troubles.delete(uid);
      } else {
        failed++;
        troubles.set(uid, { inARow: (troubles.get(uid)?.inARow ?? 0) + 1, at: clock.now() });
      }
      note(pod);
    }
    return { ...status, succeeded, failed };
  }

  function note(pod: Pod): void {
    update(store, pod, (current) => ({ ...current, metadata: annotate(current.metadata, { [COUNTED]: 'true' }) }));
  }

  function stepOf(job: Job, { succeeded = 0, failed = 0, ...status }: JobStatus): JobStep {
    const active = activePods(job);
    const containers = active.flatMap(({ status: s }) => [
      ...(s?.initContainerStatuses ?? []),
      ...(s?.containerStatuses ?? []),
    ]);
    const restarts = containers.filter((c) => c.name !== PROXY).reduce((sum, c) => sum + c.restartCount, 0);
    const facts = { succeeded, failed, active: active.length, restarts, ranMs: ranMs(status) };
    return nextStepOf({ spec: job.spec, ...facts });
  }

  function ranMs({ startTime }: JobStatus): number {
    return startTime === undefined ? 0 : clock.now() - Date.parse(startTime);
  }

  function scale(job: Job, wanted: number, key: string): void {
    const active = activePods(job);
    for (const pod of active.slice(wanted)) end(pod, true);
    const trouble = troubles.get(job.metadata.uid ?? '');
    const due = trouble === undefined ? 0 : trouble.at + retryDelay(trouble.inARow) - clock.now();
    if (wanted > active.length && due > 0) return queue.addAfter(controller, key, due);
    for (let missing = wanted - active.length; missing > 0; missing--) {
      if (!hasRoom(store)) {
        event(
          job,
          'Warning',
          'FailedCreate',
          `${missing} pods more are wanted, but this machine runs at most ${MOST_PODS}`,
        );
        return queue.addAfter(controller, key, RETRY_MS);
      }
      const made = createPod(store, job, job.spec.template);
      event(job, 'Normal', 'SuccessfulCreate', `Created pod: ${made}`);
    }
  }

  /** `uncounted`: it is no failure, for nobody wants it any more. */
  function end(pod: Pod, uncounted: boolean): void {
    if (uncounted) note(pod);
    askToEnd(store, pod, timestamp(clock));
  }

  function write(job: Job, status: JobStatus, step: JobStep): void {
    const now = timestamp(clock);
    const active = activePods(job);
    const terminating = podsOf(job).filter((pod) => isTerminating(pod) && !isOver(pod)).length;
    const counts = { active: active.length, succeeded: status.succeeded ?? 0, failed: status.failed ?? 0 };
    const shown = Object.fromEntries(Object.entries(counts).filter(([, n]) => n > 0));
    const { startTime, conditions = [] } = status;
    const whole: JobStatus = {
      // One that waits begins anew, and so does its deadline.
      ...(startTime === undefined || step.kind === 'suspend' ? {} : { startTime }),
      ...(step.kind === 'complete' ? { completionTime: now } : {}),
      ...shown,
      ready: active.filter(isReady).length,
      terminating,
      ...(conditions.length === 0 ? {} : { conditions }),
    };
    update(store, job, (current) => ({ ...current, status: whole }));
    if (step.kind === 'complete') event(job, 'Normal', 'Completed', 'Job completed');
    if (step.kind === 'fail') event(job, 'Warning', step.reason, step.message);
  }

  function expire(job: Job, key: string): void {
    const { metadata, spec } = job;
    if (spec.ttlSecondsAfterFinished === undefined) return;
    const left = finishedAt(job)! + spec.ttlSecondsAfterFinished * 1000 - clock.now();
    if (left > 0) queue.addAfter(controller, key, left);
    else store.remove('Job', metadata.namespace, metadata.name, RUNNER);
  }
}

const ENDS: ReadonlySet<string> = new Set(['Complete', 'Failed']);

/** Milliseconds since 1970 at which the Job became complete or failed; null: it has not ended. */
function finishedAt({ status }: Job): number | null {
  const end = status?.conditions?.find((c) => ENDS.has(c.type) && c.status === 'True');
  return end === undefined ? null : Date.parse(end.lastTransitionTime ?? '') || 0;
}

function conditionsOf({ status, spec }: Job, step: JobStep, now: string): readonly Condition[] {
  const sofar = status?.conditions ?? [];
  const set = (condition: Omit<Condition, 'lastTransitionTime'>): readonly Condition[] =>
    setCondition(sofar, condition, now);
  if (step.kind === 'complete')
    return set({
      type: 'Complete',
      status: 'True',
      reason: 'CompletionsReached',
      message: 'Reached expected number of succeeded pods',
    });
  if (step.kind === 'fail') return set({ type: 'Failed', status: 'True', reason: step.reason, message: step.message });
  if (step.kind === 'suspend')
    return set({ type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' });
  const resumed = spec.suspend !== true && sofar.some((c) => c.type === 'Suspended');
  return resumed ? set({ type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' }) : sofar;
}

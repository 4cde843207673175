/** What a Deployment's status says: counts, and whether it is available and progressing. `kubectl rollout status` reads it. */
import { setCondition } from './condition.ts';
import type { Condition, Deployment, ReplicaSet } from './object.ts';
import { rolloutOf } from './rollout.ts';

/** Kubernetes' default for progressDeadlineSeconds. */
const DEADLINE_SECONDS = 600;

type Status = Readonly<Record<string, unknown>> & { readonly conditions: readonly Condition[] };

/** `sets`: every ReplicaSet of it, the newest one included. `now`: RFC 3339. */
export function deploymentStatus(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  sets: readonly ReplicaSet[],
  now: string,
): Status {
  const desired = deployment.spec.replicas ?? 1;
  const replicas = total(sets, 'replicas');
  const ready = total(sets, 'readyReplicas');
  const available = total(sets, 'availableReplicas');
  const updated = newest?.status?.replicas ?? 0;
  const counts = {
    ...(replicas > 0 ? { replicas } : {}),
    ...(updated > 0 ? { updatedReplicas: updated } : {}),
    ...(ready > 0 ? { readyReplicas: ready } : {}),
    ...(available > 0 ? { availableReplicas: available } : {}),
    ...(desired > available ? { unavailableReplicas: desired - available } : {}),
  };
  const { maxUnavailable } = rolloutOf(desired, deployment.spec.strategy?.rollingUpdate);
  const conditions = setCondition(conditionsOf(deployment), availability(available >= desired - maxUnavailable), now);
  const done = updated === desired && replicas === desired && available >= desired;
  return {
    observedGeneration: deployment.metadata.generation ?? 1,
    ...counts,
    conditions: setCondition(
      conditions,
      progress(deployment, newest?.metadata.name ?? '', done, JSON.stringify(counts), now),
      now,
    ),
  };
}

/** Milliseconds from `now` until a rollout that is under way has taken too long; null when none is under way. */
export function deadlineOf(deployment: Deployment, now: number): number | null {
  const progressing = conditionsOf(deployment).find((c) => c.type === 'Progressing');
  if (progressing?.status !== 'True' || progressing.reason !== 'ReplicaSetUpdated') return null;
  const since = Date.parse(progressing.lastUpdateTime ?? '') || now;
  return Math.max(0, since + (deployment.spec.progressDeadlineSeconds ?? DEADLINE_SECONDS) * 1000 - now);
}

function availability(enough: boolean): Omit<Condition, 'lastTransitionTime'> {
  return enough
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
}

function progress(
  deployment: Deployment,
  set: string,
  done: boolean,
  counts: string,
  now: string,
): Omit<Condition, 'lastTransitionTime'> {
  const before = conditionsOf(deployment).find((c) => c.type === 'Progressing');
  if (done)
    return {
      type: 'Progressing',
      status: 'True',
      reason: 'NewReplicaSetAvailable',
      message: `ReplicaSet "${set}" has successfully progressed.`,
      lastUpdateTime: before?.reason === 'NewReplicaSetAvailable' ? (before.lastUpdateTime ?? now) : now,
    };
  if (deployment.spec.paused === true)
    return {
      type: 'Progressing',
      status: 'Unknown',
      reason: 'DeploymentPaused',
      message: 'Deployment is paused',
      lastUpdateTime: now,
    };
  const same =
    deployment.status !== undefined && deployment.status['observedGeneration'] === deployment.metadata.generation;
  // A Pod that fails long after the rollout is no rollout.
  if (same && before?.reason === 'NewReplicaSetAvailable') return before;
  const { conditions: _, observedGeneration: _g, ...last } = (deployment.status ?? {}) as Record<string, unknown>;
  const moved = !same || JSON.stringify(last) !== counts;
  const lastUpdateTime = moved ? now : (before?.lastUpdateTime ?? now);
  const late =
    Date.parse(now) - Date.parse(lastUpdateTime) >=
    (deployment.spec.progressDeadlineSeconds ?? DEADLINE_SECONDS) * 1000;
  return late
    ? {
        type: 'Progressing',
        status: 'False',
        reason: 'ProgressDeadlineExceeded',
        message: `ReplicaSet "${set}" has timed out progressing.`,
        lastUpdateTime,
      }
    : {
        type: 'Progressing',
        status: 'True',
        reason: 'ReplicaSetUpdated',
        message: `ReplicaSet "${set}" is progressing.`,
        lastUpdateTime,
      };
}

function conditionsOf(deployment: Deployment): readonly Condition[] {
  const conditions = deployment.status?.['conditions'];
  return Array.isArray(conditions) ? (conditions as Condition[]) : [];
}

function total(sets: readonly ReplicaSet[], field: 'replicas' | 'readyReplicas' | 'availableReplicas'): number {
  return sets.reduce((sum, set) => sum + (set.status?.[field] ?? 0), 0);
}

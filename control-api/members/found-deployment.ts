/** The status of Deployments whose pods somebody else starts: what their selectors find among the pods there are. */
import { update } from '../runner/author.ts';
import { timestamp, type Clock } from '../runner/clock.ts';
import { trueFor } from '../runner/condition.ts';
import { deadlineOf, deploymentStatus } from '../runner/deployment-status.ts';
import { isOver, isReady, isTerminating, type Deployment, type Pod, type ReplicaSet } from '../runner/object.ts';
import { matchesSelector } from '../runner/selector.ts';
import type { Controller, WorkQueue } from '../runner/work-queue.ts';
import type { Store } from '../store.ts';

/** `kubectl rollout restart` writes it into the template. */
export const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';

/** Pods that are a Deployment's by its selector, and not about to end. */
export const podsFound = (store: Store, { metadata, spec }: Deployment): readonly Pod[] =>
  (store.list('Pod', metadata.namespace) as readonly Pod[]).filter(
    (pod) => !isOver(pod) && !isTerminating(pod) && matchesSelector(spec.selector, pod.metadata.labels),
  );

/** `key`: `namespace/name`. */
export function foundDeploymentController(store: Store, clock: Clock, queue: WorkQueue): Controller {
  const controller: Controller = {
    name: 'Deployment',
    reconcile(key) {
      const [namespace = '', name = ''] = key.split('/');
      const deployment = store.get('Deployment', namespace, name) as Deployment | undefined;
      if (deployment === undefined || isTerminating(deployment)) return;
      const pods = podsFound(store, deployment);
      const settle = (deployment.spec.minReadySeconds ?? 0) * 1000;
      const ready = pods.filter(isReady);
      const available = ready.filter((pod) => trueFor(pod.status?.conditions, 'Ready', settle, clock.now()));
      if (available.length < ready.length) queue.addAfter(controller, key, settle);
      const [updated, outdated] = [
        pods.filter((p) => isUpdated(deployment, p)),
        pods.filter((p) => !isUpdated(deployment, p)),
      ];
      const counted = [updated, outdated].map((some) => setOf(deployment, some, available));
      // Nobody ends those that are more than asked for: that is no rollout that goes on.
      const replicas = Math.max(deployment.spec.replicas ?? 1, updated.length);
      update(store, deployment, (current) => ({
        ...current,
        status: deploymentStatus(
          { ...current, spec: { ...current.spec, replicas } },
          counted[0],
          counted,
          timestamp(clock),
        ),
      }));
      const now = store.get('Deployment', namespace, name) as Deployment | undefined;
      const deadline = now === undefined ? null : deadlineOf(now, clock.now());
      if (deadline !== null) queue.addAfter(controller, key, deadline);
    },
  };
  return controller;
}

/** It was started after the last `kubectl rollout restart`. What else changes in a template, nobody can see in a pod that registered. */
function isUpdated({ spec }: Deployment, pod: Pod): boolean {
  const asked = Date.parse(spec.template.metadata?.annotations?.[RESTARTED_AT] ?? '');
  return Number.isNaN(asked) || Date.parse(pod.status?.startTime ?? '') >= asked;
}

function setOf(deployment: Deployment, pods: readonly Pod[], available: readonly Pod[]): ReplicaSet {
  const { selector, template } = deployment.spec;
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: deployment.metadata,
    spec: { selector, template },
    status: {
      replicas: pods.length,
      fullyLabeledReplicas: pods.length,
      readyReplicas: pods.filter(isReady).length,
      availableReplicas: pods.filter((pod) => available.includes(pod)).length,
    },
  };
}

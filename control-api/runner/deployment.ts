/** Turns each Deployment into ReplicaSets, and moves replicas from old ones to the new one without a gap. */
import type { Store } from '../store.ts';
import { annotate, RUNNER, update } from './author.ts';
import { timestamp, type Clock } from './clock.ts';
import { deadlineOf, deploymentStatus } from './deployment-status.ts';
import type { Event } from './event.ts';
import { controllerOf, isTerminating, ownedBy, type Deployment, type ReplicaSet } from './object.ts';
import { podsOf } from './replica-set.ts';
import { nextStep, rolloutOf } from './rollout.ts';
import { templateHash } from './template-hash.ts';
import type { Controller, WorkQueue } from './work-queue.ts';

const REVISION = 'deployment.kubernetes.io/revision';
const HASH = 'pod-template-hash';

/** `key`: `namespace/name`. */
export function deploymentController(store: Store, clock: Clock, queue: WorkQueue, event: Event): Controller {
  const controller: Controller = {
    name: 'Deployment',
    reconcile(key) {
      const [namespace = '', name = ''] = key.split('/');
      const deployment = store.get('Deployment', namespace, name) as Deployment | undefined;
      if (deployment === undefined || isTerminating(deployment)) return;
      const hash = templateHash(deployment.spec.template);
      const sets = setsOf(deployment);
      const paused = deployment.spec.paused === true;
      if (!paused) setRevision(deployment, sets, hash);
      const newest = setsOf(deployment).find((set) => hashOf(set) === hash);
      const older = setsOf(deployment).filter((set) => hashOf(set) !== hash);
      if (!paused) scale(deployment, newest ?? create(deployment, hash, sets), older);
      else if (newest !== undefined && older.every((set) => (set.spec.replicas ?? 1) === 0))
        resize(deployment, newest, deployment.spec.replicas ?? 1);
      prune(deployment, older);
      writeStatus(deployment, hash, key);
    },
  };
  return controller;

  function setsOf(deployment: Deployment): readonly ReplicaSet[] {
    const sets = store.list('ReplicaSet', deployment.metadata.namespace) as readonly ReplicaSet[];
    return sets.filter((set) => controllerOf(set)?.uid === deployment.metadata.uid && !isTerminating(set));
  }

  function create(deployment: Deployment, hash: string, sets: readonly ReplicaSet[]): ReplicaSet {
    const { template, selector, minReadySeconds } = deployment.spec;
    const labels = { ...template.metadata?.labels, [HASH]: hash };
    const revision = String(1 + Math.max(0, ...sets.map(revisionOf)));
    const set = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${deployment.metadata.name}-${hash}`,
        namespace: deployment.metadata.namespace,
        labels,
        annotations: { [REVISION]: revision },
        ownerReferences: [ownedBy(deployment)],
      },
      spec: {
        replicas: 0,
        ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
        selector: { ...selector, matchLabels: { ...selector.matchLabels, [HASH]: hash } },
        template: { ...template, metadata: { ...template.metadata, labels } },
      },
    };
    update(store, deployment, (current) => ({
      ...current,
      metadata: annotate(current.metadata, { [REVISION]: revision }),
    }));
    return store.put(set, RUNNER) as ReplicaSet;
  }

  /** A template that was used before (rollout undo) becomes the newest revision again. */
  function setRevision(deployment: Deployment, sets: readonly ReplicaSet[], hash: string): void {
    const current = sets.find((set) => hashOf(set) === hash);
    const latest = Math.max(0, ...sets.map(revisionOf));
    if (current === undefined || revisionOf(current) >= latest) return;
    const revision = { [REVISION]: String(latest + 1) };
    update(store, current, (set) => ({ ...set, metadata: annotate(set.metadata, revision) }));
    update(store, deployment, (d) => ({ ...d, metadata: annotate(d.metadata, revision) }));
  }

  function scale(deployment: Deployment, newest: ReplicaSet, older: readonly ReplicaSet[]): void {
    const desired = deployment.spec.replicas ?? 1;
    if (deployment.spec.strategy?.type === 'Recreate') {
      for (const set of older) resize(deployment, set, 0);
      if (older.every((set) => podsOf(store, set).length === 0)) resize(deployment, newest, desired);
      return;
    }
    const rollout = rolloutOf(desired, deployment.spec.strategy?.rollingUpdate);
    const next = nextStep(rollout, countsOf(newest), older.map(countsOf));
    resize(deployment, newest, next.newest);
    for (const [i, set] of older.entries()) resize(deployment, set, next.older[i]!);
  }

  function resize(deployment: Deployment, set: ReplicaSet, replicas: number): void {
    const before = set.spec.replicas ?? 1;
    if (before === replicas) return;
    update(store, set, (current) => ({ ...current, spec: { ...current.spec, replicas } }));
    const way = replicas > before ? 'up' : 'down';
    event(
      deployment,
      'Normal',
      'ScalingReplicaSet',
      `Scaled ${way} replica set ${set.metadata.name} from ${before} to ${replicas}`,
    );
  }

  /** Keeps as many emptied ReplicaSets as may be rolled back to. */
  function prune(deployment: Deployment, older: readonly ReplicaSet[]): void {
    const empty = older.filter((set) => set.spec.replicas === 0 && podsOf(store, set).length === 0);
    const surplus = empty.length - (deployment.spec.revisionHistoryLimit ?? 10);
    for (const set of [...empty].sort((a, b) => revisionOf(a) - revisionOf(b)).slice(0, Math.max(0, surplus))) {
      store.remove('ReplicaSet', set.metadata.namespace, set.metadata.name, RUNNER);
    }
  }

  function writeStatus(deployment: Deployment, hash: string, key: string): void {
    const sets = setsOf(deployment);
    const newest = sets.find((set) => hashOf(set) === hash);
    update(store, deployment, (current) => ({
      ...current,
      status: deploymentStatus(current, newest, sets, timestamp(clock)),
    }));
    const current = store.get('Deployment', deployment.metadata.namespace, deployment.metadata.name) as
      Deployment | undefined;
    const deadline = current === undefined ? null : deadlineOf(current, clock.now());
    if (deadline !== null) queue.addAfter(controller, key, deadline);
  }
}

const hashOf = (set: ReplicaSet): string | undefined => set.metadata.labels?.[HASH];
const revisionOf = (set: ReplicaSet): number => Number(set.metadata.annotations?.[REVISION] ?? 0);

function countsOf(set: ReplicaSet): { replicas: number; available: number } {
  return { replicas: set.spec.replicas ?? 1, available: set.status?.availableReplicas ?? 0 };
}

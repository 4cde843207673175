/** Keeps as many Pods as each ReplicaSet asks for. */
import type { Store } from '../store.ts';
import { askToEnd, RUNNER, update } from './author.ts';
import { timestamp, type Clock } from './clock.ts';
import { trueFor } from './condition.ts';
import type { Event } from './event.ts';
import { controllerOf, isOver, isReady, isTerminating, ownedBy, type Pod, type ReplicaSet } from './object.ts';
import { randomSuffix } from './template-hash.ts';
import type { Controller, WorkQueue } from './work-queue.ts';

/** A kubelet's default (--max-pods): a slip of the finger in `kubectl scale` must not take the machine down. */
const MOST_PODS = 110;
const RETRY_MS = 5000;

/** `key`: `namespace/name`. */
export function replicaSetController(store: Store, clock: Clock, queue: WorkQueue, event: Event): Controller {
  const controller: Controller = {
    name: 'ReplicaSet',
    reconcile(key) {
      const [namespace = '', name = ''] = key.split('/');
      const set = store.get('ReplicaSet', namespace, name) as ReplicaSet | undefined;
      if (set === undefined || isTerminating(set)) return;
      const pods = podsOf(store, set).filter((pod) => !isOver(pod));
      const living = pods.filter((pod) => !isTerminating(pod));
      const wanted = set.spec.replicas ?? 1;
      createUpTo(set, wanted - living.length);
      const surplus = living.length > wanted ? [...living].sort(byUse).slice(0, living.length - wanted) : [];
      for (const pod of surplus) {
        askToEnd(store, pod, timestamp(clock));
        event(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
      }
      writeStatus(set);
    },
  };
  return controller;

  /** As many as are missing, while the machine has room; what is left over is tried again. */
  function createUpTo(set: ReplicaSet, missing: number): void {
    for (let i = 0; i < missing; i++) {
      if (store.list('Pod').length >= MOST_PODS) {
        const message = `${missing - i} pods more are wanted, but this machine runs at most ${MOST_PODS}`;
        event(set, 'Warning', 'FailedCreate', message);
        queue.addAfter(controller, `${set.metadata.namespace}/${set.metadata.name}`, RETRY_MS);
        return;
      }
      create(set);
    }
  }

  function create(set: ReplicaSet): void {
    const { template } = set.spec;
    const name = `${set.metadata.name}-${randomSuffix()}`;
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        ...template.metadata,
        name,
        generateName: `${set.metadata.name}-`,
        namespace: set.metadata.namespace,
        ownerReferences: [ownedBy(set)],
      },
      spec: template.spec,
      status: { phase: 'Pending', qosClass: 'BestEffort' },
    };
    store.put(pod, RUNNER);
    event(set, 'Normal', 'SuccessfulCreate', `Created pod: ${name}`);
  }

  function writeStatus(set: ReplicaSet): void {
    const living = podsOf(store, set).filter((pod) => !isTerminating(pod) && !isOver(pod));
    const settle = (set.spec.minReadySeconds ?? 0) * 1000;
    const ready = living.filter(isReady);
    const available = ready.filter((pod) => trueFor(pod.status?.conditions, 'Ready', settle, clock.now()));
    if (available.length < ready.length)
      queue.addAfter(controller, `${set.metadata.namespace}/${set.metadata.name}`, settle);
    update(store, set, (current) => ({
      ...current,
      status: {
        replicas: living.length,
        fullyLabeledReplicas: living.length,
        ...(ready.length > 0 ? { readyReplicas: ready.length } : {}),
        ...(available.length > 0 ? { availableReplicas: available.length } : {}),
        ...(set.metadata.generation === undefined ? {} : { observedGeneration: set.metadata.generation }),
      },
    }));
  }
}

/** The Pods that a ReplicaSet made. */
export function podsOf(store: Store, set: ReplicaSet): readonly Pod[] {
  const pods = store.list('Pod', set.metadata.namespace) as readonly Pod[];
  return pods.filter((pod) => controllerOf(pod)?.uid === set.metadata.uid);
}

/** Those that serve nobody go first, then the youngest. */
function byUse(a: Pod, b: Pod): number {
  const age = (pod: Pod): string => pod.metadata.creationTimestamp ?? '';
  return Number(isReady(a)) - Number(isReady(b)) || (age(a) < age(b) ? 1 : age(a) > age(b) ? -1 : 0);
}

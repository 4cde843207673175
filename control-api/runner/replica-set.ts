/** Keeps as many Pods as each ReplicaSet asks for. */
import type { Store } from '../store.ts';
import { askToEnd, update } from './author.ts';
import { timestamp, type Clock } from './clock.ts';
import { trueFor } from './condition.ts';
import type { Event } from './event.ts';
import { controllerOf, isOver, isReady, isTerminating, type Pod, type ReplicaSet } from './object.ts';
import { createPod, hasRoom, MOST_PODS } from './pod-template.ts';
import type { Controller, WorkQueue } from './work-queue.ts';

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
      if (!hasRoom(store)) {
        const message = `${missing - i} pods more are wanted, but this machine runs at most ${MOST_PODS}`;
        event(set, 'Warning', 'FailedCreate', message);
        queue.addAfter(controller, `${set.metadata.namespace}/${set.metadata.name}`, RETRY_MS);
        return;
      }
      const name = createPod(store, set, set.spec.template);
      event(set, 'Normal', 'SuccessfulCreate', `Created pod: ${name}`);
    }
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

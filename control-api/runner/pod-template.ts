/** Pods that controllers make of their templates. */
import { isRegistered } from '../registered-pod.ts';
import type { Store } from '../store.ts';
import { RUNNER } from './author.ts';
import { isOver, ownedBy, type Job, type Pod, type PodTemplate, type ReplicaSet } from './object.ts';
import { randomSuffix } from './template-hash.ts';

/** A kubelet's default (--max-pods): a slip of the finger in `kubectl scale` must not take the machine down. */
export const MOST_PODS = 110;

/** Has the machine room for one Pod more? Those that have ended take none, nor do those that run elsewhere. */
export const hasRoom = (store: Store): boolean =>
  (store.list('Pod') as readonly Pod[]).filter((p) => !isOver(p) && !isRegistered(p)).length < MOST_PODS;

/** Stores a new Pod of `owner`, and returns its name. */
export function createPod(store: Store, owner: ReplicaSet | Job, template: PodTemplate): string {
  const name = `${owner.metadata.name}-${randomSuffix()}`;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...template.metadata,
      name,
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace,
      ownerReferences: [ownedBy(owner)],
    },
    spec: template.spec,
    status: { phase: 'Pending', qosClass: 'BestEffort' },
  };
  store.put(pod, RUNNER);
  return name;
}

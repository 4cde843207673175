/** Whether a runtime is the one that a pod's containers are run by. */
import type { Resource } from '#proxy/istio/resource.ts';
import type { PodRuntime } from '../pod-runtime.ts';
import { isRegistered } from '../registered-pod.ts';

/** The runner runs what was applied, Docker what registered itself: neither answers for the other's. */
export const runs = (runtime: PodRuntime | null, pod: Resource): runtime is PodRuntime =>
  runtime !== null && (runtime.registered ?? false) === isRegistered(pod);

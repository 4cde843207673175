/** Runs the Pods of the store: starts those that are new, ends those that are to end, and answers for their logs and commands. */
import type { PodRuntime } from '../pod-runtime.ts';
import { isRegistered } from '../registered-pod.ts';
import { remove, RUNNER } from './author.ts';
import { takeIn } from './inject.ts';
import { isOver, isTerminating, type Pod } from './object.ts';
import { PodWorker, type PodTools } from './pod-worker.ts';
import type { Controller } from './work-queue.ts';

export type Kubelet = {
  readonly controller: Controller;
  readonly runtime: PodRuntime;
  /** Ends every Pod's processes without touching the store: gateways first, so that requests in flight find everything else there. */
  stop(graceMs: number): Promise<void>;
};

/** `again`: reconciles a Pod (`namespace/name`) once more. */
export function kubelet(tools: PodTools, nodeName: string, proxyImage: string, again: (key: string) => void): Kubelet {
  const { store } = tools;
  const workers = new Map<string, PodWorker>();
  /** Those whose Pod is gone already. */
  const ending = new Set<Promise<void>>();
  let stopping = false;

  function reconcile(key: string): void {
    const [namespace = '', name = ''] = key.split('/');
    const pod = store.get('Pod', namespace, name) as Pod | undefined;
    const worker = workers.get(key);
    if (worker !== undefined && worker.pod.metadata.uid !== pod?.metadata.uid) end(key, worker);
    // What registered itself, somebody else starts and ends.
    if (pod === undefined || stopping || isRegistered(pod)) return;
    const current = workers.get(key);
    if (isTerminating(pod)) {
      if (current === undefined) remove(store, pod);
      else end(key, current);
    } else if (current === undefined && !isOver(pod)) start(key, pod);
  }

  function start(key: string, pod: Pod): void {
    const taken = takeIn(pod, store.get('Namespace', '', pod.metadata.namespace), nodeName, proxyImage);
    // A program that may run only once was cut short by the end of an earlier run: it is not run a second time.
    if (pod.spec.restartPolicy === 'Never' && hasBegun(pod)) return void store.put(cutShort(pod), RUNNER);
    const stored = store.put(taken, RUNNER) as Pod;
    const worker = new PodWorker(tools, stored);
    workers.set(key, worker);
    worker.start();
  }

  function end(key: string, worker: PodWorker): void {
    const graceMs = (worker.pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
    const done = worker.end({ graceMs, withdraw: true }).finally(() => {
      ending.delete(done);
      if (workers.get(key) === worker) workers.delete(key);
      // A Pod of the same name may be waiting for its turn.
      again(key);
    });
    ending.add(done);
  }

  return {
    controller: { name: 'Pod', reconcile },
    runtime: {
      logs: (namespace, pod, container, options) =>
        workers.get(`${namespace}/${pod}`)?.log(container)?.read(options) ?? null,
      exec: (namespace, pod, container, command) =>
        workers.get(`${namespace}/${pod}`)?.exec(container, command) ?? null,
    },
    async stop(graceMs) {
      stopping = true;
      const all = [...workers.values()];
      const gateways = all.filter(
        ({ pod }) => pod.spec.containers.length === 1 && pod.spec.containers[0]!.args?.[0] === 'gateway',
      );
      const halt = (pods: readonly PodWorker[]): Promise<unknown> =>
        Promise.all(pods.map((w) => w.end({ graceMs, withdraw: false })));
      await halt(gateways);
      await halt(all);
      await Promise.all(ending);
    },
  };
}

const hasBegun = ({ status }: Pod): boolean =>
  [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].some((c) => !('waiting' in c.state));

/** As the kubelet leaves Pods behind that it had to end with its machine (kubernetes.io/docs/concepts/cluster-administration/node-shutdown). */
function cutShort(pod: Pod): Pod {
  const { podIP: _ip, podIPs: _ips, conditions = [], containerStatuses = [], ...status } = pod.status!;
  const ended = conditions.map((c) =>
    c.type === 'Ready' || c.type === 'ContainersReady' ? { ...c, status: 'False' as const, reason: 'PodFailed' } : c,
  );
  return {
    ...pod,
    status: {
      ...status,
      phase: 'Failed',
      reason: 'Terminated',
      message: 'The mesh was stopped while this Pod ran, and its restartPolicy is Never.',
      conditions: ended,
      containerStatuses: containerStatuses.map((c) => ({ ...c, ready: false, started: false })),
    },
  };
}

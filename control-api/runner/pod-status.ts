/** A Pod's status out of its containers' (kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle). */
import { setCondition } from './condition.ts';
import type { Condition, ContainerStatus, Pod, PodStatus } from './object.ts';

export type PodFacts = {
  readonly ip: string | null;
  readonly startTime: string;
  readonly init: readonly ContainerStatus[];
  readonly containers: readonly ContainerStatus[];
  /** How its applications ended, once all have and none will start again. */
  readonly over: 'Succeeded' | 'Failed' | null;
};

export function podStatusOf(pod: Pod, { ip, startTime, init, containers, over }: PodFacts, now: string): PodStatus {
  const companions = (pod.spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  const sidecars: ReadonlySet<string> = new Set(companions.map((c) => c.name));
  const initialized = init.every(
    (c) =>
      ('terminated' in c.state && c.state.terminated.exitCode === 0) ||
      (sidecars.has(c.name) && (c.started || over !== null)),
  );
  const unready = containers.filter((c) => !c.ready).map((c) => c.name);
  const begun = containers.some((c) => !('waiting' in c.state) || c.restartCount > 0 || 'terminated' in c.lastState);
  const allBegun = containers.every(
    (c) => !('waiting' in c.state) || c.restartCount > 0 || 'terminated' in c.lastState,
  );
  const whyNot =
    over === null
      ? { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` }
      : { reason: over === 'Failed' ? 'PodFailed' : 'PodCompleted' };
  const set = (sofar: readonly Condition[], type: string, holds: boolean): Condition[] =>
    setCondition(sofar, holds ? { type, status: 'True' } : { type, status: 'False', ...whyNot }, now);
  let conditions = setCondition(pod.status?.conditions ?? [], { type: 'PodScheduled', status: 'True' }, now);
  conditions = set(conditions, 'Initialized', initialized || over === 'Succeeded');
  conditions = set(conditions, 'ContainersReady', unready.length === 0 && over === null);
  conditions = set(conditions, 'Ready', unready.length === 0 && over === null);
  return {
    phase: over ?? (initialized && begun && allBegun ? 'Running' : 'Pending'),
    conditions,
    hostIP: '127.0.0.1',
    ...(ip === null ? {} : { podIP: ip, podIPs: [{ ip }] }),
    startTime,
    ...(init.length === 0 ? {} : { initContainerStatuses: init }),
    containerStatuses: containers,
    qosClass: 'BestEffort',
  };
}

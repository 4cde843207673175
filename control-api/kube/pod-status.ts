/** What one word and two figures `kubectl get pods` shows of a pod: READY, STATUS, RESTARTS. */
import type { Resource } from '#proxy/istio/resource.ts';
import { age } from './age.ts';

type State = {
  readonly running?: object;
  readonly waiting?: { readonly reason?: string };
  readonly terminated?: {
    readonly reason?: string;
    readonly exitCode?: number;
    readonly signal?: number;
    readonly finishedAt?: string;
  };
};
type ContainerStatus = {
  readonly name: string;
  readonly ready?: boolean;
  readonly restartCount?: number;
  readonly state?: State;
  readonly lastState?: State;
};
type Pod = {
  readonly spec?: { readonly containers?: readonly object[] };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
};

/** The rules of Kubernetes' printer (pkg/printers/internalversion, printPod), for what a pod can be here. */
export function podStatus(resource: Resource): { ready: string; status: string; restarts: string } {
  const { spec, status } = resource as Pod;
  const containers = status?.containerStatuses ?? [];
  const ready = containers.filter((c) => c.ready === true && c.state?.running !== undefined).length;
  const total = spec?.containers?.length ?? 0;
  return {
    ready: `${ready}/${Math.max(total, containers.length)}`,
    status: resource.metadata['deletionTimestamp'] === undefined ? word(resource as Pod) : 'Terminating',
    restarts: restarts(containers),
  };
}

function word({ status }: Pod): string {
  const waitingInit = (status?.initContainerStatuses ?? []).findIndex((c) => c.state?.terminated?.exitCode !== 0);
  if (waitingInit >= 0) {
    const state = status!.initContainerStatuses![waitingInit]!.state;
    return `Init:${reasonOf(state) ?? `${waitingInit}/${status!.initContainerStatuses!.length}`}`;
  }
  let text = status?.reason ?? status?.phase ?? 'Unknown';
  let running = false;
  // From the last to the first, so that the first container in trouble names it.
  for (const container of (status?.containerStatuses ?? []).toReversed()) {
    const reason = reasonOf(container.state);
    if (reason !== undefined) text = reason;
    else if (container.ready === true && container.state?.running !== undefined) running = true;
  }
  // A finished container does not finish a pod that still has one running.
  return text === 'Completed' && running ? 'Running' : text;
}

function reasonOf(state: State | undefined): string | undefined {
  if (state?.waiting?.reason !== undefined && state.waiting.reason !== '') return state.waiting.reason;
  if (state?.terminated === undefined) return undefined;
  const { reason, signal, exitCode } = state.terminated;
  if (reason !== undefined && reason !== '') return reason;
  return signal === undefined || signal === 0 ? `ExitCode:${exitCode ?? 0}` : `Signal:${signal}`;
}

/** `2 (3m ago)`: how often, and when last. */
function restarts(containers: readonly ContainerStatus[]): string {
  const count = containers.reduce((sum, c) => sum + (c.restartCount ?? 0), 0);
  const last = containers
    .map((c) => c.lastState?.terminated?.finishedAt ?? '')
    .sort()
    .at(-1);
  return count === 0 || last === undefined || last === '' ? String(count) : `${count} (${age(last)} ago)`;
}

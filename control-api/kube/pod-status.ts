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
  readonly started?: boolean;
  readonly restartCount?: number;
  readonly state?: State;
  readonly lastState?: State;
};
type Pod = {
  readonly spec?: {
    readonly containers?: readonly object[];
    readonly initContainers?: readonly { readonly name: string; readonly restartPolicy?: string }[];
  };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
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
  const helpers = helperStatuses(resource as Pod);
  const ready = [...containers, ...helpers].filter((c) => c.ready === true && c.state?.running !== undefined).length;
  const total = Math.max(spec?.containers?.length ?? 0, containers.length);
  return {
    ready: `${ready}/${total + helpers.length}`,
    status: resource.metadata['deletionTimestamp'] === undefined ? word(resource as Pod) : 'Terminating',
    restarts: restarts(containers),
  };
}

/** Of init containers that run beside the others (`restartPolicy: Always`): they count as containers. */
function helperStatuses({ spec, status }: Pod): readonly ContainerStatus[] {
  const helpers = (spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').map((c) => c.name);
  return (status?.initContainerStatuses ?? []).filter((c) => helpers.includes(c.name));
}

const holds = ({ status }: Pod, type: string): boolean =>
  status?.conditions?.some((c) => c.type === type && c.status === 'True') ?? false;

function word(pod: Pod): string {
  const { status } = pod;
  const helpers = helperStatuses(pod);
  const waitingInit = holds(pod, 'Initialized')
    ? -1
    : (status?.initContainerStatuses ?? []).findIndex(
        (c) => c.state?.terminated?.exitCode !== 0 && !(helpers.includes(c) && c.started === true),
      );
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
  if (text !== 'Completed' || !running) return text;
  return holds(pod, 'Ready') ? 'Running' : 'NotReady';
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

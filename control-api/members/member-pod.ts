/** What a proxy said of its pod, as the Pod object that people and proxies see. */
import { setCondition } from '../runner/condition.ts';
import { PROXY } from '../runner/inject.ts';
import type { ContainerSpec, ContainerStatus, Deployment, Pod, PodStatus } from '../runner/object.ts';
import { podStatusOf } from '../runner/pod-status.ts';
import { REGISTERED } from '../registered-pod.ts';
import type { Member, MemberName } from './member.ts';

/** Why it is not ready whatever it said last. */
export type Lost = { readonly reason: 'NodeStatusUnknown' | 'Unreachable'; readonly message: string };

export type PodFacts = MemberName & {
  readonly member: Member;
  readonly lost: Lost | null;
  /** RFC 3339: when it registered first. */
  readonly since: string;
};

/** `before`: the Pod as it is; `deployment`: the one of its workload, which knows the names of its ports. `now`: RFC 3339. */
export function memberPod(
  { namespace, name, member, lost, since }: PodFacts,
  before: Pod | undefined,
  deployment: Deployment | undefined,
  now: string,
): Pod {
  const { containers, workload, labels, incarnation, terminating } = member;
  const first = containers.find((c) => c.name !== PROXY)?.name ?? PROXY;
  const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: workload, uid: '', controller: true };
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels,
      annotations: { [REGISTERED]: incarnation, 'kubectl.kubernetes.io/default-container': first },
      // Names its workload, and makes nobody clean it up: there may be no such Deployment.
      ownerReferences: [owner],
      creationTimestamp: since,
      ...(terminating
        ? { deletionTimestamp: before?.metadata['deletionTimestamp'] ?? now, deletionGracePeriodSeconds: 30 }
        : {}),
    },
    spec: {
      containers: containers.map((c) => containerSpec(c, deployment)),
      serviceAccountName: member.serviceAccount,
      nodeName: member.node,
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
    },
  };
  return {
    ...pod,
    status: statusOf(before === undefined ? pod : { ...pod, status: before.status! }, member, lost, now),
  };
}

/** Ports are registered by number; Services may lead to them by the names that the Deployment gives them. */
function containerSpec({ name, image, ports }: Member['containers'][number], deployment?: Deployment): ContainerSpec {
  const declared = (deployment?.spec.template?.spec?.containers ?? []).flatMap((c) => c.ports ?? []);
  const portOf = (containerPort: number) => {
    const named = declared.find((p) => p.containerPort === containerPort)?.name;
    return { ...(named === undefined ? {} : { name: named }), containerPort, protocol: 'TCP' };
  };
  return { name, image, ...(ports.length === 0 ? {} : { ports: ports.map(portOf) }) };
}

function statusOf(pod: Pod, member: Member, lost: Lost | null, now: string): PodStatus {
  const startedAt = `${member.startedAt.slice(0, 19)}Z`;
  const containers = member.containers.map(({ name, image, ready }): ContainerStatus => ({
    name,
    image,
    imageID: '',
    ready: ready && lost === null,
    started: true,
    restartCount: 0,
    state: { running: { startedAt } },
    lastState: {},
  }));
  const facts = { ip: member.ip, startTime: startedAt, init: [], containers, over: null };
  // Which host it is on, in whose terms, nobody here knows.
  const { hostIP: _, ...known } = podStatusOf(pod, facts, now);
  const status = { ...known, podIPs: [member.ip, ...member.addresses].map((ip) => ({ ip })) };
  const why = lost ?? whyNot(member);
  if (why === null) return status;
  const conditions = ['ContainersReady', 'Ready'].reduce(
    (sofar, type) => setCondition(sofar, { type, status: 'False', ...why }, now),
    [...(status.conditions ?? [])],
  );
  return { ...status, conditions, ...(lost === null ? {} : { reason: lost.reason, message: lost.message }) };
}

/** In the kubelet's words, with what the proxy knows beyond them. */
function whyNot({ containers }: Member): { reason: string; message: string } | null {
  const unready = containers.filter((c) => !c.ready);
  if (unready.length === 0) return null;
  const more = unready.flatMap(({ name, reason }) => (reason === '' ? [] : [`${name}: ${reason}`]));
  const message = `containers with unready status: [${unready.map((c) => c.name).join(' ')}]`;
  return { reason: 'ContainersNotReady', message: [message, ...more].join('; ') };
}

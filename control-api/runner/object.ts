/** The parts of Kubernetes objects that the runner reads and writes. Absent fields stay absent: these are resources as written. */
import type { Meta, Resource } from '#proxy/istio/resource.ts';

export type OwnerReference = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
};

export type LabelSelector = {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
};

export type Condition = {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
  readonly lastUpdateTime?: string;
};

export type PodTemplate = { readonly metadata?: Partial<Meta>; readonly spec: PodSpec };

export type DeploymentSpec = {
  readonly replicas?: number;
  readonly paused?: boolean;
  readonly minReadySeconds?: number;
  readonly revisionHistoryLimit?: number;
  readonly progressDeadlineSeconds?: number;
  readonly selector: LabelSelector;
  readonly template: PodTemplate;
  readonly strategy?: {
    readonly type?: string;
    readonly rollingUpdate?: { readonly maxSurge?: number | string; readonly maxUnavailable?: number | string };
  };
};

export type ReplicaSetSpec = Pick<DeploymentSpec, 'replicas' | 'minReadySeconds' | 'selector' | 'template'>;

export type ReplicaSetStatus = {
  readonly replicas: number;
  readonly fullyLabeledReplicas: number;
  readonly readyReplicas?: number;
  readonly availableReplicas?: number;
  readonly observedGeneration?: number;
};

export type JobSpec = {
  readonly parallelism?: number;
  /** Absent: one Pod that succeeds ends the Job, once the others have ended, too. */
  readonly completions?: number;
  readonly backoffLimit?: number;
  readonly activeDeadlineSeconds?: number;
  readonly ttlSecondsAfterFinished?: number;
  readonly suspend?: boolean;
  readonly selector?: LabelSelector;
  readonly template: PodTemplate;
};

export type JobStatus = {
  readonly startTime?: string;
  readonly completionTime?: string;
  readonly active?: number;
  readonly ready?: number;
  readonly terminating?: number;
  readonly succeeded?: number;
  readonly failed?: number;
  readonly conditions?: readonly Condition[];
};

export type EnvVar = {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly secretKeyRef?: KeyRef;
    readonly configMapKeyRef?: KeyRef;
    readonly fieldRef?: { readonly fieldPath: string };
    readonly resourceFieldRef?: unknown;
  };
};

export type KeyRef = { readonly name: string; readonly key: string; readonly optional?: boolean };
export type SourceRef = { readonly name: string; readonly optional?: boolean };

export type Probe = {
  readonly httpGet?: {
    readonly path?: string;
    readonly port: number | string;
    readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[];
  };
  readonly tcpSocket?: { readonly port: number | string };
  readonly exec?: { readonly command?: readonly string[] };
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly successThreshold?: number;
  readonly failureThreshold?: number;
};

export type ContainerSpec = {
  readonly name: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: string;
  readonly env?: readonly EnvVar[];
  readonly envFrom?: readonly {
    readonly prefix?: string;
    readonly secretRef?: SourceRef;
    readonly configMapRef?: SourceRef;
  }[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number; readonly protocol?: string }[];
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly startupProbe?: Probe;
  /** Of an init container: it runs beside the others until they have ended (a sidecar of Kubernetes' own). */
  readonly restartPolicy?: string;
};

export type PodSpec = {
  readonly containers: readonly ContainerSpec[];
  readonly initContainers?: readonly ContainerSpec[];
  readonly serviceAccountName?: string;
  readonly nodeName?: string;
  readonly restartPolicy?: 'Always' | 'OnFailure' | 'Never';
  readonly terminationGracePeriodSeconds?: number;
};

export type ContainerState =
  | { readonly waiting: { readonly reason: string; readonly message?: string } }
  | { readonly running: { readonly startedAt: string } }
  | { readonly terminated: Terminated };

export type Terminated = {
  readonly exitCode: number;
  readonly signal?: number;
  readonly reason: string;
  readonly message?: string;
  readonly startedAt: string;
  readonly finishedAt: string;
};

export type ContainerStatus = {
  readonly name: string;
  readonly image: string;
  readonly imageID: string;
  readonly containerID?: string;
  readonly ready: boolean;
  readonly started: boolean;
  readonly restartCount: number;
  readonly state: ContainerState;
  readonly lastState: Partial<ContainerState>;
};

export type PodStatus = {
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed';
  readonly conditions?: readonly Condition[];
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip: string }[];
  readonly hostIP?: string;
  readonly startTime?: string;
  readonly containerStatuses?: readonly ContainerStatus[];
  readonly initContainerStatuses?: readonly ContainerStatus[];
  readonly message?: string;
  readonly reason?: string;
  readonly qosClass?: string;
};

export type ServicePort = {
  readonly name?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly protocol?: string;
  readonly appProtocol?: string;
};

export type ServiceSpec = {
  readonly type?: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports?: readonly ServicePort[];
  readonly clusterIP?: string;
  readonly publishNotReadyAddresses?: boolean;
};

export type Deployment = Resource<DeploymentSpec> & { readonly status?: Readonly<Record<string, unknown>> };
export type ReplicaSet = Resource<ReplicaSetSpec> & { readonly status?: ReplicaSetStatus };
export type Job = Resource<JobSpec> & { readonly status?: JobStatus };
export type Pod = Resource<PodSpec> & { readonly status?: PodStatus };
export type Service = Resource<ServiceSpec>;

/** The owner that manages an object, if any (`metadata.ownerReferences` with `controller: true`). */
export function controllerOf(object: { readonly metadata: Meta }): OwnerReference | undefined {
  const owners = object.metadata['ownerReferences'];
  if (!Array.isArray(owners)) return undefined;
  return (owners as readonly OwnerReference[]).find((owner) => owner.controller === true);
}

/** A reference by which `owner` manages another object. */
export function ownedBy(owner: Resource): OwnerReference {
  const { name, uid = '' } = owner.metadata;
  return { apiVersion: owner.apiVersion, kind: owner.kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** Someone asked for it to be deleted; it stays until it has ended. */
export const isTerminating = (object: { readonly metadata: Meta }): boolean =>
  typeof object.metadata['deletionTimestamp'] === 'string';

export const isReady = (pod: Pod): boolean =>
  pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;

/** It ended by itself and will not be started again. */
export const isOver = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

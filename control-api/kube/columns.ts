/** The columns `kubectl get` shows of Kubernetes' own kinds, computed as its API server computes them. */
import type { Resource } from '#proxy/istio/resource.ts';
import { age } from './age.ts';
import { podStatus } from './pod-status.ts';

export type ComputedColumn = {
  readonly name: string;
  readonly type: string;
  /** 0 always, 1 with `-o wide`. */
  readonly priority: number;
  readonly description?: string;
  readonly cell: (resource: Resource) => unknown;
};

type Loose = { readonly [key: string]: unknown };
type Port = { readonly port?: number; readonly protocol?: string; readonly nodePort?: number; readonly name?: string };
type Container = { readonly name: string; readonly image?: string };
type Replicas = { readonly replicas?: number; readonly readyReplicas?: number };
type DeploymentStatus = Replicas & { readonly updatedReplicas?: number; readonly availableReplicas?: number };
type Workload = {
  readonly replicas?: number;
  readonly selector?: Loose;
  readonly template?: { readonly spec?: Loose };
};

const column = (name: string, cell: (r: Resource) => unknown, priority = 0, type = 'string'): ComputedColumn => ({
  name,
  type,
  priority,
  cell,
});
const AGE = column('Age', ({ metadata }) => age(metadata.creationTimestamp));
const none = (text: string | undefined): string => (text === undefined || text === '' ? '<none>' : text);
const record = (value: unknown): Loose => (typeof value === 'object' && value !== null ? (value as Loose) : {});
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- callers say which part they read; nothing is checked
const status = <T>(r: Resource): T => record(r.status) as T;
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as above
const spec = <T>(r: Resource): T => record(r.spec) as T;

const POD: readonly ComputedColumn[] = [
  column('Ready', (pod) => podStatus(pod).ready),
  column('Status', (pod) => podStatus(pod).status),
  column('Restarts', (pod) => podStatus(pod).restarts),
  AGE,
  column('IP', (pod) => none(status<{ podIP?: string }>(pod).podIP), 1),
  column('Node', (pod) => none(spec<{ nodeName?: string }>(pod).nodeName), 1),
  column('Nominated Node', () => '<none>', 1),
  column('Readiness Gates', () => '<none>', 1),
];

const SERVICE: readonly ComputedColumn[] = [
  column('Type', (s) => spec<{ type?: string }>(s).type ?? 'ClusterIP'),
  column('Cluster-IP', (s) => none(spec<{ clusterIP?: string }>(s).clusterIP)),
  column('External-IP', externalIp),
  column('Port(s)', (s) => none(spec<{ ports?: readonly Port[] }>(s).ports?.map(portText).join(','))),
  AGE,
  column('Selector', (s) => labelText(spec<{ selector?: Loose }>(s).selector), 1),
];

const DEPLOYMENT: readonly ComputedColumn[] = [
  column('Ready', (d) => `${status<Replicas>(d).readyReplicas ?? 0}/${spec<Workload>(d).replicas ?? 1}`),
  column('Up-to-date', (d) => status<DeploymentStatus>(d).updatedReplicas ?? 0, 0, 'integer'),
  column('Available', (d) => status<DeploymentStatus>(d).availableReplicas ?? 0, 0, 'integer'),
  AGE,
  ...workloadColumns(),
];

const REPLICA_SET: readonly ComputedColumn[] = [
  column('Desired', (r) => spec<Workload>(r).replicas ?? 1, 0, 'integer'),
  column('Current', (r) => status<Replicas>(r).replicas ?? 0, 0, 'integer'),
  column('Ready', (r) => status<Replicas>(r).readyReplicas ?? 0, 0, 'integer'),
  AGE,
  ...workloadColumns(),
];

type JobState = {
  readonly startTime?: string;
  readonly completionTime?: string;
  readonly succeeded?: number;
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
};

/** As Kubernetes' printJob has them. */
const JOB: readonly ComputedColumn[] = [
  column('Status', (job) => {
    if (job.metadata['deletionTimestamp'] !== undefined) return 'Terminating';
    const holding =
      status<JobState>(job)
        .conditions?.filter((c) => c.status === 'True')
        .map((c) => c.type) ?? [];
    return ['Complete', 'Failed', 'Suspended'].find((type) => holding.includes(type)) ?? 'Running';
  }),
  column('Completions', (job) => {
    const { completions, parallelism = 1 } = spec<{ completions?: number; parallelism?: number }>(job);
    const of = completions ?? (parallelism > 1 ? `1 of ${parallelism}` : 1);
    return `${status<JobState>(job).succeeded ?? 0}/${of}`;
  }),
  column('Duration', (job) => {
    const { startTime, completionTime } = status<JobState>(job);
    return startTime === undefined
      ? ''
      : age(startTime, completionTime === undefined ? Date.now() : Date.parse(completionTime));
  }),
  AGE,
  ...workloadColumns(),
];

type EndpointSlice = {
  readonly ports?: readonly Port[];
  readonly endpoints?: readonly { readonly addresses?: readonly string[] }[];
};

const ENDPOINT_SLICE: readonly ComputedColumn[] = [
  column('AddressType', (e) => e['addressType'] ?? ''),
  column('Ports', (e) => someOf(((e as EndpointSlice).ports ?? []).map((p) => `${p.port ?? '*'}`))),
  column('Endpoints', (e) => someOf(((e as EndpointSlice).endpoints ?? []).flatMap((x) => x.addresses ?? []))),
  AGE,
];

type Event = {
  readonly lastTimestamp?: string;
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly involvedObject?: { readonly kind?: string; readonly name?: string };
};

const EVENT: readonly ComputedColumn[] = [
  column('Last Seen', (e) => age((e as Event).lastTimestamp ?? e.metadata.creationTimestamp)),
  column('Type', (e) => (e as Event).type ?? ''),
  column('Reason', (e) => (e as Event).reason ?? ''),
  column('Object', ({ involvedObject: o }: Event & Resource) => `${(o?.kind ?? '').toLowerCase()}/${o?.name ?? ''}`),
  column('Message', (e) => ((e as Event).message ?? '').trim()),
];

const count = (value: unknown): number => Object.keys(record(value)).length;

/** By kind; kinds that are not listed have the columns of their definition. */
export const COMPUTED: Readonly<Record<string, readonly ComputedColumn[]>> = {
  Pod: POD,
  Service: SERVICE,
  Deployment: DEPLOYMENT,
  ReplicaSet: REPLICA_SET,
  Job: JOB,
  EndpointSlice: ENDPOINT_SLICE,
  Event: EVENT,
  Namespace: [column('Status', (n) => status<{ phase?: string }>(n).phase ?? 'Active'), AGE],
  Secret: [column('Type', (s) => s['type'] ?? 'Opaque'), column('Data', (s) => count(s['data']), 0, 'integer'), AGE],
  ConfigMap: [column('Data', (c) => count(c['data']) + count(c['binaryData']), 0, 'integer'), AGE],
  ServiceAccount: [
    column('Secrets', (a) => (Array.isArray(a['secrets']) ? a['secrets'].length : 0), 0, 'integer'),
    AGE,
  ],
};

function workloadColumns(): readonly ComputedColumn[] {
  const containers = (r: Resource): readonly Container[] =>
    (spec<Workload>(r).template?.spec?.['containers'] as readonly Container[] | undefined) ?? [];
  const selector = (r: Resource): unknown => spec<Workload>(r).selector?.['matchLabels'];
  return [
    column(
      'Containers',
      (r) =>
        containers(r)
          .map((c) => c.name)
          .join(','),
      1,
    ),
    column(
      'Images',
      (r) =>
        containers(r)
          .map((c) => c.image ?? '')
          .join(','),
      1,
    ),
    column('Selector', (r) => labelText(selector(r)), 1),
  ];
}

const portText = ({ port, nodePort, protocol = 'TCP' }: Port): string =>
  nodePort === undefined || nodePort === 0 ? `${port}/${protocol}` : `${port}:${nodePort}/${protocol}`;

const labelText = (labels: unknown): string =>
  none(
    Object.entries(record(labels))
      .map(([key, value]) => `${key}=${String(value)}`)
      .sort()
      .join(','),
  );

function externalIp(service: Resource): string {
  type Ingress = { readonly ip?: string; readonly hostname?: string };
  const { type, externalIPs, externalName } = spec<{ type?: string; externalIPs?: string[]; externalName?: string }>(
    service,
  );
  if (type === 'ExternalName') return none(externalName);
  const ingress = status<{ loadBalancer?: { ingress?: readonly Ingress[] } }>(service).loadBalancer?.ingress ?? [];
  const all = [...ingress.map((i) => i.ip ?? i.hostname ?? ''), ...(externalIPs ?? [])].filter((x) => x !== '');
  if (all.length > 0) return all.join(',');
  return type === 'LoadBalancer' ? '<pending>' : '<none>';
}

/** The first three, and how many more there are. */
function someOf(values: readonly string[]): string {
  if (values.length === 0) return '<unset>';
  const more = values.length > 3 ? ` + ${values.length - 3} more...` : '';
  return values.slice(0, 3).join(',') + more;
}

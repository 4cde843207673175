/** Who owns which address: the workloads of the mesh, from Pods, WorkloadEntries and the endpoints ServiceEntries list. */
import { formatAddress, parseAddress } from '../core/cidr.ts';
import type { PodSpec } from '../istio/kubernetes-pod.ts';
import type { Resource, ResourceSet } from '../istio/resource.ts';
import type { ServiceEntrySpec } from '../istio/service-entry.ts';
import type { WorkloadEntrySpec } from '../istio/workload-entry.ts';
import type { ProxyNode, Workload } from '../snapshot/node.ts';

/** A workload and where it runs. */
export type Resident = Workload & {
  /** `region/zone/subzone` or "". */
  readonly locality: string;
  /** Ports by name: containerPorts of a pod, `ports` of a WorkloadEntry. */
  readonly ports: Readonly<Record<string, number>>;
  /** Share of a WorkloadEntry, ≥ 1. */
  readonly weight: number;
  readonly kind: 'Pod' | 'WorkloadEntry' | 'endpoint';
  /** Takes requests: of a pod, its condition Ready. */
  readonly ready: boolean;
};

export type AddressBook = {
  readonly byIp: ReadonlyMap<string, Resident>;
  /** By `namespace/name`. */
  readonly pods: ReadonlyMap<string, Resident>;
  /** Pods and WorkloadEntries of a namespace, for the selectors of ServiceEntries. */
  inNamespace(namespace: string): readonly Resident[];
};

const CLUSTER = 'Kubernetes';
/** Not a name, which a WorkloadEntry may have for an address too. */
const IP = /^[\da-f.:]+$/i;

type PodStatus = {
  readonly ip: string;
  /** All it has, `ip` among them. */
  readonly ips: readonly string[];
  readonly ended: boolean;
  readonly ready: boolean;
};

/** No schema holds for a status: it is read with care. */
function readStatus(status: unknown): PodStatus {
  const { podIP, podIPs, phase, conditions } = (typeof status === 'object' && status !== null ? status : {}) as Record<
    string,
    unknown
  >;
  const all: readonly unknown[] = Array.isArray(conditions) ? conditions : [];
  return {
    ip: typeof podIP === 'string' ? podIP : '',
    ips: (Array.isArray(podIPs) ? (podIPs as readonly unknown[]) : []).flatMap(ipOf),
    ended: phase === 'Succeeded' || phase === 'Failed',
    ready: all.some((c) => isReady(c)),
  };
}

/** `{ ip: 'fd00::1' }`, as connections show it. */
function ipOf(item: unknown): readonly string[] {
  const { ip } = (item ?? {}) as { readonly ip?: unknown };
  const address = typeof ip === 'string' ? parseAddress(ip) : null;
  return address === null ? [] : [formatAddress(address)];
}

function isReady(condition: unknown): boolean {
  const { type, status } = (condition ?? {}) as { readonly type?: unknown; readonly status?: unknown };
  return type === 'Ready' && status === 'True';
}

/** The first owner of an address wins: pods, then WorkloadEntries, then listed endpoints, each by age. */
export function readWorkloads(resources: ResourceSet): AddressBook {
  const byIp = new Map<string, Resident>();
  const pods = new Map<string, Resident>();
  const byNamespace = new Map<string, Resident[]>();
  const note = (resident: Resident, ip = resident.ip): void => {
    if (IP.test(ip) && !byIp.has(ip)) byIp.set(ip, resident);
  };
  const enlist = (resident: Resident): void => {
    const list = byNamespace.get(resident.namespace);
    if (list === undefined) byNamespace.set(resident.namespace, [resident]);
    else list.push(resident);
  };
  for (const pod of resources.list<PodSpec>('Pod')) {
    const status = readStatus(pod.status);
    if (status.ended) continue;
    const resident = residentOfPod(pod, status);
    note(resident);
    // Whoever comes from another address of it is the same caller: an IPv6 one, or that of a second network.
    for (const ip of status.ips) note(resident, ip);
    enlist(resident);
    pods.set(`${resident.namespace}/${resident.name}`, resident);
  }
  for (const entry of resources.list<WorkloadEntrySpec>('WorkloadEntry')) {
    const resident = residentOfEntry(entry.spec, entry.metadata.namespace, entry.metadata.name, 'WorkloadEntry');
    note(resident);
    enlist(resident);
  }
  for (const { metadata, spec } of resources.list<ServiceEntrySpec>('ServiceEntry')) {
    if (spec.location !== 'MESH_INTERNAL') continue;
    for (const e of spec.endpoints ?? []) note(residentOfEntry(e, metadata.namespace, metadata.name, 'endpoint'));
  }
  return { byIp, pods, inNamespace: (namespace) => byNamespace.get(namespace) ?? [] };
}

/** The plain workload inside: what `Discovery.workloads` carries. */
export const workloadOf = (r: Workload): Workload => ({
  name: r.name,
  namespace: r.namespace,
  workload: r.workload,
  serviceAccount: r.serviceAccount,
  labels: { ...r.labels },
  ip: r.ip,
  canonicalService: r.canonicalService,
  canonicalRevision: r.canonicalRevision,
  cluster: r.cluster,
});

/** Istio's canonical service and revision of a workload (pkg/model/canonical_service.go; the labels in the order they count). */
export function canonicalOf(
  labels: Readonly<Record<string, string>>,
  workload: string,
): { readonly canonicalService: string; readonly canonicalRevision: string } {
  const first = (keys: readonly string[], otherwise: string): string => {
    for (const key of keys) if (Object.hasOwn(labels, key) && labels[key] !== '') return labels[key]!;
    return otherwise;
  };
  return {
    canonicalService: first(['service.istio.io/canonical-name', 'app.kubernetes.io/name', 'app'], workload),
    canonicalRevision: first(['service.istio.io/canonical-revision', 'app.kubernetes.io/version', 'version'], 'latest'),
  };
}

function residentOfPod(pod: Resource<PodSpec>, { ip, ready }: PodStatus): Resident {
  const { metadata, spec } = pod;
  const labels = metadata.labels ?? {};
  const workload = ownerOf(pod);
  const ports: Record<string, number> = {};
  for (const container of spec.containers ?? []) {
    for (const port of container.ports ?? []) if (port.name !== undefined) ports[port.name] ??= port.containerPort;
  }
  return {
    name: metadata.name,
    namespace: metadata.namespace,
    workload,
    serviceAccount: spec.serviceAccountName ?? spec.serviceAccount ?? 'default',
    labels,
    ip,
    ...canonicalOf(labels, workload),
    cluster: CLUSTER,
    locality: (labels['istio-locality'] ?? '').replaceAll('.', '/'),
    ports,
    weight: 1,
    kind: 'Pod',
    ready,
  };
}

type Owner = { readonly kind?: string; readonly name?: string; readonly controller?: boolean };

/** A ReplicaSet is named after its Deployment and the hash of its pod template (pkg/kube/controllers, GetDeployMetaFromPod). */
function ownerOf(pod: Resource): string {
  const owners = (pod.metadata['ownerReferences'] ?? []) as readonly Owner[];
  const owner = owners.find((o) => o.controller === true) ?? owners[0];
  if (owner?.name === undefined) return pod.metadata.name;
  const hash = pod.metadata.labels?.['pod-template-hash'];
  return owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`)
    ? owner.name.slice(0, -hash.length - 1)
    : owner.name;
}

function residentOfEntry(
  spec: WorkloadEntrySpec,
  namespace: string,
  name: string,
  kind: 'WorkloadEntry' | 'endpoint',
): Resident {
  const labels = spec.labels ?? {};
  return {
    name,
    namespace,
    workload: name,
    serviceAccount: spec.serviceAccount ?? 'default',
    labels,
    ip: spec.address ?? '',
    ...canonicalOf(labels, name),
    cluster: CLUSTER,
    locality: spec.locality ?? '',
    ports: spec.ports ?? {},
    weight: spec.weight === undefined || spec.weight < 1 ? 1 : spec.weight,
    kind,
    ready: true,
  };
}

/** The mesh's workloads by address, this proxy's own among them. */
export function workloadTable(book: AddressBook, node: ProxyNode): Readonly<Record<string, Workload>> {
  const table: Record<string, Workload> = {};
  for (const ip of [...book.byIp.keys()].sort()) table[ip] = workloadOf(book.byIp.get(ip)!);
  if (node.ip !== '') table[node.ip] ??= workloadOf(node);
  return table;
}

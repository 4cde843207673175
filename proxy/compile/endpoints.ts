/** The endpoints of every cluster: those of the service's EndpointSlices, or those a ServiceEntry lists or selects. */
import { parseAddress } from '../core/cidr.ts';
import type { EndpointSliceFields } from '../istio/kubernetes.ts';
import type { Resource, ResourceSet } from '../istio/resource.ts';
import type { Endpoint } from '../snapshot/endpoints.ts';
import type { Outbound } from './clusters.ts';
import { listedAt, portNamed, targetNumber } from './listed.ts';
import { hasLabels } from './matches.ts';
import type { MeshService, ServicePort } from './mesh-service.ts';
import type { AddressBook } from './workloads.ts';

type Slice = Resource & EndpointSliceFields;
type Labelled = Endpoint & { readonly labels: Readonly<Record<string, string>> };

/** EndpointSlices by `namespace/service`. */
export type SliceIndex = ReadonlyMap<string, readonly Slice[]>;

export function indexSlices(resources: ResourceSet): SliceIndex {
  const index = new Map<string, Slice[]>();
  for (const slice of resources.list('EndpointSlice') as readonly Slice[]) {
    const service = slice.metadata.labels?.['kubernetes.io/service-name'];
    if (service === undefined || slice.addressType === 'FQDN') continue;
    const key = `${slice.metadata.namespace}/${service}`;
    const list = index.get(key);
    if (list === undefined) index.set(key, [slice]);
    else list.push(slice);
  }
  return index;
}

/** The endpoints of clusters that have them listed; subsets share the reading of their service's port. */
export function endpointsOf(
  clusters: readonly Outbound[],
  slices: SliceIndex,
  book: AddressBook,
): Record<string, readonly Endpoint[]> {
  const read = new Map<ServicePort, readonly Labelled[]>();
  const table: Record<string, readonly Endpoint[]> = {};
  for (const { cluster, service, port, labels } of clusters) {
    if (cluster.discovery.kind !== 'endpoints') continue;
    const all = read.get(port) ?? instances(service, port, slices, book);
    read.set(port, all);
    const chosen = labels === undefined ? all : all.filter((e) => hasLabels(e.labels, labels));
    table[cluster.name] = withoutTwins(chosen);
  }
  return table;
}

/** An address counts once in a cluster, whatever labels it has. */
function withoutTwins(endpoints: readonly Labelled[]): Endpoint[] {
  const seen = new Set<string>();
  const table: Endpoint[] = [];
  for (const { address, port, weight, healthy, locality } of endpoints) {
    const key = `${address} ${port}`;
    if (seen.has(key)) continue;
    seen.add(key);
    table.push({ address, port, weight, healthy, locality });
  }
  return table;
}

function instances(
  service: MeshService,
  port: ServicePort,
  slices: SliceIndex,
  book: AddressBook,
): readonly Labelled[] {
  const found = new Map<string, Labelled>();
  const note = (e: Labelled): void => {
    // One address may stand for several versions in a ServiceEntry; each subset finds its own.
    const key = `${e.address} ${e.port} ${JSON.stringify(e.labels)}`;
    if (!found.has(key)) found.set(key, e);
  };
  const { backing } = service;
  if (backing.kind === 'slices') sliceInstances(service, port, slices, book, note);
  if (backing.kind === 'selected' || (backing.kind === 'passthrough' && service.selector !== null))
    selectedInstances(service, port, book, note);
  if (backing.kind === 'listed') {
    for (const e of backing.endpoints) {
      if (e.address !== undefined) note({ ...listedAt(e, port), address: e.address, healthy: true });
    }
  }
  for (const entry of service.also) {
    const own = entry.ports.find((p) => p.name === port.name) ?? entry.ports.find((p) => p.number === port.number);
    if (own !== undefined) for (const e of instances(entry, own, slices, book)) note(e);
  }
  return [...found.values()];
}

type Note = (e: Labelled) => void;

/** Addresses of the endpoints of one port: where a service without an address of its own is met. */
export function endpointAddresses(
  service: MeshService,
  port: ServicePort,
  slices: SliceIndex,
  book: AddressBook,
): readonly string[] {
  const all = instances(service, port, slices, book).map((e) => e.address);
  return [...new Set(all)].filter((address) => parseAddress(address) !== null).sort();
}

function sliceInstances(
  service: MeshService,
  port: ServicePort,
  slices: SliceIndex,
  book: AddressBook,
  note: Note,
): void {
  for (const slice of slices.get(`${service.namespace}/${service.name}`) ?? []) {
    const number = slicePort(slice, service, port);
    if (number === null) continue;
    for (const endpoint of slice.endpoints ?? []) {
      if (endpoint.conditions?.ready === false && !service.unready) continue;
      const pod = endpoint.targetRef?.name;
      for (const address of endpoint.addresses) {
        const owner =
          (pod === undefined ? undefined : book.pods.get(`${service.namespace}/${pod}`)) ?? book.byIp.get(address);
        const labels = owner?.labels ?? {};
        note({ address, port: number, weight: 1, healthy: true, locality: owner?.locality ?? '', labels });
      }
    }
  }
}

/** By name, as Kubernetes pairs them; a slice that names no ports has the service's. */
function slicePort(slice: Slice, service: MeshService, port: ServicePort): number | null {
  const ports = slice.ports ?? [];
  if (ports.length === 0) return typeof port.target === 'number' ? port.target : port.number;
  const single = ports.length === 1 && service.ports.length === 1 ? ports[0] : undefined;
  return (ports.find((p) => (p.name ?? '') === port.name) ?? single)?.port ?? null;
}

function selectedInstances(service: MeshService, port: ServicePort, book: AddressBook, note: Note): void {
  if (service.selector === null) return;
  for (const resident of book.inNamespace(service.namespace)) {
    if (!resident.ready || !hasLabels(resident.labels, service.selector)) continue;
    // A WorkloadEntry may have a name for an address: that is for a resolution of DNS.
    if (parseAddress(resident.ip) === null) continue;
    const { ip: address, labels, locality, weight } = resident;
    // Port names of a pod are the container's own; only a WorkloadEntry's are those of the ServiceEntry.
    const own = resident.kind === 'Pod' ? undefined : portNamed(resident.ports, port.name);
    note({ address, port: own ?? targetNumber(port), weight, healthy: true, locality, labels });
  }
}

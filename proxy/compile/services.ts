/** Kubernetes Services and ServiceEntries as one kind of thing: a host with ports and something behind it. */
import type { ServiceSpec } from '../istio/kubernetes.ts';
import type { Resource, ResourceSet } from '../istio/resource.ts';
import type { ServiceEntrySpec } from '../istio/service-entry.ts';
import type { WorkloadEntrySpec } from '../istio/workload-entry.ts';
import type { MeshSettings } from './defaults.ts';
import { resolveHost } from './hosts.ts';
import { protocolNamed, protocolOfPort, type Protocol } from './protocol.ts';

export type ServicePort = {
  readonly number: number;
  /** "" when it has none. */
  readonly name: string;
  readonly protocol: Protocol;
  /** Number or name of the port behind it; null: the same number. */
  readonly target: number | string | null;
};

/** Where a service's endpoints come from. */
export type Backing =
  /** EndpointSlices that carry the service's name. */
  | { readonly kind: 'slices' }
  /** Addresses listed in a ServiceEntry, or the workloads its selector means. */
  | { readonly kind: 'listed'; readonly endpoints: readonly WorkloadEntrySpec[] }
  | { readonly kind: 'selected' }
  /** Names to resolve. */
  | { readonly kind: 'dns'; readonly endpoints: readonly WorkloadEntrySpec[] }
  /** The address the client asked for. */
  | { readonly kind: 'passthrough' };

export type MeshService = {
  /** Full name in lower case; a ServiceEntry's may be `*.suffix`. */
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
  readonly ports: readonly ServicePort[];
  /** Virtual addresses (no ranges). */
  readonly addresses: readonly string[];
  readonly exportTo: readonly string[];
  /** Labels of the workloads behind it, in its own namespace. Null: it selects none. */
  readonly selector: Readonly<Record<string, string>> | null;
  readonly backing: Backing;
  /** Not ready endpoints count too. */
  readonly unready: boolean;
  readonly resource: Resource;
};

/** Every service of the mesh, in the order in which they win a host: Kubernetes' first, then by age. */
export function readServices(resources: ResourceSet, mesh: MeshSettings): readonly MeshService[] {
  const services = resources.list<ServiceSpec>('Service').map((r) => fromService(r, mesh.domainSuffix));
  return [
    ...services,
    ...resources.list<ServiceEntrySpec>('ServiceEntry').flatMap((r) => fromEntry(r, mesh.domainSuffix)),
  ];
}

const EXPORT_TO = 'networking.istio.io/exportTo';

function fromService(resource: Resource<ServiceSpec>, suffix: string): MeshService {
  const { metadata, spec } = resource;
  const alias = spec.type === 'ExternalName' ? (spec.externalName ?? null) : null;
  const virtual = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return {
    host: `${metadata.name}.${metadata.namespace}.svc.${suffix}`,
    name: metadata.name,
    namespace: metadata.namespace,
    ports: (spec.ports ?? []).flatMap((p) => {
      const protocol = protocolOfPort(p);
      return protocol === null ? [] : [{ number: p.port, name: p.name ?? '', protocol, target: p.targetPort ?? null }];
    }),
    addresses: virtual.filter((address) => address !== '' && address !== 'None'),
    exportTo: (metadata.annotations?.[EXPORT_TO] ?? '')
      .split(',')
      .map((s) => s.trim())
      .filter((s) => s !== ''),
    selector: spec.selector !== undefined && Object.keys(spec.selector).length > 0 ? spec.selector : null,
    backing: alias === null ? { kind: 'slices' } : { kind: 'dns', endpoints: [{ address: alias }] },
    unready: spec.publishNotReadyAddresses === true,
    resource,
  };
}

function fromEntry(resource: Resource<ServiceEntrySpec>, suffix: string): readonly MeshService[] {
  const { metadata, spec } = resource;
  const ports = (spec.ports ?? []).flatMap((p): ServicePort[] => {
    // Not sniffed: what an outside service speaks is opaque unless it is declared.
    const protocol = protocolNamed(p.protocol ?? 'TCP', p.number);
    return protocol === null ? [] : [{ number: p.number, name: p.name, protocol, target: p.targetPort ?? null }];
  });
  return spec.hosts.map((host) => ({
    // A short name is made full, as in every resource that may refer to it; Istio leaves it, and nothing ever meets it then.
    host: resolveHost(host, metadata.namespace, suffix),
    name: host.toLowerCase(),
    namespace: metadata.namespace,
    ports,
    addresses: (spec.addresses ?? []).filter((address) => !address.includes('/')),
    exportTo: spec.exportTo ?? [],
    selector: spec.workloadSelector?.labels ?? null,
    backing: backingOf(spec, host.toLowerCase()),
    unready: false,
    resource,
  }));
}

function backingOf(spec: ServiceEntrySpec, host: string): Backing {
  const listed = spec.endpoints ?? [];
  switch (spec.resolution ?? 'NONE') {
    case 'NONE':
    case 'DYNAMIC_DNS':
      return { kind: 'passthrough' };
    case 'STATIC':
      return spec.workloadSelector === undefined ? { kind: 'listed', endpoints: listed } : { kind: 'selected' };
    case 'DNS':
    case 'DNS_ROUND_ROBIN':
      if (spec.workloadSelector !== undefined) return { kind: 'selected' };
      return { kind: 'dns', endpoints: listed.length === 0 ? [{ address: host }] : listed };
  }
}

/** Kubernetes Services and ServiceEntries as one kind of thing: a host with ports and something behind it. */
import type { ServiceSpec } from '../istio/kubernetes.ts';
import type { Resource, ResourceSet } from '../istio/resource.ts';
import type { ServiceEntrySpec } from '../istio/service-entry.ts';
import { autoAddresses } from './auto-addresses.ts';
import type { MeshSettings } from './defaults.ts';
import type { MeshService } from './mesh-service.ts';
import { protocolOfPort } from './protocol.ts';
import { servicesOfEntry } from './service-entries.ts';

/** Every service of the mesh, in the order in which they win a host: Kubernetes' first, then by age. */
export function readServices(resources: ResourceSet, mesh: MeshSettings): readonly MeshService[] {
  const services = resources.list<ServiceSpec>('Service').map((r) => fromService(r, mesh.domainSuffix));
  const entries = resources.list<ServiceEntrySpec>('ServiceEntry');
  const given = autoAddresses(entries);
  return [...services, ...entries.flatMap((r) => servicesOfEntry(r, given, mesh.domainSuffix))];
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
    ranges: [],
    given: [],
    exportTo: (metadata.annotations?.[EXPORT_TO] ?? '')
      .split(',')
      .map((s) => s.trim())
      .filter((s) => s !== ''),
    selector: spec.selector !== undefined && Object.keys(spec.selector).length > 0 ? spec.selector : null,
    backing: alias === null ? { kind: 'slices' } : { kind: 'dns', mode: 'strict', endpoints: [{ address: alias }] },
    unready: spec.publishNotReadyAddresses === true,
    mayPointInside: true,
    subjectAltNames: [],
    also: [],
    resource,
  };
}

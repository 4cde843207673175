/** ServiceEntries as services: one for each host. */
import type { Resource } from '../istio/resource.ts';
import type { ServiceEntrySpec } from '../istio/service-entry.ts';
import { resolveHost } from './hosts.ts';
import { protocolNamed } from './protocol.ts';
import type { Backing, MeshService, ServicePort } from './mesh-service.ts';

/** On a ServiceEntry of the outside: the names it resolves may all the same lead to addresses inside the mesh or of this machine. */
const ALLOW_INSIDE = 'lateen.dev/allow-inside';

/** `given`: what `autoAddresses` says. */
export function servicesOfEntry(
  resource: Resource<ServiceEntrySpec>,
  given: ReadonlyMap<string, readonly string[]>,
  suffix: string,
): readonly MeshService[] {
  const { metadata, spec } = resource;
  const addresses = (spec.addresses ?? []).map(single);
  const mayPointInside = spec.location === 'MESH_INTERNAL' || metadata.annotations?.[ALLOW_INSIDE] === 'true';
  return spec.hosts.map((written) => {
    const name = written.toLowerCase();
    return {
      // A short name is made full, as in every resource that may refer to it; Istio leaves it, and nothing ever meets it then.
      host: resolveHost(written, metadata.namespace, suffix),
      name,
      namespace: metadata.namespace,
      ports: portsOf(spec),
      addresses: addresses.filter((address) => !address.includes('/')),
      ranges: addresses.filter((address) => address.includes('/')),
      given: given.get(`${metadata.namespace}/${metadata.name}/${name}`) ?? [],
      exportTo: spec.exportTo ?? [],
      selector: spec.workloadSelector?.labels ?? null,
      backing: backingOf(spec, name),
      unready: false,
      mayPointInside,
      subjectAltNames: spec.subjectAltNames ?? [],
      also: [],
      resource,
    };
  });
}

/** A range of one address is that address. */
const single = (address: string): string =>
  address.replace(address.includes(':') ? /\/128$/ : /\/32$/, '').toLowerCase();

function portsOf(spec: ServiceEntrySpec): readonly ServicePort[] {
  return (spec.ports ?? []).flatMap((p): ServicePort[] => {
    // Not sniffed: what an outside service speaks is opaque unless it is declared.
    const protocol = protocolNamed(p.protocol ?? 'TCP', p.number);
    return protocol === null ? [] : [{ number: p.number, name: p.name, protocol, target: p.targetPort ?? null }];
  });
}

function backingOf(spec: ServiceEntrySpec, host: string): Backing {
  const listed = spec.endpoints ?? [];
  const selects = spec.workloadSelector !== undefined;
  switch (spec.resolution ?? 'NONE') {
    case 'NONE':
      return { kind: 'passthrough' };
    case 'DYNAMIC_DNS':
      return { kind: 'dynamic-dns' };
    case 'STATIC':
      return selects ? { kind: 'selected' } : { kind: 'listed', endpoints: listed };
    case 'DNS':
    case 'DNS_ROUND_ROBIN': {
      const mode = spec.resolution === 'DNS' ? 'strict' : 'logical';
      const endpoints = listed.length === 0 ? [{ address: host }] : listed;
      return { kind: 'dns', mode, endpoints: selects ? null : endpoints };
    }
  }
}

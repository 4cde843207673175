/** ServiceEntries that nothing tells apart: ports that need an address (IST0134), one host with several protocols (IST0177). */
import type { Resource } from '../istio/resource.ts';
import type { ServiceEntrySpec } from '../istio/service-entry.ts';
import { fullName, type Findings } from './findings.ts';

const BY_NAME = new Set(['HTTP', 'HTTPS', 'HTTP2', 'GRPC', 'GRPC-WEB', 'TLS']);

type Entry = Resource<ServiceEntrySpec>;

export function analyzeServiceEntries(f: Findings): void {
  const entries = f.resources.list<ServiceEntrySpec>('ServiceEntry');
  const known = knownByName(f);
  for (const entry of entries) {
    if ((entry.spec.addresses?.length ?? 0) > 0 || known.has(entry)) continue;
    for (const [i, port] of (entry.spec.ports ?? []).entries()) {
      if (BY_NAME.has((port.protocol ?? '').toUpperCase())) continue;
      const message = `ServiceEntry addresses are required for this protocol. Without them, every connection to port ${port.number} is taken for ${entry.spec.hosts[0]}`;
      f.problems.add('warning', entry, `spec.ports[${i}].protocol`, message, 'IST0134');
    }
  }
  const byHost = new Map<string, Entry[]>();
  for (const entry of entries)
    for (const host of new Set(entry.spec.hosts)) {
      const same = byHost.get(host);
      if (same === undefined) byHost.set(host, [entry]);
      else same.push(entry);
    }
  for (const entry of entries) checkProtocols(f, entry, byHost);
}

/** Sidecars answer for every host of these, with addresses that lead to nobody else. Istio warns all the same (istio/istio#50805). */
function knownByName({ mesh, services }: Findings): ReadonlySet<Resource> {
  if (!mesh.dnsCapture) return new Set();
  const all = new Set(services.map(({ resource }) => resource));
  for (const { resource, given } of services) if (given.length === 0) all.delete(resource);
  return all;
}

/** Each entry is told once, of the first host and port. */
function checkProtocols(f: Findings, entry: Entry, byHost: ReadonlyMap<string, readonly Entry[]>): void {
  for (const host of entry.spec.hosts) {
    const rivals = byHost.get(host)!.filter((other) => meet(entry, other));
    for (const [i, { number }] of (entry.spec.ports ?? []).entries()) {
      const uses = rivals.flatMap((rival) =>
        (rival.spec.ports ?? [])
          .filter((port) => port.number === number)
          .map((port) => ({ rival, protocol: (port.protocol ?? '').toUpperCase() })),
      );
      const protocols = [...new Set(uses.map((use) => use.protocol))].sort();
      if (protocols.length < 2) continue;
      const names = [...new Set(uses.map((use) => fullName(use.rival)))].sort().join(', ');
      const message = `Multiple ServiceEntries (${names}) define the same host "${host}" and port ${number} with conflicting protocols (${protocols.join(', ')}).`;
      f.problems.add('warning', entry, `spec.ports[${i}].protocol`, message, 'IST0177');
      return;
    }
  }
}

/** Some namespace may see both. */
function meet(a: Entry, b: Entry): boolean {
  const [one, other] = [reach(a), reach(b)];
  return one.has('*') || other.has('*') || !one.isDisjointFrom(other);
}

const reach = ({ spec, metadata }: Entry): ReadonlySet<string> =>
  new Set(spec.exportTo?.length ? spec.exportTo.map((to) => (to === '.' ? metadata.namespace : to)) : ['*']);

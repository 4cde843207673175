/** What a proxy's DNS answers: the hosts it may see, with their virtual addresses, or those of a headless service's endpoints. */
import { parseAddress } from '../core/cidr.ts';
import type { NamedHost, NameTable } from '../snapshot/name-table.ts';
import type { Context } from './context.ts';
import { domainsOf } from './hosts.ts';
import { hasLabels } from './matches.ts';
import { isHeadless, type MeshService } from './mesh-service.ts';

/** Istio: pkg/dns/server/name_table.go, BuildNameTable. A host without an address is left out: that is for the resolvers of the system to know. */
export function nameTable(c: Context): NameTable {
  const table: Record<string, NamedHost> = {};
  const add = (host: string, addresses: readonly string[]): void => {
    if (addresses.length > 0) table[host] = { addresses: [...new Set(addresses)], alternates: alternatesOf(host, c) };
  };
  for (const service of c.registry.services) {
    if (!isHeadless(service)) {
      add(service.host, [...service.addresses, ...reachable(service.given, c)].filter(isAddress));
      continue;
    }
    const ready = readyOf(service, c);
    add(
      service.host,
      ready.flatMap((e) => e.addresses),
    );
    for (const [host, addresses] of podsOf(service, ready)) add(host, addresses);
  }
  return Object.fromEntries(Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const isAddress = (text: string): boolean => parseAddress(text) !== null;

/** Addresses that were made up are worth something only in the family that the pod has: nothing else would be redirected. */
const reachable = (given: readonly string[], c: Context): readonly string[] =>
  given.filter((address) => address.includes(':') === c.node.ip.includes(':'));

type Ready = { readonly addresses: readonly string[]; readonly hostname: string | undefined };

/** The endpoints of a service that has no address of its own. */
function readyOf(service: MeshService, { slices, book }: Context): readonly Ready[] {
  const { selector } = service;
  if (service.backing.kind !== 'slices') {
    return book
      .inNamespace(service.namespace)
      .filter((r) => r.ready && isAddress(r.ip) && selector !== null && hasLabels(r.labels, selector))
      .map((r) => ({ addresses: [r.ip], hostname: undefined }));
  }
  return (slices.get(`${service.namespace}/${service.name}`) ?? []).flatMap((slice) =>
    (slice.endpoints ?? [])
      .filter((e) => e.conditions?.ready !== false || service.unready)
      .map((e) => ({ addresses: e.addresses.filter(isAddress), hostname: e.hostname })),
  );
}

/** `mysql-0.mysql.default.svc.cluster.local`: pods of a headless service that have a name of their own (Kubernetes, DNS for Services and Pods). */
function podsOf(service: MeshService, ready: readonly Ready[]): ReadonlyMap<string, readonly string[]> {
  const pods = new Map<string, readonly string[]>();
  for (const { hostname, addresses } of ready) {
    if (hostname === undefined || hostname === '') continue;
    const host = `${hostname.toLowerCase()}.${service.host}`;
    pods.set(host, [...(pods.get(host) ?? []), ...addresses]);
  }
  return pods;
}

/** The shorter forms that a resolver in the proxy's namespace completes. */
function alternatesOf(host: string, c: Context): readonly string[] {
  const suffix = c.mesh.domainSuffix;
  const end = `.svc.${suffix}`;
  const labels = host.endsWith(end) ? host.slice(0, -end.length).split('.') : [];
  if (labels.length < 3) return domainsOf({ host, addresses: [] }, c.node.namespace, suffix).slice(1);
  const namespace = labels.at(-1)!;
  const name = labels.slice(0, -1).join('.');
  return [...(namespace === c.node.namespace ? [name] : []), `${name}.${namespace}`, `${name}.${namespace}.svc`];
}

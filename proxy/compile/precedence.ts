/** Who wins when several VirtualServices are for the same host. */
import type { Resource, ResourceSet } from '../istio/resource.ts';
import type { VirtualServiceSpec } from '../istio/virtual-service.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { Route } from '../snapshot/route.ts';
import { HostMap, resolveHost } from './hosts.ts';
import { isCatchAll, resolveGateway } from './matches.ts';
import { exportedTo, type Imports } from './visibility.ts';

export type Bound = {
  readonly resource: Resource<VirtualServiceSpec>;
  /** Full, lower case. */
  readonly hosts: readonly string[];
  /** `mesh` and `namespace/name`. */
  readonly gateways: readonly string[];
};

/** The VirtualServices this proxy may see; its own namespace's private ones first, then by age (push_context.go). */
export function visibleRules(resources: ResourceSet, node: ProxyNode, suffix: string): readonly Bound[] {
  const reaches = { own: [] as Bound[], namespace: [] as Bound[], all: [] as Bound[] };
  for (const resource of resources.list<VirtualServiceSpec>('VirtualService')) {
    const { metadata, spec } = resource;
    if (spec === undefined || !exportedTo(spec.exportTo, metadata.namespace, node.namespace)) continue;
    const hosts = (spec.hosts ?? []).map((host) => resolveHost(host, metadata.namespace, suffix));
    const gateways = (spec.gateways?.length ? spec.gateways : ['mesh']).map((g) =>
      resolveGateway(g, metadata.namespace),
    );
    reaches[reachOf(spec.exportTo, metadata.namespace)].push({ resource, hosts, gateways });
  }
  return [...reaches.own, ...reaches.namespace, ...reaches.all];
}

function reachOf(exportTo: readonly string[] | undefined, owner: string): 'own' | 'namespace' | 'all' {
  if (exportTo === undefined || exportTo.length === 0 || exportTo.includes('*')) return 'all';
  return exportTo.every((to) => to === '.' || to === owner) ? 'own' : 'namespace';
}

export type MeshRules = {
  /** The VirtualService of a service's host: that of the exact host, else of the longest wildcard. */
  find(host: string): Bound | undefined;
  /** Hosts that are given by name, and the VirtualService each belongs to. */
  readonly named: readonly (readonly [host: string, rules: Bound])[];
};

/** Between two for the same host in the mesh the older wins, and the other is ignored there. */
export function meshRules(visible: readonly Bound[], imports: Imports): MeshRules {
  const byHost = new HostMap<Bound>();
  const named: (readonly [string, Bound])[] = [];
  for (const rules of visible) {
    if (!rules.gateways.includes('mesh')) continue;
    if (!imports.any(rules.resource.metadata.namespace, rules.hosts)) continue;
    for (const host of rules.hosts) if (byHost.add(host, rules)) named.push([host, rules]);
  }
  return { find: (host) => byHost.find(host), named };
}

/** Of a concatenation at a gateway: routes that everything matches move behind the others (route.go SortVHostRoutes). */
export function catchAllsLast(routes: readonly Route[]): readonly Route[] {
  const last = routes.filter((r) => isCatchAll(r.match));
  return last.length === 0 ? routes : [...routes.filter((r) => !isCatchAll(r.match)), ...last];
}

/** Who wins when several VirtualServices are for the same host. */
import type { Resource, ResourceSet } from '../istio/resource.ts';
import type { VirtualServiceSpec } from '../istio/virtual-service.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { Route } from '../snapshot/route.ts';
import { HostMap, hostsOverlap, isWildcard, resolveHost } from './hosts.ts';
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
  /**
   * Those with rules for connections to a host, or to some of the names it stands for. For connections they all count, those for the
   * exact host first, then those for longer suffixes, then by age.
   */
  forConnections(host: string): readonly Bound[];
};

/** Between two for the same host in the mesh the older wins, and the other is ignored there. */
export function meshRules(visible: readonly Bound[], imports: Imports): MeshRules {
  const byHost = new HostMap<Bound>();
  const named: (readonly [string, Bound])[] = [];
  const connections = new ConnectionRules();
  for (const rules of visible) {
    if (!rules.gateways.includes('mesh')) continue;
    if (!imports.any(rules.resource.metadata.namespace, rules.hosts)) continue;
    const { tls = [], tcp = [] } = rules.resource.spec;
    if (tls.length + tcp.length > 0) connections.add(rules);
    for (const host of rules.hosts) if (byHost.add(host, rules)) named.push([host, rules]);
  }
  return {
    find: (host) => byHost.find(host),
    named,
    forConnections: (host) => connections.find(host),
  };
}

/** Most hosts are names, and most rules are for names: those meet without a search. */
class ConnectionRules {
  readonly #all: Bound[] = [];
  readonly #wild: Bound[] = [];
  readonly #byName = new Map<string, Bound[]>();

  add(rules: Bound): void {
    this.#all.push(rules);
    if (rules.hosts.some(isWildcard)) this.#wild.push(rules);
    for (const host of rules.hosts) this.#byName.set(host, [...(this.#byName.get(host) ?? []), rules]);
  }

  find(host: string): readonly Bound[] {
    const candidates = isWildcard(host) ? this.#all : new Set([...(this.#byName.get(host) ?? []), ...this.#wild]);
    return [...candidates]
      .map((rules) => ({ rules, rank: rankOf(rules, host) }))
      .filter(({ rank }) => rank >= 0)
      .sort((a, b) => b.rank - a.rank)
      .map(({ rules }) => rules);
  }
}

/** How near the closest of its hosts is; -1: none is meant. */
const rankOf = ({ hosts }: Bound, host: string): number =>
  Math.max(-1, ...hosts.map((h) => (!hostsOverlap(h, host) ? -1 : h === host ? Number.MAX_SAFE_INTEGER : h.length)));

/** Of a concatenation at a gateway: routes that everything matches move behind the others (route.go SortVHostRoutes). */
export function catchAllsLast(routes: readonly Route[]): readonly Route[] {
  const last = routes.filter((r) => isCatchAll(r.match));
  return last.length === 0 ? routes : [...routes.filter((r) => !isCatchAll(r.match)), ...last];
}

/** What a proxy may see: `exportTo` of the owner, and the egress hosts of the one Sidecar resource that applies to it. */
import type { Resource, ResourceSet } from '../istio/resource.ts';
import type { SidecarEgress, SidecarSpec } from '../istio/sidecar.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import { hostMatches, hostsOverlap, resolveHost } from './hosts.ts';
import { hasLabels } from './matches.ts';

/** Nothing given: everyone (mesh default `*`). */
export function exportedTo(exportTo: readonly string[] | undefined, owner: string, namespace: string): boolean {
  if (exportTo === undefined || exportTo.length === 0) return true;
  return exportTo.some((to) => to === '*' || to === namespace || (to === '.' && owner === namespace));
}

/**
 * Exactly one Sidecar applies: the oldest of the namespace whose selector matches, else the oldest without a selector there,
 * else the oldest without a selector in the root namespace (pilot/pkg/model/push_context.go getSidecarScope). Never for gateways.
 */
export function sidecarFor(resources: ResourceSet, node: ProxyNode): Resource<SidecarSpec> | null {
  if (node.role === 'gateway') return null;
  const all = resources.list<SidecarSpec>('Sidecar');
  const here = all.filter((s) => s.metadata.namespace === node.namespace);
  return (
    here.find((s) => selects(s) && hasLabels(node.labels, s.spec?.workloadSelector?.labels)) ??
    here.find((s) => !selects(s)) ??
    all.find((s) => s.metadata.namespace === node.rootNamespace && !selects(s)) ??
    null
  );
}

const selects = (sidecar: Resource<SidecarSpec>): boolean =>
  Object.keys(sidecar.spec?.workloadSelector?.labels ?? {}).length > 0;

/** Which hosts of which namespaces are imported. */
export type Imports = {
  /** For a port of a service: the egress listener of that port decides, else the one without a port. */
  service(namespace: string, host: string, port: number): boolean;
  /** For a VirtualService: some of its hosts, on any listener. */
  any(namespace: string, hosts: readonly string[]): boolean;
};

const EVERYTHING: Imports = { service: () => true, any: () => true };

export function importsOf(sidecar: Resource<SidecarSpec> | null, node: ProxyNode, suffix: string): Imports {
  const egress = sidecar?.spec?.egress;
  if (egress === undefined || egress.length === 0) return EVERYTHING;
  const listeners = egress.map((listener) => ({
    port: listener.port?.number,
    hosts: readHosts(listener, node, suffix),
  }));
  return {
    service(namespace, host, port) {
      const listener = listeners.find((l) => l.port === port) ?? listeners.find((l) => l.port === undefined);
      return listener !== undefined && covers(listener.hosts, namespace, (pattern) => hostMatches(pattern, host));
    },
    any: (namespace, hosts) =>
      listeners.some((l) => covers(l.hosts, namespace, (pattern) => hosts.some((host) => hostsOverlap(pattern, host)))),
  };
}

export type ImportedHost = {
  /** `*`: any. */
  readonly namespace: string;
  readonly host: string;
  /** `~ns/host` takes away from what the others give. */
  readonly excluded: boolean;
};

/** `namespace/dnsName`: `.` is the proxy's own namespace, `*` any, `~` none. */
export function readHosts(listener: SidecarEgress, node: ProxyNode, suffix: string): readonly ImportedHost[] {
  return listener.hosts.flatMap((text): ImportedHost[] => {
    const slash = text.indexOf('/');
    const scope = slash < 0 ? '*' : text.slice(0, slash);
    if (scope === '~') return [];
    const excluded = scope.startsWith('~');
    const word = excluded ? scope.slice(1) : scope;
    const namespace = word === '.' ? node.namespace : word;
    const inside = namespace === '*' ? node.namespace : namespace;
    return [{ namespace, host: resolveHost(text.slice(slash + 1), inside, suffix), excluded }];
  });
}

export function covers(hosts: readonly ImportedHost[], namespace: string, fits: (pattern: string) => boolean): boolean {
  const meant = hosts.filter((h) => (h.namespace === '*' || h.namespace === namespace) && fits(h.host));
  return meant.length > 0 && !meant.some((h) => h.excluded);
}

/** Where connections to a port of a service go: the tls and tcp rules of VirtualServices, else all of them to the service. */
import { cidrPredicate } from '../core/cidr.ts';
import type { ClusterName } from '../core/brand.ts';
import type { Destination } from '../istio/selector.ts';
import type { RouteDestination, TcpRoute, TlsRoute } from '../istio/virtual-service.ts';
import type { TcpRule, TcpShare } from '../snapshot/listener.ts';
import type { SourceRef } from '../snapshot/route.ts';
import { outboundName } from './clusters.ts';
import { clusterFor, type Context } from './context.ts';
import { hostMatches } from './hosts.ts';
import { type Place, resolveGateway, hasLabels } from './matches.ts';
import type { Bound } from './precedence.ts';
import { sourceOf } from './problems.ts';
import type { MeshService, ServicePort } from './mesh-service.ts';

/** How a service is met: at these addresses (none: at any), under these server names (none: whatever is spoken). */
export type Reach = Pick<TcpRule, 'destinations' | 'serverNames'>;

/** A rule of a VirtualService; `subnets` null: whatever the address is. */
type Found = {
  readonly subnets: readonly string[] | null;
  readonly serverNames: readonly string[];
  readonly split: readonly TcpShare[];
  readonly source: SourceRef;
};

const wholeOf = (cluster: ClusterName): readonly TcpShare[] => [{ cluster, weight: 100 }];

/**
 * Port of the service, `protocol` deciding whether its tls or its tcp rules count (pilot/pkg/networking/core/tls.go). Where a tls rule
 * applies, other server names find nothing: the service's own name stands no more. `otherwise` gets what no rule takes.
 */
export function serviceRules(
  c: Context,
  service: MeshService,
  port: ServicePort,
  reaches: readonly Reach[],
  otherwise: ClusterName = outboundName(port.number, '', service.host),
): readonly TcpRule[] {
  const found = foundFor(c, service, port);
  const rules = found.rules.flatMap(({ subnets, serverNames, split, source }): TcpRule[] => {
    const meant = subnets === null ? spread(reaches) : withinOf(subnets, service);
    return meant.map((destinations) => ({ destinations, serverNames, split, source }));
  });
  if (found.final) return rules;
  return [...rules, ...reaches.map((reach) => ({ ...reach, split: wholeOf(otherwise), source: null }))];
}

/** What CONNECT to names of a service leads to: its rules without a look at the connection, by name. */
export function namedSplits(
  c: Context,
  service: MeshService,
  port: ServicePort,
): ReadonlyMap<string, readonly TcpShare[]> {
  const { rules } = foundFor(c, service, port);
  const splits = new Map<string, readonly TcpShare[]>();
  const own = rules.find(
    ({ subnets, serverNames }) =>
      (subnets === null || subnets.some((s) => service.addresses.some(cidrPredicate([s])))) &&
      (serverNames.length === 0 || serverNames.some((name) => hostMatches(name, service.host))),
  );
  splits.set(service.host, own?.split ?? wholeOf(outboundName(port.number, '', service.host)));
  for (const { serverNames, split } of rules)
    for (const name of serverNames) if (!splits.has(name)) splits.set(name, split);
  return splits;
}

/** `final`: nothing is left for the service itself. */
function foundFor(
  c: Context,
  service: MeshService,
  port: ServicePort,
): { readonly rules: readonly Found[]; readonly final: boolean } {
  const place: Place = { gateways: ['mesh'], port: port.number, namespace: c.node.namespace, labels: c.node.labels };
  const bounds = c.meshRules.forConnections(service.host);
  return port.protocol === 'tls' ? tlsRules(c, service, bounds, place) : tcpRules(c, service, bounds, place);
}

function tlsRules(c: Context, service: MeshService, bounds: readonly Bound[], place: Place) {
  const rules: Found[] = [];
  let final = false;
  for (const { resource, hosts } of bounds) {
    const { namespace } = resource.metadata;
    for (const [i, rule] of (resource.spec.tls ?? []).entries()) {
      const split = shares(rule, (d) => clusterFor(c, d, namespace, place.port));
      if (split.length === 0) continue;
      for (const [j, match] of rule.match.entries()) {
        if (!takes(match, place, namespace)) continue;
        const subnets = match.destinationSubnets?.length ? match.destinationSubnets : null;
        const serverNames = match.sniHosts.map((name) => name.toLowerCase());
        rules.push({ subnets, serverNames, split, source: sourceOf(resource, `spec.tls[${i}].match[${j}]`) });
        // Rules for `a.example.org` say nothing of the rest of `*.example.org`.
        if (hosts.some((host) => hostMatches(host, service.host))) final = true;
      }
    }
  }
  return { rules, final };
}

/** The first rule that does not ask for an address ends the list. */
function tcpRules(c: Context, service: MeshService, bounds: readonly Bound[], place: Place) {
  const rules: Found[] = [];
  for (const { resource, hosts } of bounds) {
    // Opaque connections do not say which of many names is meant.
    if (!hosts.some((host) => hostMatches(host, service.host))) continue;
    const { namespace } = resource.metadata;
    for (const [i, rule] of (resource.spec.tcp ?? []).entries()) {
      const split = shares(rule, (d) => clusterFor(c, d, namespace, place.port));
      if (split.length === 0) continue;
      const matches = (rule.match ?? []).filter((match) => takes(match, place, namespace));
      if (rule.match?.length && matches.length === 0) continue;
      const final = matches.length === 0 || matches.some((match) => !match.destinationSubnets?.length);
      const subnets = final ? null : matches.flatMap((match) => match.destinationSubnets ?? []);
      rules.push({ subnets, serverNames: [], split, source: sourceOf(resource, `spec.tcp[${i}]`) });
      if (final) return { rules, final: true };
    }
  }
  return { rules, final: false };
}

type Match = NonNullable<TcpRoute['match']>[number] | TlsRoute['match'][number];
type Scope = { readonly [K in 'port' | 'gateways' | 'sourceLabels' | 'sourceNamespace']?: Match[K] | undefined };

/** What can be decided now; all that is given has to hold, unlike with http rules (tls.go matchTLS, matchTCP). */
export function takes(match: Scope, place: Place, owner: string): boolean {
  const { port, gateways = [], sourceLabels, sourceNamespace = '' } = match;
  if (port !== undefined && port !== place.port) return false;
  if (gateways.length > 0 && !gateways.some((name) => place.gateways.includes(resolveGateway(name, owner))))
    return false;
  if (sourceNamespace !== '' && sourceNamespace !== place.namespace) return false;
  return hasLabels(place.labels, sourceLabels);
}

/** Rules without addresses hold wherever the service is met; their server names replace its own. */
function spread(reaches: readonly Reach[]): readonly (readonly string[])[] {
  if (reaches.some(({ destinations }) => destinations.length === 0)) return [[]];
  return reaches.map(({ destinations }) => destinations);
}

/** A service with addresses is met at those alone, however wide a rule is. */
function withinOf(subnets: readonly string[], service: MeshService): readonly (readonly string[])[] {
  if (service.addresses.length === 0 || service.ranges.length > 0) return [subnets];
  const within = service.addresses.filter(cidrPredicate(subnets));
  return within.length === 0 ? [] : [within];
}

/** One destination gets everything, whatever its weight. Empty: the rule leads nowhere. */
export function shares(
  { route = [] }: { readonly route?: readonly RouteDestination[] },
  cluster: (destination: Destination) => ClusterName,
): readonly TcpShare[] {
  if (route.length === 1) return wholeOf(cluster(route[0]!.destination));
  return route
    .filter(({ weight }) => (weight ?? 0) > 0)
    .map(({ destination, weight }) => ({ cluster: cluster(destination), weight: weight! }));
}

/** What becomes of connections that the kernel redirects to a sidecar, and of CONNECT to an address: rules by port. */
import type { TableName } from '../core/brand.ts';
import { parseAddress } from '../core/cidr.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import type { Captured, CapturedPort, TcpRule } from '../snapshot/listener.ts';
import { BLACK_HOLE, originalCluster, PASSTHROUGH } from './clusters.ts';
import type { Context } from './context.ts';
import { egressServices, tcpRulesAt } from './egress-rules.ts';
import { endpointAddresses } from './endpoints.ts';
import { isRedirected } from './interception.ts';
import { narrowerFirst } from './narrower-first.ts';
import { outboundPolicy } from './outbound-policy.ts';
import { protocolNamed } from './protocol.ts';
import { isAlias, isHeadless, type MeshService, type ServicePort } from './mesh-service.ts';
import { serviceRules, type Reach } from './tcp.ts';

export type OutboundCaptured = { readonly captured: Captured; readonly clusters: readonly Cluster[] };

type Offer = { readonly service: MeshService; readonly rule: TcpRule };

/** `tables`: the routes of each port that speaks HTTP. */
export function captureOutbound(c: Context, tables: Readonly<Record<string, TableName>>): OutboundCaptured {
  const offers = new Map<number, Offer[]>();
  const clusters: Cluster[] = [];
  for (const service of byAge(c)) {
    for (const port of service.ports) {
      if (port.protocol === 'http' || isAlias(service)) continue;
      const { rules, original } = c.problems.guard(service.resource, NOTHING, () => rulesOf(c, service, port));
      if (original !== null) clusters.push(original);
      const list = offers.get(port.number) ?? [];
      offers.set(port.number, list);
      for (const rule of rules) list.push({ service, rule });
    }
  }
  const bound = boundRules(c);
  const ports: Record<string, CapturedPort> = {};
  for (const number of new Set([...offers.keys(), ...bound.keys(), ...Object.keys(tables).map(Number)])) {
    const rules = [...(bound.get(number) ?? []), ...ordered(c, number, offers.get(number) ?? [])];
    const table = tables[number] ?? null;
    if (rules.length > 0 || table !== null) ports[number] = { rules, table, authz: null };
  }
  return { captured: { ports, unknown: unknownPort(c) }, clusters };
}

/** Listeners of the Sidecar for an address of their own that nothing is bound to: what is sent there is redirected (sidecar.proto, bind). */
function boundRules(c: Context): ReadonlyMap<number, readonly TcpRule[]> {
  const bound = new Map<number, readonly TcpRule[]>();
  if (!isRedirected(c.node)) return bound;
  for (const egress of c.sidecar?.spec?.egress ?? []) {
    const { port, bind, captureMode } = egress;
    if (port === undefined || bind === undefined || captureMode === 'NONE' || parseAddress(bind) === null) continue;
    const protocol = protocolNamed(port.protocol ?? 'TCP', port.number) ?? 'tcp';
    if (protocol === 'http') continue;
    const services = egressServices(c, egress, port.number);
    const at = { port: port.number, protocol, destinations: [bind] };
    bound.set(port.number, [...(bound.get(port.number) ?? []), ...tcpRulesAt(c, services, at, () => undefined)]);
  }
  return bound;
}

const NOTHING = { rules: [], original: null };

/** Of two services for the same connections the older one has them. */
function byAge(c: Context): readonly MeshService[] {
  const age = new Map<string, number>();
  for (const [i, { host }] of c.services.entries()) if (!age.has(host)) age.set(host, i);
  return [...c.registry.services].sort((a, b) => age.get(a.host)! - age.get(b.host)!);
}

function rulesOf(
  c: Context,
  service: MeshService,
  port: ServicePort,
): { rules: readonly TcpRule[]; original: Cluster | null } {
  if (!isHeadless(service)) return { rules: serviceRules(c, service, port, reachesOf(service, port)), original: null };
  // The workload itself among them is no matter: what it says to itself does not come here.
  const destinations = endpointAddresses(service, port, c.slices, c.book).filter((address) => address !== c.node.ip);
  if (destinations.length === 0) return NOTHING;
  const original = originalCluster(service, port, c.destinationRules, c.book);
  return { rules: serviceRules(c, service, port, [{ destinations, serverNames: [] }], original.name), original };
}

/**
 * A service with an address is known by it, whatever is spoken; one with a range, or without any, by the server name if its port speaks
 * TLS, else by the port alone (tls.go buildSidecarOutboundTLSFilterChainOpts). An address that was made up is known only to who
 * asked the proxy's own DNS, so what it stands for is met the other way, too.
 */
function reachesOf({ host, addresses, ranges, given }: MeshService, { protocol }: ServicePort): readonly Reach[] {
  const serverNames = protocol === 'tls' ? [host] : [];
  const reaches: Reach[] = [];
  const known = [...addresses, ...given];
  if (known.length > 0) reaches.push({ destinations: known, serverNames: [] });
  if (ranges.length > 0) reaches.push({ destinations: ranges, serverNames });
  if (addresses.length + ranges.length === 0) reaches.push({ destinations: [], serverNames });
  return reaches;
}

/** Narrower ones first; whoever comes too late for an address and name is told of. */
function ordered(c: Context, port: number, offers: readonly Offer[]): readonly TcpRule[] {
  const { rules, taken } = narrowerFirst(offers.map(({ rule }) => rule));
  for (const { by, from } of taken) {
    const [winner, loser] = [offers[by]!.service, offers[from]!.service];
    if (winner.host === loser.host) continue;
    c.problems.warning(
      loser.resource,
      '',
      `connections to port ${port} that could be for ${loser.host} go to ${winner.host} (${winner.resource.kind} ` +
        `${winner.resource.metadata.namespace}/${winner.resource.metadata.name}): nothing tells them apart; give them addresses`,
    );
  }
  return rules;
}

/** Opaque, as to Istio: nothing is known of what is spoken there. */
function unknownPort(c: Context): CapturedPort {
  const policy = outboundPolicy(c);
  const cluster = policy.mode === 'REGISTRY_ONLY' ? BLACK_HOLE : (policy.proxy ?? PASSTHROUGH);
  const rule = { destinations: [], serverNames: [], split: [{ cluster, weight: 100 }], source: policy.source };
  return { rules: [rule], table: null, authz: null };
}

/** What a listener of a Sidecar's egress[] does with connections: rules of the services it is for. */
import type { SidecarEgress } from '../istio/sidecar.ts';
import type { TcpRule } from '../snapshot/listener.ts';
import { BLACK_HOLE, outboundName } from './clusters.ts';
import type { Context } from './context.ts';
import { hostMatches } from './hosts.ts';
import { narrowerFirst } from './narrower-first.ts';
import type { MeshService } from './mesh-service.ts';
import { serviceRules } from './tcp.ts';
import { covers, readHosts } from './visibility.ts';

/** Services with the port that the listener's hosts let in. */
export function egressServices(c: Context, egress: SidecarEgress, port: number): readonly MeshService[] {
  const hosts = readHosts(egress, c.node, c.mesh.domainSuffix);
  return c.registry.services.filter(
    (s) =>
      s.ports.some((p) => p.number === port) && covers(hosts, s.namespace, (pattern) => hostMatches(pattern, s.host)),
  );
}

type At = { readonly port: number; readonly protocol: 'tcp' | 'tls'; readonly destinations: readonly string[] };

/**
 * The protocol is the listener's. Opaque connections say no host: the listener stands for one service. TLS is told apart by its server
 * name, where there are several. While there is no service, connections find nobody. `onLost`: hosts that stand for the same connections.
 */
export function tcpRulesAt(
  c: Context,
  services: readonly MeshService[],
  { port, protocol, destinations }: At,
  onLost: (hosts: readonly string[]) => void,
): readonly TcpRule[] {
  const bySni = protocol === 'tls' && (services.length > 1 || services.some((s) => s.host.startsWith('*')));
  const offers = services.flatMap((service) => {
    const own = { ...service.ports.find((p) => p.number === port)!, protocol };
    const reach = { destinations, serverNames: bySni ? [service.host] : [] };
    return serviceRules(c, service, own, [reach], outboundName(port, '', service.host)).map((rule) => ({
      service,
      rule,
    }));
  });
  const { rules, taken } = narrowerFirst(offers.map(({ rule }) => rule));
  const lost = new Set(taken.flatMap(({ by, from }) => [by, from].map((i) => offers[i]!.service.host)));
  if (lost.size > 1) onLost([...lost]);
  if (services.length > 0) return rules;
  return [{ destinations, serverNames: [], split: [{ cluster: BLACK_HOLE, weight: 100 }], source: null }];
}

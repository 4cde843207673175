/** Connections that come to a gateway: opaque ones by port, TLS by its server name, by the VirtualServices bound to the servers. */
import type { Resource } from '../istio/resource.ts';
import type { Listener, TcpRule } from '../snapshot/listener.ts';
import { compileAuthz } from './authz.ts';
import { clusterFor, type Context } from './context.ts';
import { domainsServed, passesTls, type Server, type ServerPort, suffixOf } from './gateway-servers.ts';
import { narrower } from './hosts.ts';
import type { Place } from './matches.ts';
import { narrowerFirst } from './narrower-first.ts';
import { sourceOf } from './problems.ts';
import { shares, takes } from './tcp.ts';

type Offer = { readonly rule: TcpRule; readonly resource: Resource; readonly path: string };

/** None while no rule is bound to the port: connections are refused, as with Envoy. */
export function tcpListener(c: Context, p: ServerPort): readonly Listener[] {
  const offers = p.servers.flatMap((server) =>
    passesTls(server.server) ? tlsOffers(c, server) : opaqueOffer(c, server),
  );
  if (offers.length === 0) return [];
  const { rules, taken } = narrowerFirst(offers.map((o) => o.rule));
  for (const { by, from } of taken) {
    const [winner, loser] = [offers[by]!, offers[from]!];
    const { namespace, name } = winner.resource.metadata;
    const message = `is not used on port ${p.port}: ${namespace}/${name} ${winner.path} takes the same connections`;
    c.problems.warning(loser.resource, loser.path, message);
  }
  return [
    {
      kind: 'tcp',
      name: `gateway_${suffixOf(c, p, '_')}`,
      address: p.address,
      port: p.port,
      direction: 'gateway',
      authz: compileAuthz(c, { ports: [p.port], via: p.port, protocol: 'tcp' }),
      rules,
    },
  ];
}

/** At a gateway only port and gateway of a match count: callers and addresses are not those that were meant (gateway.go l4SingleMatch). */
const AT_GATEWAY = { sourceLabels: undefined, sourceNamespace: undefined };

const placeOf = (c: Context, { gateway, server }: Server): Place => ({
  gateways: [gateway],
  port: server.port.number,
  namespace: c.node.namespace,
  labels: c.node.labels,
});

/** The first rule there is. */
function opaqueOffer(c: Context, server: Server): readonly Offer[] {
  const place = placeOf(c, server);
  for (const { resource } of boundTo(c, server)) {
    const { namespace } = resource.metadata;
    for (const [i, rule] of (resource.spec.tcp ?? []).entries()) {
      if (rule.match?.length && !rule.match.some((m) => takes({ ...m, ...AT_GATEWAY }, place, namespace))) continue;
      const split = shares(rule, (destination) => clusterFor(c, destination, namespace, place.port));
      const path = `spec.tcp[${i}]`;
      if (split.length === 0) continue;
      return [{ rule: { destinations: [], serverNames: [], split, source: sourceOf(resource, path) }, resource, path }];
    }
  }
  return [];
}

/** Of a rule's server names those that the server serves. (Istio takes all of them, whatever the server's hosts are.) */
function tlsOffers(c: Context, server: Server): readonly Offer[] {
  const place = placeOf(c, server);
  return boundTo(c, server).flatMap((rules) => {
    const { resource } = rules;
    const { namespace } = resource.metadata;
    const served = [...domainsServed(rules, [server])];
    return (resource.spec.tls ?? []).flatMap((rule, i) => {
      const split = shares(rule, (destination) => clusterFor(c, destination, namespace, place.port));
      if (split.length === 0) return [];
      return rule.match.flatMap((match, j): Offer[] => {
        if (!takes({ ...match, ...AT_GATEWAY }, place, namespace)) return [];
        const names = match.sniHosts.flatMap((name) => served.map((host) => narrower(name.toLowerCase(), host)));
        const serverNames = [...new Set(names.filter((name) => name !== null))];
        const path = `spec.tls[${i}].match[${j}]`;
        if (serverNames.length === 0) return [];
        return [{ rule: { destinations: [], serverNames, split, source: sourceOf(resource, path) }, resource, path }];
      });
    });
  });
}

const boundTo = (c: Context, server: Server) =>
  c.virtualServices.filter(
    (rules) => rules.gateways.includes(server.gateway) && domainsServed(rules, [server]).size > 0,
  );

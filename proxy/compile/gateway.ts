/** What a gateway serves: the servers of the Gateways that select it, merged by port, with the VirtualServices bound to them. */
import { tableName } from '../core/brand.ts';
import type { GatewayServer, GatewaySpec } from '../istio/gateway.ts';
import type { Resource } from '../istio/resource.ts';
import type { Listener } from '../snapshot/listener.ts';
import type { Route, RouteTable, VirtualHost } from '../snapshot/route.ts';
import { compileAuthz } from './authz.ts';
import { clusterFor, type Context, type Part } from './context.ts';
import { REDIRECT_STATUS } from './defaults.ts';
import { narrower } from './hosts.ts';
import { hasLabels } from './matches.ts';
import { catchAllsLast, type Bound } from './precedence.ts';
import { compileRoutes, direct } from './routes.ts';

/** A server of a Gateway, and the gateway's name as VirtualServices refer to it. */
type Server = {
  readonly gateway: string;
  readonly namespace: string;
  readonly server: GatewayServer;
};
type Port = { readonly address: string; readonly port: number; readonly servers: Server[] };

/** Without a server there is no listener: connections are refused, as with Envoy. */
export function compileGateway(c: Context): Part {
  const ports = portsOf(c);
  return {
    listeners: ports.map((p) => listenerOf(c, p)),
    tables: ports.map((p) => tableOf(c, p)),
    clusters: [],
  };
}

/** HTTP is what gateways serve; validation refuses the other protocols with the reason. */
const SERVED = new Set(['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB']);

function portsOf(c: Context): readonly Port[] {
  const ports = new Map<string, Port>();
  for (const gateway of c.resources.list<GatewaySpec>('Gateway')) {
    if (!hasLabels(c.node.labels, gateway.spec?.selector)) continue;
    for (const server of gateway.spec?.servers ?? []) {
      if (!SERVED.has(server.port.protocol.toUpperCase())) continue;
      const number = c.node.portMap[server.port.number] ?? server.port.number;
      const address = server.bind ?? c.node.bind ?? c.node.ip;
      const key = `${address} ${number}`;
      const port = ports.get(key) ?? { address, port: number, servers: [] };
      ports.set(key, port);
      port.servers.push({ gateway: nameOf(gateway), namespace: gateway.metadata.namespace, server });
    }
  }
  return [...ports.values()].sort((a, b) => a.port - b.port || (a.address < b.address ? -1 : 1));
}

const nameOf = ({ metadata }: Resource): string => `${metadata.namespace}/${metadata.name}`;

function listenerOf(c: Context, p: Port): Listener {
  return {
    kind: 'http',
    name: `gateway_${suffixOf(c, p, '_')}`,
    address: p.address,
    port: p.port,
    direction: 'gateway',
    authz: compileAuthz(c, { ports: [p.port], via: p.port, protocol: 'http' }),
    pick: 'fixed',
    tables: {},
    fallback: tableFor(c, p),
    forwardProxy: null,
  };
}

/** `http.8080`, as Istio names it. */
const tableFor = (c: Context, p: Port) => tableName(`http.${suffixOf(c, p, '.')}`);

/** A port that is bound to an address of its own says so. */
const suffixOf = (c: Context, { address, port }: Port, separator: string): string =>
  address === (c.node.bind ?? c.node.ip) ? `${port}` : `${address}${separator}${port}`;

function tableOf(c: Context, p: Port): RouteTable {
  const { port, servers } = p;
  const domains = new Map<string, Route[]>();
  for (const rules of c.virtualServices) {
    const here = servers.filter((s) => rules.gateways.includes(s.gateway));
    const served = domainsServed(rules, here);
    if (served.size === 0) continue;
    const routes = routesAt(c, rules, here);
    for (const domain of served) domains.set(domain, [...(domains.get(domain) ?? []), ...routes]);
  }
  for (const domain of redirected(servers)) domains.set(domain, [TO_HTTPS]);
  const virtualHosts = [...domains].map(([domain, routes]): VirtualHost => ({
    name: `${domain}:${port}`,
    domains: [domain],
    routes: catchAllsLast(routes),
  }));
  return { name: tableFor(c, p), virtualHosts: virtualHosts.filter((h) => h.routes.length > 0) };
}

/** What both the VirtualService and a server name; `namespace/host` of a server lets in only that namespace's. */
function domainsServed(rules: Bound, servers: readonly Server[]): ReadonlySet<string> {
  const domains = new Set<string>();
  const owner = rules.resource.metadata.namespace;
  for (const { server, namespace } of servers) {
    if (server.tls?.httpsRedirect === true) continue;
    for (const text of server.hosts) {
      const { scope, host } = serverHost(text, namespace);
      if (scope !== '*' && scope !== owner) continue;
      for (const wanted of rules.hosts) {
        const domain = narrower(wanted, host);
        if (domain !== null) domains.add(domain);
      }
    }
  }
  return domains;
}

function serverHost(text: string, namespace: string): { readonly scope: string; readonly host: string } {
  const slash = text.indexOf('/');
  if (slash < 0) return { scope: '*', host: text.toLowerCase() };
  const scope = text.slice(0, slash);
  return { scope: scope === '.' ? namespace : scope, host: text.slice(slash + 1).toLowerCase() };
}

/** The rules as they are at each port number that leads here (`80` and `8080` may be one listener). */
function routesAt(c: Context, rules: Bound, servers: readonly Server[]): readonly Route[] {
  const { resource } = rules;
  const { namespace } = resource.metadata;
  const numbers = new Set(servers.map((s) => s.server.port.number));
  const routes = [...numbers].map((port) =>
    compileRoutes(
      resource,
      {
        gateways: servers.filter((s) => s.server.port.number === port).map((s) => s.gateway),
        port,
        namespace: c.node.namespace,
        labels: c.node.labels,
      },
      (destination) => clusterFor(c, destination, namespace, port),
      c.problems,
    ),
  );
  // Alike but for the port a redirect or a span would show: the first stands for all, unless it has nothing to say.
  return routes.find((list) => list.length > 0) ?? [];
}

/** `tls.httpsRedirect`: everything the server's hosts are asked over plain HTTP is answered with 301. */
function redirected(servers: readonly Server[]): ReadonlySet<string> {
  const redirecting = servers.filter((s) => s.server.tls?.httpsRedirect === true);
  return new Set(redirecting.flatMap((s) => s.server.hosts.map((text) => serverHost(text, s.namespace).host)));
}

const TO_HTTPS: Route = direct('https_redirect', 'https_redirect', {
  kind: 'redirect',
  status: REDIRECT_STATUS,
  scheme: 'https',
  authority: null,
  port: null,
  path: null,
  prefix: null,
});

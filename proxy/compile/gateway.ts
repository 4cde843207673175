/** What a gateway serves: the servers of the Gateways that select it, merged by port, with the VirtualServices bound to them. */
import { tableName } from '../core/brand.ts';
import type { Listener } from '../snapshot/listener.ts';
import type { Route, RouteTable, VirtualHost } from '../snapshot/route.ts';
import { compileAuthz } from './authz.ts';
import { clusterFor, type Context, type Part } from './context.ts';
import { REDIRECT_STATUS } from './defaults.ts';
import { domainsServed, serverHost, serverPorts, suffixOf, type Server, type ServerPort } from './gateway-servers.ts';
import { tcpListener } from './gateway-tcp.ts';
import { catchAllsLast, type Bound } from './precedence.ts';
import { compileRoutes, direct } from './routes.ts';

/** Without a server there is no listener: connections are refused, as with Envoy. */
export function compileGateway(c: Context): Part {
  const ports = serverPorts(c);
  const http = ports.filter((p) => p.kind === 'http');
  const listeners = ports.flatMap((p) => (p.kind === 'http' ? [listenerOf(c, p)] : tcpListener(c, p)));
  return { listeners, tables: http.map((p) => tableOf(c, p)), clusters: [] };
}

function listenerOf(c: Context, p: ServerPort): Listener {
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
    captured: null,
  };
}

/** `http.8080`, as Istio names it. */
const tableFor = (c: Context, p: ServerPort) => tableName(`http.${suffixOf(c, p, '.')}`);

function tableOf(c: Context, p: ServerPort): RouteTable {
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

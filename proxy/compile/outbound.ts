/** What a sidecar does with its application's requests: one proxy listener, and a route table for each port of a service. */
import { tableName, type TableName } from '../core/brand.ts';
import type { ForwardProxy, TcpShare } from '../snapshot/listener.ts';
import type { Route, RouteTable, VirtualHost } from '../snapshot/route.ts';
import { captureOutbound } from './captured.ts';
import { blackHoleCluster, PASSTHROUGH, passthroughCluster } from './clusters.ts';
import { clusterFor, type Context, type Part } from './context.ts';
import { domainsOf, hostMatches, isWildcard } from './hosts.ts';
import { proxyAddress } from './interception.ts';
import type { Place } from './matches.ts';
import { outboundPolicy } from './outbound-policy.ts';
import { compileRoutes, defaultRoute, direct, plainRoute } from './routes.ts';
import type { MeshService } from './mesh-service.ts';
import { namedSplits } from './tcp.ts';

/** Of requests to a port that no service has. */
const UNKNOWN = tableName('unknown');

export function compileOutbound(c: Context): Part {
  const hosts = new Map<number, VirtualHost[]>();
  const add = (port: number, host: VirtualHost): void => {
    const list = hosts.get(port);
    if (list === undefined) hosts.set(port, [host]);
    else list.push(host);
  };
  for (const service of c.registry.services) {
    for (const port of service.ports)
      if (port.protocol === 'http') add(port.number, serviceHost(c, service, port.number));
  }
  for (const host of unregistered(c)) add(80, host);
  const tables = [...hosts].map(([port, list]) => tableOf(c, tableName(String(port)), list));
  tables.push(tableOf(c, UNKNOWN, []));
  const names: Record<string, TableName> = {};
  for (const port of hosts.keys()) names[port] = tableName(String(port));
  const { captured, clusters } = captureOutbound(c, names);
  return {
    listeners: [
      {
        kind: 'http',
        name: `outbound_${c.mesh.ports.outbound}`,
        address: proxyAddress(c.node),
        port: c.mesh.ports.outbound,
        direction: 'outbound',
        authz: null,
        pick: 'authority',
        tables: names,
        fallback: UNKNOWN,
        forwardProxy: compileConnect(c),
        captured,
      },
    ],
    tables,
    clusters: [passthroughCluster, blackHoleCluster, ...clusters],
  };
}

/** A table whose last virtual host takes every unknown name. A domain belongs to the first virtual host that has it. */
export function tableOf(c: Context, name: TableName, hosts: readonly VirtualHost[]): RouteTable {
  const taken = new Set<string>();
  const virtualHosts = hosts.map((host) => ({
    ...host,
    domains: host.domains.filter((domain) => !taken.has(domain) && taken.add(domain)),
  }));
  return { name, virtualHosts: [...virtualHosts.filter((host) => host.domains.length > 0), unknownHost(c)] };
}

function unknownHost(c: Context): VirtualHost {
  const { mode, proxy } = outboundPolicy(c);
  return mode === 'ALLOW_ANY'
    ? { name: 'allow_any', domains: ['*'], routes: [plainRoute('allow_any', proxy ?? PASSTHROUGH, 'allow_any')] }
    : { name: 'block_all', domains: ['*'], routes: [direct('block_all', 'block_all', BAD_GATEWAY)] };
}

const BAD_GATEWAY = { kind: 'direct', status: 502, body: '', bodyIsBase64: false } as const;

/** The virtual host of one port of a service. */
export function serviceHost(c: Context, service: MeshService, port: number): VirtualHost {
  return {
    name: `${service.host}:${port}`,
    domains: domainsOf(service, c.node.namespace, c.mesh.domainSuffix),
    routes: routesOf(c, service.host, port) ?? [defaultRoute(service.host, port)],
  };
}

/** Null: no VirtualService has a rule for this host, port and caller. */
function routesOf(c: Context, host: string, port: number): readonly Route[] | null {
  const rules = c.meshRules.find(host);
  if (rules === undefined) return null;
  const { namespace } = rules.resource.metadata;
  const routes = compileRoutes(
    rules.resource,
    meshPlace(c, port),
    (destination) => clusterFor(c, destination, namespace, port),
    c.problems,
  );
  return routes.length === 0 ? null : routes;
}

export const meshPlace = (c: Context, port: number): Place => ({
  gateways: ['mesh'],
  port,
  namespace: c.node.namespace,
  labels: c.node.labels,
});

/** Hosts of VirtualServices that no service has: they are served on port 80 (core/httproute.go). */
function unregistered(c: Context): readonly VirtualHost[] {
  return c.meshRules.named.flatMap(([host]) => {
    const known = isWildcard(host)
      ? c.registry.services.some((service) => hostMatches(host, service.host))
      : c.registry.find(host) !== undefined;
    const routes = known ? null : routesOf(c, host, 80);
    return routes === null ? [] : [{ name: `${host}:80`, domains: [host], routes }];
  });
}

/** CONNECT reaches services that speak TCP or TLS, under every name they answer to; by an address, what is captured tells. */
function compileConnect(c: Context): ForwardProxy {
  const connect: Record<string, readonly TcpShare[]> = {};
  for (const service of c.registry.services) {
    const others = domainsOf({ ...service, addresses: [] }, c.node.namespace, c.mesh.domainSuffix);
    for (const port of service.ports) {
      if (port.protocol === 'http') continue;
      const splits = c.problems.guard(service.resource, NOBODY, () => namedSplits(c, service, port));
      for (const [name, split] of splits) {
        for (const host of name === service.host ? others : [name]) connect[`${host}:${port.number}`] ??= split;
      }
    }
  }
  return { connect, unknown: outboundPolicy(c).mode };
}

const NOBODY: ReadonlyMap<string, readonly TcpShare[]> = new Map();

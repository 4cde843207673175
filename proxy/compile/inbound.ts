/** What comes to a sidecar's application: a listener for each of its ports, and one for all of them on 15006. */
import { clusterName, tableName, type ClusterName, type TableName } from '../core/brand.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import type { Endpoint } from '../snapshot/endpoints.ts';
import type { Captured, CapturedPort, Listener, TcpRule } from '../snapshot/listener.ts';
import type { Route, RouteTable } from '../snapshot/route.ts';
import { compileAuthz } from './authz.ts';
import { INBOUND_PASSTHROUGH, inboundPassthroughCluster } from './clusters.ts';
import type { Context, Part } from './context.ts';
import { INBOUND_RETRY } from './defaults.ts';
import { inboundPorts, type InboundPort } from './inbound-ports.ts';
import { appSource, proxyAddress } from './interception.ts';
import { plainRoute } from './routes.ts';
import { compilePool } from './traffic-policy.ts';

export type Inbound = Part & {
  /** Where the application is: one address a cluster. */
  readonly endpoints: Readonly<Record<string, readonly Endpoint[]>>;
};

const inboundName = (port: number): ClusterName => clusterName(`inbound|${port}||`);
const inboundTable = (port: number): TableName => tableName(`inbound|${port}||`);
/** Of requests to 15006 that do not tell which of several ports they mean. */
const UNKNOWN = tableName('inbound|unknown');

export function compileInbound(c: Context): Inbound {
  const ports = inboundPorts(c);
  const http = ports.filter((p) => p.protocol === 'http');
  const tables = http.map(tableFor);
  if (http.length !== 1) tables.push({ name: UNKNOWN, virtualHosts: [] });
  return {
    listeners: [...ports.flatMap((p) => ownListener(c, p)), merged(c, ports)],
    tables,
    clusters: [...ports.map((p) => clusterOf(c, p)), inboundPassthroughCluster(appSource(c.node, c.node.ip))],
    endpoints: Object.fromEntries(ports.map((p) => [inboundName(p.number), [endpointOf(p)]])),
  };
}

/** Not for an application that has the address already: then traffic can only come by way of 15006. */
function ownListener(c: Context, p: InboundPort): readonly Listener[] {
  if (p.bind === null || (p.bind === p.target.host && p.number === p.target.port)) return [];
  const bind = {
    name: `inbound_${p.number}`,
    address: p.bind,
    port: p.number,
    direction: 'inbound',
    authz: compileAuthz(c, { ports: [p.number], via: p.number, protocol: p.protocol }),
  } as const;
  if (p.protocol === 'tcp') {
    return [{ ...bind, kind: 'tcp', rules: [everythingTo(inboundName(p.number))] }];
  }
  const fallback = inboundTable(p.number);
  return [{ ...bind, kind: 'http', pick: 'fixed', tables: {}, fallback, forwardProxy: null, captured: null }];
}

const everythingTo = (cluster: ClusterName): TcpRule => ({
  destinations: [],
  serverNames: [],
  split: [{ cluster, weight: 100 }],
  source: null,
});

/**
 * Each port with its own policies. What comes to any other, and what is no HTTP on a port of HTTP, is passed to where it was sent, if the
 * policies let it: they judge it as a connection, of which nothing can be said that is said of requests.
 */
function captureInbound(c: Context, known: readonly InboundPort[]): Captured {
  const ports: Record<string, CapturedPort> = {};
  for (const { number, protocol } of known) {
    const http = protocol === 'http';
    ports[number] = {
      rules: http ? [] : [everythingTo(inboundName(number))],
      table: http ? inboundTable(number) : null,
      authz: compileAuthz(c, { ports: [number], via: number, protocol }),
    };
  }
  const authz = compileAuthz(c, { ports: null, via: c.mesh.ports.inbound, protocol: 'tcp' });
  return { ports, unknown: { rules: [everythingTo(INBOUND_PASSTHROUGH)], table: null, authz } };
}

function merged(c: Context, ports: readonly InboundPort[]): Listener {
  const http = ports.filter((p) => p.protocol === 'http');
  const tables: Record<string, TableName> = {};
  for (const p of http) tables[p.number] = inboundTable(p.number);
  // Callers write the port of the service in Host; it counts where it is not another port of the application.
  for (const p of http) if (p.servicePort !== null) tables[p.servicePort] ??= inboundTable(p.number);
  const { inbound } = c.mesh.ports;
  return {
    kind: 'http',
    name: `inbound_${inbound}`,
    address: proxyAddress(c.node),
    port: inbound,
    direction: 'inbound',
    authz: compileAuthz(c, { ports: http.map((p) => p.number), via: inbound, protocol: 'http' }),
    pick: 'authority',
    tables,
    fallback: http.length === 1 ? inboundTable(http[0]!.number) : UNKNOWN,
    forwardProxy: null,
    captured: captureInbound(c, ports),
  };
}

function tableFor(p: InboundPort): RouteTable {
  const operation = `${p.service?.host ?? p.target.host}:${p.servicePort ?? p.number}/*`;
  const route: Route = {
    ...plainRoute('default', inboundName(p.number), operation),
    retry: { ...INBOUND_RETRY, perTryTimeout: null, statusCodes: [] },
  };
  return {
    name: inboundTable(p.number),
    virtualHosts: [{ name: `inbound|http|${p.number}`, domains: ['*'], routes: [route] }],
  };
}

function clusterOf(c: Context, p: InboundPort): Cluster {
  const { service } = p;
  return {
    name: inboundName(p.number),
    discovery: { kind: 'endpoints' },
    service: service === null ? null : { host: service.host, name: service.name, namespace: service.namespace },
    direction: 'inbound',
    protocol: p.protocol,
    balancing: { kind: 'ROUND_ROBIN' },
    ...compilePool(p.pool?.settings),
    sourceAddress: appSource(c.node, p.target.host),
    proxyProtocol: null,
    tunnel: null,
    mayPointInside: true,
    tls: null,
    source: p.pool?.source ?? null,
  };
}

const endpointOf = ({ target }: InboundPort): Endpoint => ({
  address: target.host,
  port: target.port,
  weight: 1,
  healthy: true,
  locality: '',
});

/** Servers of the Gateways that select this proxy, by the address and port they share. */
import type { GatewayServer, GatewaySpec } from '../istio/gateway.ts';
import type { Resource } from '../istio/resource.ts';
import type { Context } from './context.ts';
import { narrower } from './hosts.ts';
import { hasLabels } from './matches.ts';
import type { Bound } from './precedence.ts';

/** A server of a Gateway, and the gateway's name as VirtualServices refer to it. */
export type Server = {
  readonly gateway: string;
  readonly namespace: string;
  readonly server: GatewayServer;
};

export type ServerPort = {
  readonly address: string;
  readonly port: number;
  /** `tcp`: opaque, or TLS that is passed through by its server name. */
  readonly kind: 'http' | 'tcp';
  readonly servers: Server[];
};

const HTTP = new Set(['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB']);
const OPAQUE = new Set(['TCP', 'MONGO', 'MYSQL', 'REDIS']);
const TLS = new Set(['TLS', 'HTTPS']);

/** TLS is passed through: no other mode is served, and validation says so. */
export const passesTls = ({ port, tls }: GatewayServer): boolean =>
  TLS.has(port.protocol.toUpperCase()) && tls !== undefined && (tls.mode ?? 'PASSTHROUGH') === 'PASSTHROUGH';

/** Null: what validation refuses with the reason. */
function kindOf(server: GatewayServer): 'http' | 'tcp' | null {
  const protocol = server.port.protocol.toUpperCase();
  if (HTTP.has(protocol)) return 'http';
  return OPAQUE.has(protocol) || passesTls(server) ? 'tcp' : null;
}

/** What the oldest server of a port speaks, all of them have to. */
export function serverPorts(c: Context): readonly ServerPort[] {
  const ports = new Map<string, ServerPort>();
  for (const gateway of c.resources.list<GatewaySpec>('Gateway')) {
    if (!hasLabels(c.node.labels, gateway.spec?.selector)) continue;
    for (const [i, server] of (gateway.spec?.servers ?? []).entries()) {
      const kind = kindOf(server);
      if (kind === null) continue;
      const number = c.node.portMap[server.port.number] ?? server.port.number;
      const address = server.bind ?? c.node.bind ?? c.node.ip;
      const key = `${address} ${number}`;
      const port = ports.get(key) ?? { address, port: number, kind, servers: [] };
      if (port.kind !== kind) {
        const message = `expected ${port.kind.toUpperCase()} on port ${server.port.number}, as ${port.servers[0]!.gateway} has it; the server is left out`;
        c.problems.warning(gateway, `spec.servers[${i}].port.protocol`, message);
        continue;
      }
      ports.set(key, port);
      port.servers.push({ gateway: nameOf(gateway), namespace: gateway.metadata.namespace, server });
    }
  }
  return [...ports.values()].sort((a, b) => a.port - b.port || (a.address < b.address ? -1 : 1));
}

const nameOf = ({ metadata }: Resource): string => `${metadata.namespace}/${metadata.name}`;

/** A port that is bound to an address of its own says so. */
export const suffixOf = (c: Context, { address, port }: ServerPort, separator: string): string =>
  address === (c.node.bind ?? c.node.ip) ? `${port}` : `${address}${separator}${port}`;

/** What both the VirtualService and a server name; `namespace/host` of a server lets in only that namespace's. */
export function domainsServed(rules: Bound, servers: readonly Server[]): ReadonlySet<string> {
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

export function serverHost(text: string, namespace: string): { readonly scope: string; readonly host: string } {
  const slash = text.indexOf('/');
  if (slash < 0) return { scope: '*', host: text.toLowerCase() };
  const scope = text.slice(0, slash);
  return { scope: scope === '.' ? namespace : scope, host: text.slice(slash + 1).toLowerCase() };
}

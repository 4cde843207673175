/** Listeners of a Sidecar's egress[] that the application connects to itself (captureMode NONE), such as a port for MySQL. */
import { tableName, type TableName } from '../core/brand.ts';
import type { Resource } from '../istio/resource.ts';
import type { SidecarEgress, SidecarSpec } from '../istio/sidecar.ts';
import type { Listener } from '../snapshot/listener.ts';
import type { Context, Part } from './context.ts';
import { egressServices, tcpRulesAt } from './egress-rules.ts';
import { inboundPorts } from './inbound-ports.ts';
import { isRedirected } from './interception.ts';
import { serviceHost, tableOf } from './outbound.ts';
import { protocolNamed } from './protocol.ts';
import type { MeshService } from './mesh-service.ts';

/** Where in a Sidecar a listener is written. */
type Written = {
  readonly sidecar: Resource<SidecarSpec>;
  readonly egress: SidecarEgress;
  readonly path: string;
};

export function compileEgress(c: Context): Part {
  const { sidecar } = c;
  const parts = (sidecar?.spec?.egress ?? []).flatMap((egress, i): readonly Part[] => {
    if (sidecar === null) return [];
    const written = { sidecar, egress, path: `spec.egress[${i}]` };
    return egress.port === undefined ? everyPort(c, written) : onePort(c, written, egress.port);
  });
  return {
    listeners: parts.flatMap((p) => p.listeners),
    tables: parts.flatMap((p) => p.tables),
    clusters: [],
  };
}

/** Where the kernel redirects connections, only captureMode NONE asks for a port of its own. */
function onePort(c: Context, written: Written, port: NonNullable<SidecarEgress['port']>): readonly Part[] {
  const { sidecar, egress, path } = written;
  const { bind, captureMode } = egress;
  if (captureMode !== 'NONE' && (bind === undefined || isRedirected(c.node))) return [];
  if (bind !== undefined && /^unix:|^[/@]/.test(bind)) {
    c.problems.warning(sidecar, `${path}.bind`, `expected an IP address, got "${bind}"; there is no listener for it`);
    return [];
  }
  const services = egressServices(c, egress, port.number);
  const place = placeAt(c, port.number, bind);
  const protocol = protocolNamed(port.protocol ?? 'TCP', port.number) ?? 'tcp';
  if (protocol !== 'http') return [tcpListener(c, place, services, protocol, written)];
  const table = tableName(`egress|${place.address}|${place.port}`);
  const hosts = services.map((service) => serviceHost(c, service, place.port));
  return [{ listeners: [httpListener(place, table)], tables: [tableOf(c, table, hosts)], clusters: [] }];
}

/** A listener without a port stands for every port of its services that no other one is for. */
function everyPort(c: Context, written: Written): readonly Part[] {
  const { sidecar, egress, path } = written;
  if (egress.captureMode !== 'NONE') return [];
  const others = new Set((sidecar.spec.egress ?? []).map(({ port }) => port?.number));
  const numbers = new Set(c.registry.services.flatMap((s) => s.ports.map((p) => p.number)));
  return [...numbers]
    .filter((number) => !others.has(number))
    .sort((a, b) => a - b)
    .flatMap((number) => {
      const services = egressServices(c, egress, number);
      if (services.length === 0) return [];
      const place = placeAt(c, number, undefined);
      if (isTaken(c, place.address, number)) {
        const message = `port ${number} of ${place.address} is the application's own; there is no listener for what it sends there`;
        c.problems.warning(sidecar, path, message);
        return [];
      }
      const speaks = services.map((s) => s.ports.find((p) => p.number === number)!.protocol);
      if (!speaks.includes('http')) {
        const protocol = speaks.every((p) => p === 'tls') ? 'tls' : 'tcp';
        return [tcpListener(c, place, services, protocol, written)];
      }
      const opaque = services.filter((_, i) => speaks[i] !== 'http').map((s) => s.host);
      if (opaque.length > 0) {
        const message = `port ${number} has services that speak HTTP; ${opaque.join(', ')} cannot be reached by it`;
        c.problems.warning(sidecar, path, message);
      }
      return [{ listeners: [httpListener(place, tableName(String(number)))], tables: [], clusters: [] }];
    });
}

type Where = Pick<Listener, 'name' | 'address' | 'port' | 'direction' | 'authz'>;

const placeAt = (c: Context, port: number, bind: string | undefined): Where => ({
  name: `egress_${port}`,
  address: bind ?? localhostOf(c),
  port,
  direction: 'outbound',
  authz: null,
});

const httpListener = (place: Where, fallback: TableName): Listener => ({
  ...place,
  kind: 'http',
  pick: 'fixed',
  tables: {},
  fallback,
  forwardProxy: null,
  captured: null,
});

function tcpListener(
  c: Context,
  place: Where,
  services: readonly MeshService[],
  protocol: 'tcp' | 'tls',
  { sidecar, path }: Written,
): Part {
  const rules = tcpRulesAt(c, services, { port: place.port, protocol, destinations: [] }, (lost) =>
    c.problems.warning(
      sidecar,
      `${path}.hosts`,
      `expected services on port ${place.port} that can be told apart, got ${lost.join(', ')}; the first gets all`,
    ),
  );
  return { listeners: [{ ...place, kind: 'tcp', rules }], tables: [], clusters: [] };
}

/** Istio binds to 127.0.0.1 of the pod; where pods have loopback addresses of their own, that is the pod's. */
const localhostOf = (c: Context): string => (c.node.ip.startsWith('127.') ? c.node.ip : '127.0.0.1');

/** Pods on loopback addresses of their own have their application's ports and what they send to on one address. */
function isTaken(c: Context, address: string, port: number): boolean {
  const { inbound, outbound } = c.mesh.ports;
  if (address === c.node.ip && (port === inbound || port === outbound)) return true;
  return inboundPorts(c).some((p) => p.number === port && (p.bind === address || p.target.host === address));
}

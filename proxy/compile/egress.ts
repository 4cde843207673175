/** Listeners of a Sidecar's egress[] that the application connects to itself (captureMode NONE), such as a port for MySQL. */
import { tableName } from '../core/brand.ts';
import type { Resource } from '../istio/resource.ts';
import type { SidecarEgress, SidecarSpec } from '../istio/sidecar.ts';
import type { Listener } from '../snapshot/listener.ts';
import { BLACK_HOLE } from './clusters.ts';
import type { Context, Part } from './context.ts';
import { hostMatches } from './hosts.ts';
import { serviceHost, tableOf } from './outbound.ts';
import { protocolNamed } from './protocol.ts';
import type { MeshService } from './services.ts';
import { tcpSplit } from './tcp.ts';
import { covers, readHosts } from './visibility.ts';

export function compileEgress(c: Context): Part {
  const { sidecar } = c;
  const parts = (sidecar?.spec?.egress ?? []).flatMap((egress, i) => {
    const part = sidecar === null ? null : compileListener(c, sidecar, egress, `spec.egress[${i}]`);
    return part === null ? [] : [part];
  });
  return {
    listeners: parts.flatMap((p) => p.listeners),
    tables: parts.flatMap((p) => p.tables),
    clusters: [],
  };
}

function compileListener(c: Context, sidecar: Resource<SidecarSpec>, egress: SidecarEgress, path: string): Part | null {
  const { port, bind } = egress;
  if (port === undefined || (egress.captureMode !== 'NONE' && bind === undefined)) return null;
  if (bind !== undefined && /^unix:|^[/@]/.test(bind)) {
    c.problems.warning(sidecar, `${path}.bind`, `expected an IP address, got "${bind}"; there is no listener for it`);
    return null;
  }
  const hosts = readHosts(egress, c.node, c.mesh.domainSuffix);
  const services = c.registry.services.filter(
    (s) =>
      s.ports.some((p) => p.number === port.number) &&
      covers(hosts, s.namespace, (pattern) => hostMatches(pattern, s.host)),
  );
  const place = {
    name: `egress_${port.number}`,
    address: bind ?? localhostOf(c),
    port: port.number,
    direction: 'outbound',
    authz: null,
  } as const;
  const http = (protocolNamed(port.protocol ?? 'TCP', port.number) ?? 'tcp') === 'http';
  return http ? httpListener(c, place, services) : tcpListener(c, place, services, sidecar, path);
}

type Where = Pick<Listener, 'name' | 'address' | 'port' | 'direction' | 'authz'>;

function httpListener(c: Context, place: Where, services: readonly MeshService[]): Part {
  const table = tableName(`egress|${place.address}|${place.port}`);
  const hosts = services.map((service) => serviceHost(c, service, place.port));
  const listener: Listener = {
    ...place,
    kind: 'http',
    pick: 'fixed',
    tables: {},
    fallback: table,
    forwardProxy: null,
  };
  return { listeners: [listener], tables: [tableOf(c, table, hosts)], clusters: [] };
}

/** A connection says no host: the listener stands for one service. While there is none, connections find nobody. */
function tcpListener(
  c: Context,
  place: Where,
  services: readonly MeshService[],
  sidecar: Resource<SidecarSpec>,
  path: string,
): Part {
  const [service, ...others] = services;
  if (others.length > 0) {
    const names = services.map((s) => s.host).join(', ');
    c.problems.warning(
      sidecar,
      `${path}.hosts`,
      `expected one service with port ${place.port}, got ${names}; the first gets all`,
    );
  }
  const split = service === undefined ? [{ cluster: BLACK_HOLE, weight: 100 }] : tcpSplit(c, service, place.port);
  return { listeners: [{ ...place, kind: 'tcp', split }], tables: [], clusters: [] };
}

/** Istio binds to 127.0.0.1 of the pod; where pods have loopback addresses of their own, that is the pod's. */
const localhostOf = (c: Context): string => (c.node.ip.startsWith('127.') ? c.node.ip : '127.0.0.1');

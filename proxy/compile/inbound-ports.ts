/** The ports of this proxy's application: which there are, what they speak, where they really are. */
import type { ConnectionPool } from '../istio/connection-pool.ts';
import type { SidecarIngress } from '../istio/sidecar.ts';
import type { SourceRef } from '../snapshot/route.ts';
import { inboundPool } from './clusters.ts';
import type { Context } from './context.ts';
import { isRedirected } from './interception.ts';
import { portNamed } from './listed.ts';
import { hasLabels } from './matches.ts';
import { sourceOf } from './problems.ts';
import { protocolNamed } from './protocol.ts';
import type { MeshService, ServicePort } from './mesh-service.ts';

export type InboundPort = {
  /** Of the workload. */
  readonly number: number;
  readonly protocol: 'http' | 'tcp';
  /** The oldest service it belongs to, and the port it has there. */
  readonly service: MeshService | null;
  readonly servicePort: number | null;
  /** Where the application listens. */
  readonly target: { readonly host: string; readonly port: number };
  /** The address on which this proxy takes it over; null: traffic comes by way of 15006 alone. */
  readonly bind: string | null;
  readonly pool: { readonly settings: ConnectionPool; readonly source: SourceRef } | null;
};

/** By number. A port is known by the services that select this workload, by where its application is, or by a Sidecar's ingress[]. */
export function inboundPorts(c: Context): readonly InboundPort[] {
  const ports = new Map<number, InboundPort>();
  const numbers = Object.keys(c.node.appPorts).map(Number);
  for (const service of servicesOf(c)) {
    for (const port of service.ports) {
      const number = targetNumber(c, service, port);
      if (number !== null && !ports.has(number)) ports.set(number, ofService(c, number, service, port));
    }
  }
  for (const number of numbers) if (!ports.has(number)) ports.set(number, ofService(c, number, null, null));
  for (const [i, ingress] of (c.sidecar?.spec?.ingress ?? []).entries()) {
    const port = ofIngress(c, ingress, `spec.ingress[${i}]`, ports.get(ingress.port.number));
    if (port !== null) ports.set(port.number, port);
  }
  return [...ports.values()].sort((a, b) => a.number - b.number);
}

/** The services this workload stands behind: by their selector, or by its address among their endpoints. */
export function servicesOf(c: Context): readonly MeshService[] {
  return c.services.filter((s) => {
    if (s.namespace !== c.node.namespace) return false;
    if (s.selector !== null) return hasLabels(c.node.labels, s.selector);
    if (s.backing.kind === 'listed') return s.backing.endpoints.some((e) => e.address === c.node.ip);
    const slices = c.slices.get(`${s.namespace}/${s.name}`) ?? [];
    return slices.some((slice) => (slice.endpoints ?? []).some((e) => e.addresses.includes(c.node.ip)));
  });
}

/** Null: a named port that neither the pod nor an EndpointSlice knows. */
function targetNumber(c: Context, service: MeshService, port: ServicePort): number | null {
  if (typeof port.target === 'number') return port.target;
  if (port.target === null) return port.number;
  const named = portNamed(c.book.byIp.get(c.node.ip)?.ports, port.target);
  if (named !== undefined) return named;
  for (const slice of c.slices.get(`${service.namespace}/${service.name}`) ?? []) {
    const found = slice.ports?.find((p) => (p.name ?? '') === port.name)?.port;
    if (found !== undefined) return found;
  }
  return null;
}

function ofService(c: Context, number: number, service: MeshService | null, port: ServicePort | null): InboundPort {
  const own = c.node.appPorts[number];
  const protocol = port === null ? protocolNamed(undefined, number) : port.protocol;
  return {
    number,
    protocol: protocol === 'http' ? 'http' : 'tcp',
    service,
    servicePort: port?.number ?? null,
    target: own ?? { host: isRedirected(c.node) ? c.node.ip : '127.0.0.1', port: number },
    bind: own === undefined || isRedirected(c.node) ? null : c.node.ip,
    pool: poolOf(c, service, port),
  };
}

function poolOf(c: Context, service: MeshService | null, port: ServicePort | null): InboundPort['pool'] {
  const mine = c.sidecar?.spec?.inboundConnectionPool;
  if (c.sidecar !== null && mine !== undefined) {
    return { settings: mine, source: sourceOf(c.sidecar, 'spec.inboundConnectionPool') };
  }
  const rule = service === null ? null : c.destinationRules.find(service);
  const pool = port === null ? null : inboundPool(rule, port.number);
  return pool === null ? null : { settings: pool.policy, source: sourceOf(pool.resource, 'spec.trafficPolicy') };
}

/** `defaultEndpoint` says where the application is; without it, where it would be anyway. */
function ofIngress(
  c: Context,
  ingress: SidecarIngress,
  path: string,
  known: InboundPort | undefined,
): InboundPort | null {
  const { number } = ingress.port;
  const base = known ?? ofService(c, number, null, null);
  const target = ingress.defaultEndpoint === undefined ? base.target : endpointAt(c, ingress.defaultEndpoint);
  if (target === null) {
    const message = `expected host:port, got "${ingress.defaultEndpoint}"; the port stays as it was`;
    if (c.sidecar !== null) c.problems.warning(c.sidecar, `${path}.defaultEndpoint`, message);
    return null;
  }
  const explicit = ingress.captureMode === 'NONE';
  const own = isRedirected(c.node) && !explicit ? null : (ingress.bind ?? (explicit ? c.node.ip : base.bind));
  const pool = ingress.connectionPool;
  const source = c.sidecar === null ? null : sourceOf(c.sidecar, `${path}.connectionPool`);
  return {
    ...base,
    protocol: (protocolNamed(ingress.port.protocol ?? 'TCP', number) ?? 'tcp') === 'http' ? 'http' : 'tcp',
    target,
    bind: own,
    pool: pool === undefined || source === null ? base.pool : { settings: pool, source },
  };
}

/** `0.0.0.0:P` and `[::]:P` are the instance's own address (sidecar.proto, default_endpoint). Null: unreadable. */
function endpointAt(c: Context, text: string): { host: string; port: number } | null {
  if (text.startsWith('unix://')) return { host: text, port: 0 };
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (parts === null) return null;
  const host = parts[1] ?? parts[2]!;
  return { host: host === '0.0.0.0' || host === '::' ? c.node.ip : host, port: Number(parts[3]) };
}

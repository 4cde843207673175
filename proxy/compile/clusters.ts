/** Outbound clusters: one for each port of each service, and one for each subset of it. */
import { clusterName, type ClusterName } from '../core/brand.ts';
import type { TrafficPolicy } from '../istio/destination-rule.ts';
import type { Resource } from '../istio/resource.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import type { SourceRef } from '../snapshot/route.ts';
import { CLUSTER } from './defaults.ts';
import type { DestinationRules, MergedRule } from './destination-rules.ts';
import { dnsHosts, dnsHostsSelected, targetNumber } from './listed.ts';
import { hasLabels } from './matches.ts';
import { sourceOf } from './problems.ts';
import type { MeshService, ServicePort } from './mesh-service.ts';
import {
  compileBalancing,
  compilePool,
  compileProxyProtocol,
  compileTls,
  compileTunnel,
  effective,
} from './traffic-policy.ts';
import type { AddressBook } from './workloads.ts';

/** A cluster and what its endpoints are drawn from. */
export type Outbound = {
  readonly cluster: Cluster;
  readonly service: MeshService;
  readonly port: ServicePort;
  /** Labels an endpoint must have. */
  readonly labels: Readonly<Record<string, string>> | undefined;
};

export const PASSTHROUGH = clusterName('PassthroughCluster');
export const INBOUND_PASSTHROUGH = clusterName('InboundPassthroughCluster');
export const BLACK_HOLE = clusterName('BlackHoleCluster');

/** `outbound|9080|v1|reviews.default.svc.cluster.local` */
export const outboundName = (port: number, subset: string, host: string): ClusterName =>
  clusterName(`outbound|${port}|${subset}|${host}`);

export function clustersOf(service: MeshService, rules: DestinationRules, book: AddressBook): readonly Outbound[] {
  const rule = rules.find(service);
  return service.ports.flatMap((port) => [
    outbound(service, port, rule, undefined, book),
    ...(rule?.subsets ?? []).map((subset) => outbound(service, port, rule, subset, book)),
  ]);
}

/** Of a service without an address of its own: connections that were made to one of its endpoints stay with that one. */
export function originalCluster(
  service: MeshService,
  port: ServicePort,
  rules: DestinationRules,
  book: AddressBook,
): Cluster {
  const { cluster } = outbound(service, port, rules.find(service), undefined, book);
  return {
    ...cluster,
    name: clusterName(`original|${port.number}||${service.host}`),
    discovery: { kind: 'passthrough' },
    balancing: { kind: 'PASSTHROUGH' },
  };
}

function outbound(
  service: MeshService,
  port: ServicePort,
  rule: MergedRule | null,
  subset: MergedRule['subsets'][number] | undefined,
  book: AddressBook,
): Outbound {
  const name = outboundName(port.number, subset?.value.name ?? '', service.host);
  const level = effective(rule?.policy?.value, subset?.value.trafficPolicy, port.number);
  const discovery = discoveryOf(service, port, subset?.value.labels, book);
  const cluster: Cluster = {
    name,
    discovery,
    service: { host: service.host, name: service.name, namespace: service.namespace },
    direction: 'outbound',
    protocol: port.protocol === 'http' ? 'http' : 'tcp',
    balancing: discovery.kind === 'passthrough' ? { kind: 'PASSTHROUGH' } : compileBalancing(level.loadBalancer),
    ...compilePool(level.connectionPool),
    tls: compileTls(level.tls, service.subjectAltNames),
    sourceAddress: null,
    proxyProtocol: compileProxyProtocol(level.proxyProtocol),
    tunnel: compileTunnel((subset === undefined ? rule?.policy?.value : subset.value.trafficPolicy)?.tunnel),
    mayPointInside: service.mayPointInside || !resolves(discovery),
    source: sourceFor(rule, subset),
  };
  return { cluster, service, port, labels: subset?.value.labels };
}

function sourceFor(rule: MergedRule | null, subset: MergedRule['subsets'][number] | undefined): SourceRef | null {
  if (subset !== undefined) return sourceOf(subset.resource, `spec.subsets[${subset.index}]`);
  const policy = rule?.policy ?? null;
  return policy === null ? null : sourceOf(policy.resource, 'spec.trafficPolicy');
}

function discoveryOf(
  service: MeshService,
  port: ServicePort,
  labels: Readonly<Record<string, string>> | undefined,
  book: AddressBook,
): Cluster['discovery'] {
  const { backing, selector } = service;
  switch (backing.kind) {
    case 'slices':
    case 'listed':
    case 'selected':
      return { kind: 'endpoints' };
    case 'dns': {
      const { mode, endpoints } = backing;
      if (endpoints !== null) return { kind: 'dns', mode, hosts: dnsHosts(endpoints, port, labels) };
      const selected = book.inNamespace(service.namespace).filter((r) => hasLabels(r.labels, selector ?? {}));
      return { kind: 'dns', mode, hosts: dnsHostsSelected(selected, port, labels) };
    }
    case 'dynamic-dns':
      return { kind: 'dynamic-dns', port: targetNumber(port) };
    case 'passthrough': {
      const number = targetNumber(port);
      return number === port.number ? { kind: 'passthrough' } : { kind: 'passthrough', port: number };
    }
  }
}

const resolves = ({ kind }: Cluster['discovery']): boolean => kind === 'dns' || kind === 'dynamic-dns';

/** No proxy in between, no address of its own. */
const DIRECT = { sourceAddress: null, proxyProtocol: null, tunnel: null } as const;

const PLAIN = {
  service: null,
  direction: 'outbound',
  protocol: 'http',
  ...compilePool(undefined),
  ...DIRECT,
  mayPointInside: true,
  tls: null,
  source: null,
} as const;

/** Where requests for unknown hosts go under ALLOW_ANY: to the address they ask for. */
export const passthroughCluster: Cluster = {
  ...PLAIN,
  name: PASSTHROUGH,
  discovery: { kind: 'passthrough' },
  balancing: { kind: 'PASSTHROUGH' },
};

/** What comes to a port of the workload that nobody has told of: to the address it was made to, from `sourceAddress`. */
export const inboundPassthroughCluster = (sourceAddress: string | null): Cluster => ({
  ...PLAIN,
  name: INBOUND_PASSTHROUGH,
  direction: 'inbound',
  protocol: 'tcp',
  discovery: { kind: 'passthrough' },
  balancing: { kind: 'PASSTHROUGH' },
  sourceAddress,
});

/** Nobody is there: what REGISTRY_ONLY sends unknown connections to. */
export const blackHoleCluster: Cluster = {
  ...PLAIN,
  name: BLACK_HOLE,
  discovery: { kind: 'endpoints' },
  balancing: { kind: CLUSTER.balancing },
};

/** What a server's DestinationRule says of connections counts towards its application too. */
export function inboundPool(
  rule: MergedRule | null,
  port: number,
): { readonly policy: NonNullable<TrafficPolicy['connectionPool']>; readonly resource: Resource } | null {
  if (rule === null || rule.policy === null) return null;
  const pool = effective(rule.policy.value, undefined, port).connectionPool;
  return pool === undefined ? null : { policy: pool, resource: rule.policy.resource };
}

/** Who talked to whom, as Istio's metrics label it: the twenty labels that all of its series begin with. */
import type { Cluster } from '../snapshot/cluster.ts';
import type { ProxyNode, Workload } from '../snapshot/node.ts';

const UNKNOWN = 'unknown';
/** Longest name of a host that DNS allows; what an app writes into Host may be longer. */
const MAX_HOST = 253;

/** What the service labels are made of. */
export type Destination = {
  readonly cluster: Cluster | null;
  /** `%ROUTE_NAME%`; "" when no route matched. */
  readonly route: string;
  /** Host of the request; "" where it must not become a label (inbound, gateways, TCP). */
  readonly authority: string;
};

/** Of a request that `node` has received for its own workload (reporter=destination). `source` null: nobody the mesh knows. */
export function inboundParties(node: ProxyNode, source: Workload | null, to: Destination): string[] {
  const { host, name } = service(to, node.canonicalService);
  const namespace = to.cluster?.service?.namespace ?? node.namespace;
  return parties('destination', source, node, { host, name, namespace });
}

/** Of a request that `node` sends to others (reporter=source). `destination` null: nobody was reached, or nobody known. */
export function outboundParties(node: ProxyNode, destination: Workload | null, to: Destination): string[] {
  const { host, name } = service(to, destination?.canonicalService ?? UNKNOWN);
  const namespace = destination?.namespace ?? to.cluster?.service?.namespace ?? UNKNOWN;
  return parties('source', node, destination, { host, name, namespace });
}

/** Istio: the matched cluster names the service; else Host does (sidecar, outbound); else the canonical service. */
function service({ cluster, route, authority }: Destination, canonical: string): { host: string; name: string } {
  if (cluster?.service) return { host: cluster.service.host, name: cluster.service.name };
  const fallback = authority === '' ? canonical : authority.slice(0, MAX_HOST).toLowerCase();
  return { host: fallback, name: wellKnown(cluster, route) ?? fallback };
}

/** Istio's names for traffic that belongs to no service. */
function wellKnown(cluster: Cluster | null, route: string): string | null {
  if (route === 'block_all') return 'BlackHoleCluster';
  if (route === 'allow_any') return 'PassthroughCluster';
  switch (cluster?.name) {
    case 'BlackHoleCluster':
    case 'PassthroughCluster':
    case 'InboundPassthroughCluster':
      return cluster.name;
    default:
      return cluster?.discovery.kind === 'passthrough'
        ? cluster.direction === 'inbound'
          ? 'InboundPassthroughCluster'
          : 'PassthroughCluster'
        : null;
  }
}

function parties(
  reporter: 'source' | 'destination',
  source: Workload | null,
  destination: Workload | null,
  service: { readonly host: string; readonly name: string; readonly namespace: string },
): string[] {
  return [
    reporter,
    source?.workload || UNKNOWN,
    source?.canonicalService || UNKNOWN,
    source?.canonicalRevision || 'latest',
    source?.namespace || UNKNOWN,
    // Principals come from certificates; connections carry none, and an address proves no identity.
    UNKNOWN,
    source?.labels['app'] || UNKNOWN,
    source?.labels['version'] || UNKNOWN,
    source?.cluster || UNKNOWN,
    destination?.workload || UNKNOWN,
    destination?.namespace || UNKNOWN,
    UNKNOWN,
    destination?.labels['app'] || UNKNOWN,
    destination?.labels['version'] || UNKNOWN,
    service.host,
    destination?.canonicalService || UNKNOWN,
    destination?.canonicalRevision || 'latest',
    service.name,
    service.namespace,
    destination?.cluster || UNKNOWN,
  ];
}

/** The services one proxy knows: one for each host, those it may see, with the ports it may use. */
import type { ProxyNode } from '../snapshot/node.ts';
import type { MeshService, ServicePort } from './mesh-service.ts';
import { exportedTo, type Imports } from './visibility.ts';

export type Registry = {
  /** By host. */
  readonly services: readonly MeshService[];
  find(host: string): MeshService | undefined;
};

/** A host that several claim belongs to Kubernetes' Service, else to the proxy's own namespace, else to the oldest. */
export function registryFor(all: readonly MeshService[], node: ProxyNode, imports: Imports): Registry {
  const chosen = new Map<string, MeshService>();
  for (const service of all) {
    if (!exportedTo(service.exportTo, service.namespace, node.namespace)) continue;
    const ports = service.ports.filter((p) => imports.service(service.namespace, service.host, p.number));
    if (ports.length === 0 && service.ports.length > 0) continue;
    const rival = chosen.get(service.host);
    if (rival !== undefined && addsTo(service, rival)) {
      chosen.set(service.host, { ...rival, also: [...rival.also, service] });
      continue;
    }
    if (rival !== undefined && !prevails(service, rival, node)) continue;
    chosen.set(service.host, ports.length === service.ports.length ? service : { ...service, ports });
  }
  const services = [...chosen.values()].sort((a, b) => (a.host < b.host ? -1 : 1));
  return { services, find: (host) => chosen.get(host) };
}

/**
 * A ServiceEntry for a Service of its own namespace brings more endpoints: workloads that are not pods (the shards of one host and
 * namespace are one in pilot/pkg/model/endpointshards.go).
 */
const addsTo = ({ namespace, backing }: MeshService, holder: MeshService): boolean =>
  holder.resource.kind === 'Service' &&
  holder.backing.kind === 'slices' &&
  namespace === holder.namespace &&
  (backing.kind === 'listed' || backing.kind === 'selected');

const prevails = (newcomer: MeshService, holder: MeshService, node: ProxyNode): boolean =>
  holder.resource.kind !== 'Service' && newcomer.namespace === node.namespace && holder.namespace !== node.namespace;

/** The port a destination means: the one it names, else the service's only one, else that of the listener. */
export function destinationPort(service: MeshService | undefined, named: number | undefined, listener: number): number {
  return named ?? (service?.ports.length === 1 ? service.ports[0]!.number : listener);
}

export const portOf = (service: MeshService, number: number): ServicePort | undefined =>
  service.ports.find((p) => p.number === number);

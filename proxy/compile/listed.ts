/** Endpoints that a ServiceEntry lists: where each one is for a port of the service. */
import type { WorkloadEntrySpec } from '../istio/workload-entry.ts';
import { hasLabels } from './matches.ts';
import type { ServicePort } from './mesh-service.ts';
import type { Resident } from './workloads.ts';

type Labels = Readonly<Record<string, string>>;

export type Listed = {
  readonly port: number;
  readonly weight: number;
  readonly locality: string;
  readonly labels: Labels;
};

export const targetNumber = (port: ServicePort): number =>
  typeof port.target === 'number' ? port.target : port.number;

/** Names are what people wrote: `constructor` is one like any other. */
export const portNamed = (ports: Readonly<Record<string, number>> | undefined, name: string): number | undefined =>
  ports !== undefined && Object.hasOwn(ports, name) ? ports[name] : undefined;

/** The port of a listed endpoint: its own by name, else targetPort, else the service's number. */
export function listedAt(e: WorkloadEntrySpec, port: ServicePort): Listed {
  return {
    port: portNamed(e.ports, port.name) ?? targetNumber(port),
    weight: e.weight === undefined || e.weight < 1 ? 1 : e.weight,
    locality: e.locality ?? '',
    labels: e.labels ?? {},
  };
}

type Name = { readonly host: string; readonly port: number; readonly weight: number };

/** Of those that carry the labels; addresses may stand among the names. */
export const dnsHosts = (
  endpoints: readonly WorkloadEntrySpec[],
  port: ServicePort,
  wanted: Labels | undefined,
): readonly Name[] =>
  endpoints.flatMap((e) => {
    if (e.address === undefined || e.address.startsWith('unix:')) return [];
    const { port: number, weight, labels } = listedAt(e, port);
    return hasLabels(labels, wanted) ? [{ host: e.address.toLowerCase(), port: number, weight }] : [];
  });

/** The same of the workloads that a selector means. */
export const dnsHostsSelected = (
  residents: readonly Resident[],
  port: ServicePort,
  wanted: Labels | undefined,
): readonly Name[] =>
  residents.flatMap((r) => {
    if (r.ip === '' || r.ip.startsWith('unix:') || !r.ready || !hasLabels(r.labels, wanted)) return [];
    const own = r.kind === 'Pod' ? undefined : portNamed(r.ports, port.name);
    return [{ host: r.ip.toLowerCase(), port: own ?? targetNumber(port), weight: r.weight }];
  });

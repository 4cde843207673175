/** Endpoints that a ServiceEntry lists: where each one is for a port of the service. */
import type { WorkloadEntrySpec } from '../istio/workload-entry.ts';
import type { ServicePort } from './services.ts';

export type Listed = {
  readonly port: number;
  readonly weight: number;
  readonly locality: string;
  readonly labels: Readonly<Record<string, string>>;
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

export const dnsHosts = (
  endpoints: readonly WorkloadEntrySpec[],
  port: ServicePort,
): readonly { readonly host: string; readonly port: number; readonly weight: number }[] =>
  endpoints.flatMap((e) => {
    if (e.address === undefined) return [];
    const { port: number, weight } = listedAt(e, port);
    return [{ host: e.address.toLowerCase(), port: number, weight }];
  });

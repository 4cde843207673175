/** Ports that a Pod's containers do not declare, but that Services expect of it (declaring them is optional in Kubernetes). */
import type { Store } from '../store.ts';
import { PROXY } from './inject.ts';
import type { ContainerSpec, Pod, Service } from './object.ts';
import { matchesLabels } from './selector.ts';

/** The Pod's containers; when no application declares a port, the first one gets those that Services lead to. */
export function implyPorts(store: Store, pod: Pod): readonly ContainerSpec[] {
  const { containers } = pod.spec;
  const first = containers.findIndex((c) => c.name !== PROXY);
  if (first < 0 || containers.some((c) => c.name !== PROXY && (c.ports ?? []).length > 0)) return containers;
  const services = (store.list('Service', pod.metadata.namespace) as readonly Service[]).filter((s) =>
    matchesLabels(s.spec.selector, pod.metadata.labels),
  );
  const numbers = services.flatMap((s) => s.spec.ports ?? []).map(({ port, targetPort = port }) => targetPort);
  const ports = [...new Set(numbers.filter((port) => typeof port === 'number'))].map((containerPort) => ({
    containerPort,
  }));
  return containers.map((c, i) => (i === first ? { ...c, ports } : c));
}

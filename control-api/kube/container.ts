/** Which container of a pod a request is about. */
import type { Resource } from '#proxy/istio/resource.ts';
import { badRequest } from './status-error.ts';

type PodSpec = { readonly containers?: readonly Named[]; readonly initContainers?: readonly Named[] };
type Named = { readonly name: string };

/** `wanted`, or the only one, or the one the pod's annotation names. Throws BadRequest with the names there are. */
export function containerOf(pod: Resource, wanted: string | null): string {
  const { name, annotations } = pod.metadata;
  const { containers = [], initContainers = [] } = pod.spec as PodSpec;
  const names = [...containers, ...initContainers].map((c) => c.name);
  if (wanted !== null && wanted !== '') {
    if (names.includes(wanted)) return wanted;
    throw badRequest(`container ${wanted} is not valid for pod ${name}: it has ${names.join(', ')}`);
  }
  const usual = annotations?.['kubectl.kubernetes.io/default-container'];
  if (usual !== undefined && names.includes(usual)) return usual;
  if (names.length === 1) return names[0]!;
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]`);
}

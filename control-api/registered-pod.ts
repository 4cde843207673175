/** Pods that registered themselves (PUT /lateen/v1/pods): how they are told from the runner's, and where their containers are. */
import type { Resource } from '#proxy/istio/resource.ts';

/** Annotation of such a Pod; its value is the incarnation of the proxy that registered it. */
export const REGISTERED = 'lateen.dev/registered';

const PROXY = 'istio-proxy';

/** Somebody else runs its containers: nothing here starts or ends them. */
export const isRegistered = ({ metadata }: Pick<Resource, 'metadata'>): boolean =>
  metadata.annotations?.[REGISTERED] !== undefined;

/** Why there are no logs of it here, or no command in it, and what to type instead. `container`: which one was asked for. */
export function elsewhere(pod: Resource, verb: 'logs' | 'exec', container: string | null): string {
  const { name } = pod.metadata;
  const { containers = [] } = pod.spec as { readonly containers?: readonly { readonly name: string }[] };
  const hasApplication = containers.some((c) => c.name !== PROXY);
  // Services of docker-compose.yml: the application has the pod's name; a gateway is one service.
  const sidecar = hasApplication ? `${name}-sidecar` : name;
  const service = container === PROXY ? sidecar : name;
  const words =
    verb === 'exec'
      ? `exec ${service} COMMAND`
      : `logs ${container === null && hasApplication ? `${name} ${sidecar}` : service}`;
  return `pod ${name} runs in containers that the control API does not reach: docker compose ${words}`;
}

/** Takes a Pod in: says where it runs, and puts a sidecar beside its containers unless that is not wanted. */
import type { Meta, Resource } from '#proxy/istio/resource.ts';
import type { ContainerSpec, Pod, PodSpec } from './object.ts';

export const PROXY = 'istio-proxy';
/** Keeps a Pod that is deleted in sight until its processes have ended. */
export const FINALIZER = 'lateen/runner';
/** What Istio's injector and kube-inject add: to set up iptables, which there is nothing of here, and the sidecar itself, which is ours. */
export const SKIPPED_INIT: ReadonlySet<string> = new Set(['istio-init', 'istio-validation', PROXY]);

const INJECT = 'sidecar.istio.io/inject';
const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';

/** `namespace`: the Namespace it is in. Returns the Pod itself when it is taken in already. */
export function takeIn(pod: Pod, namespace: Resource | undefined, nodeName: string, image: string): Pod {
  const finalizers = (pod.metadata['finalizers'] ?? []) as readonly string[];
  if (pod.spec.nodeName !== undefined && finalizers.includes(FINALIZER)) return pod;
  const inject = wantsSidecar(pod, namespace) && pod.spec.containers.every((c) => c.name !== PROXY);
  const containers = inject ? [...pod.spec.containers, sidecarContainer(image)] : pod.spec.containers;
  const first = pod.spec.containers[0]?.name;
  const annotations: Record<string, string> = { ...pod.metadata.annotations };
  if (inject && first !== undefined) annotations[DEFAULT_CONTAINER] ??= first;
  const metadata: Meta = {
    ...pod.metadata,
    annotations,
    finalizers: [...finalizers.filter((f) => f !== FINALIZER), FINALIZER],
  };
  const spec = {
    restartPolicy: 'Always' as const,
    serviceAccountName: 'default',
    terminationGracePeriodSeconds: 30,
    ...pod.spec,
    nodeName,
    containers,
  };
  return { ...pod, metadata, spec };
}

/** By label or annotation `sidecar.istio.io/inject` of the Pod, else by label `istio-injection` of its namespace; by default yes. */
export function wantsSidecar({ metadata }: Pod, namespace: Resource | undefined): boolean {
  const own = metadata.labels?.[INJECT] ?? metadata.annotations?.[INJECT];
  if (own !== undefined) return own !== 'false';
  return namespace?.metadata.labels?.['istio-injection'] !== 'disabled';
}

/** Flags of istio-iptables (its `--istio-…` names are never written by the injector), and the annotations that say the same. */
const IPTABLES_FLAGS: Readonly<Record<string, string>> = {
  '-i': 'includeOutboundIPRanges',
  '-x': 'excludeOutboundIPRanges',
  '-q': 'includeOutboundPorts',
  '-o': 'excludeOutboundPorts',
};

/** What `istioctl kube-inject --includeIPRanges=…` and the like have written into the arguments of `istio-init`, as annotations. */
export function injectedAnnotations({ initContainers = [] }: PodSpec): Record<string, string> {
  const args = initContainers.find((c) => c.name === 'istio-init')?.args ?? [];
  const said = args.flatMap((flag, i): [string, string][] => {
    const name = IPTABLES_FLAGS[flag];
    const value = args[i + 1] ?? '';
    // `*` and "" are what the injector writes when nobody said anything.
    return name === undefined || value === '' || value === '*' ? [] : [[`traffic.sidecar.istio.io/${name}`, value]];
  });
  return Object.fromEntries(said);
}

function sidecarContainer(image: string): ContainerSpec {
  return {
    name: PROXY,
    image,
    args: ['sidecar'],
    ports: [{ name: 'http-envoy-prom', containerPort: 15090, protocol: 'TCP' }],
    readinessProbe: {
      httpGet: { path: '/healthz/ready', port: 15021 },
      periodSeconds: 15,
      timeoutSeconds: 3,
      failureThreshold: 4,
    },
  };
}

/** Lists, for each Service, the Pods that can serve it: the registry that proxies route by. */
import type { Resource } from '#proxy/istio/resource.ts';
import type { Store } from '../store.ts';
import { remove, RUNNER } from './author.ts';
import {
  isOver,
  isReady,
  isTerminating,
  ownedBy,
  type Pod,
  type PodSpec,
  type Service,
  type ServicePort,
} from './object.ts';
import { matchesLabels } from './selector.ts';
import { canonical, templateHash } from './template-hash.ts';
import type { Controller } from './work-queue.ts';

const SERVICE_NAME = 'kubernetes.io/service-name';
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const OURS = 'endpointslice-controller.k8s.io';

type SlicePort = {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly appProtocol?: string;
};

/** `key`: `namespace/name` of a Service. One slice for each set of target ports (a named port may differ from Pod to Pod). */
export function endpointSliceController(store: Store): Controller {
  return {
    name: 'EndpointSlice',
    reconcile(key) {
      const [namespace = '', name = ''] = key.split('/');
      const service = store.get('Service', namespace, name) as Service | undefined;
      const stale = new Map(slicesOf(namespace, name).map((slice) => [slice.metadata.name, slice]));
      // Without a selector the endpoints are somebody else's to write.
      const selects = service?.spec.selector !== undefined && service.spec.type !== 'ExternalName';
      const slices = service !== undefined && selects ? wanted(service) : [];
      for (const slice of slices) {
        store.put(slice, RUNNER);
        stale.delete(slice.metadata.name);
      }
      for (const slice of stale.values()) remove(store, slice);
    },
  };

  function slicesOf(namespace: string, service: string): readonly Resource[] {
    return store
      .list('EndpointSlice', namespace)
      .filter(({ metadata: { labels } }) => labels?.[SERVICE_NAME] === service && labels[MANAGED_BY] === OURS);
  }

  function wanted(service: Service): Resource[] {
    const pods = (store.list('Pod', service.metadata.namespace) as readonly Pod[]).filter(
      (pod) =>
        pod.status?.podIP !== undefined && !isOver(pod) && matchesLabels(service.spec.selector, pod.metadata.labels),
    );
    const groups = new Map<string, { ports: SlicePort[]; pods: Pod[] }>();
    for (const pod of pods) {
      const ports = (service.spec.ports ?? []).map((port) => resolve(port, pod.spec)).filter((port) => port !== null);
      const group = groups.get(canonical(ports)) ?? { ports, pods: [] };
      group.pods.push(pod);
      groups.set(canonical(ports), group);
    }
    return [...groups.values()].map((group) => sliceOf(service, group.ports, group.pods));
  }
}

/** A port that is named, but that the Pod does not have, is left out. */
function resolve(port: ServicePort, spec: PodSpec): SlicePort | null {
  const target = targetPortOf(port, spec);
  if (target === null) return null;
  const { name = '', protocol = 'TCP', appProtocol } = port;
  return { name, port: target, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) };
}

/** The port of a Pod that a Service's port leads to (`targetPort`: number or name; the same port when absent). */
export function targetPortOf({ port, targetPort = port }: ServicePort, spec: PodSpec): number | null {
  if (typeof targetPort === 'number') return targetPort;
  const named = spec.containers.flatMap((c) => c.ports ?? []).find((p) => p.name === targetPort);
  return named?.containerPort ?? null;
}

function sliceOf(service: Service, ports: readonly SlicePort[], pods: readonly Pod[]): Resource {
  const { name, namespace, labels } = service.metadata;
  const early = service.spec.publishNotReadyAddresses === true;
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${templateHash({ uid: service.metadata.uid, ports }).slice(0, 5)}`,
      generateName: `${name}-`,
      namespace,
      labels: { ...labels, [SERVICE_NAME]: name, [MANAGED_BY]: OURS },
      ownerReferences: [ownedBy(service)],
    },
    addressType: 'IPv4',
    endpoints: pods.map((pod) => {
      const ending = isTerminating(pod);
      const serving = isReady(pod);
      return {
        addresses: [pod.status!.podIP],
        conditions: { ready: early || (serving && !ending), serving, terminating: ending },
        nodeName: pod.spec.nodeName,
        targetRef: { kind: 'Pod', namespace, name: pod.metadata.name, uid: pod.metadata.uid },
      };
    }),
    ports,
  };
  // EndpointSlice has no spec.
  return slice as unknown as Resource;
}

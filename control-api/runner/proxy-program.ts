/** The command line of a Pod's proxy. */
import { join } from 'node:path';
import type { Store } from '../store.ts';
import { controllerOf, type ContainerSpec, type Pod } from './object.ts';

export type ProxySettings = {
  /** argv of this very program: node and cli/main.ts. */
  readonly lateen: readonly string[];
  /** Where proxies find the control API. */
  readonly controlUrl: string;
  /** Where each proxy keeps its last good configuration. */
  readonly stateDir: string;
  /** For every proxy: `--zipkin`, `--tracing`, `--access-log`, `--outbound-policy` … */
  readonly flags: readonly string[];
};

/** One port of an application as peers see it, and where it really is. */
export type AppPort = { readonly containerPort: number; readonly port: number };

/** Does a container of this image run a gateway? (Istio's gateway templates say `image: auto`.) */
export const isGateway = (container: ContainerSpec): boolean =>
  container.image === 'auto' || container.args?.[0] === 'gateway';

export function proxyArgv(
  settings: ProxySettings,
  store: Store,
  pod: Pod,
  container: ContainerSpec,
  ip: string,
  apps: readonly AppPort[],
): readonly string[] {
  const { name, namespace, labels = {} } = pod.metadata;
  const gateway = isGateway(container);
  const extra = gateway && container.args?.[0] === 'gateway' ? container.args.slice(1) : [];
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const grace = pod.spec.terminationGracePeriodSeconds ?? 30;
  const metrics = gateway ? null : metricsUrl(pod, apps);
  return [
    ...settings.lateen,
    gateway ? 'gateway' : 'sidecar',
    `--control=${settings.controlUrl}`,
    `--workload=${workloadOf(store, pod)}`,
    `--namespace=${namespace}`,
    `--name=${name}`,
    `--labels=${pairs.join(',')}`,
    `--ip=${ip}`,
    `--service-account=${pod.spec.serviceAccountName ?? 'default'}`,
    ...(gateway ? [] : apps.map(({ containerPort, port }) => `--app=${containerPort}=127.0.0.1:${port}`)),
    ...(metrics === null ? [] : [`--app-metrics=${metrics}`]),
    // What is in flight may take as long as the Pod may, less a moment to end.
    `--drain=${Math.max(1, grace - 2)}s`,
    `--state=${join(settings.stateDir, 'proxies', `${name}.${namespace}`)}`,
    // Gateways listen on addresses of this machine, which the next one of a rollout shares.
    ...(gateway ? [`--handover=${join(settings.stateDir, 'handover')}`] : []),
    ...settings.flags,
    ...extra,
  ];
}

/** The Deployment, not the ReplicaSet in between; a Pod of its own is its own workload. */
export function workloadOf(store: Store, pod: Pod): string {
  const owner = controllerOf(pod);
  if (owner?.kind !== 'ReplicaSet') return owner?.name ?? pod.metadata.name;
  const set = store.get('ReplicaSet', pod.metadata.namespace, owner.name);
  return (set === undefined ? undefined : controllerOf(set)?.name) ?? owner.name;
}

/** By the annotations that Prometheus' usual configuration reads, and Istio merges by. */
function metricsUrl({ metadata: { annotations = {} } }: Pod, apps: readonly AppPort[]): string | null {
  if (annotations['prometheus.io/scrape'] !== 'true') return null;
  const wanted = Number(annotations['prometheus.io/port'] ?? apps[0]?.containerPort);
  const app = apps.find((a) => a.containerPort === wanted);
  return app === undefined ? null : `http://127.0.0.1:${app.port}${annotations['prometheus.io/path'] ?? '/metrics'}`;
}

/** Where Prometheus finds the proxies: the answer of its HTTP service discovery (prometheus.io, "Writing HTTP service discovery"). */
import { isIP } from 'node:net';
import type { Resource } from '#proxy/istio/resource.ts';
import { hasEnded, type Proxies, type ProxyState } from './proxies.ts';
import type { Route } from './route.ts';
import type { Store } from './store.ts';

export type TargetGroup = {
  /** `IP:15020` */
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
};

export function discoveryRoutes(store: Store, proxies: Proxies): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/lateen/v1/prometheus/targets',
      audience: 'anybody',
      handler: () => discoveryTargets(store, proxies.list()),
    },
  ];
}

/**
 * One group for each proxy that is alive: its stream is open, or its Pod runs (so that one that lost the control API is
 * still watched). Labels that begin with `__meta_lateen_` are for relabelling; the others are there for a configuration without any.
 */
export function discoveryTargets(store: Store, proxies: readonly ProxyState[]): readonly TargetGroup[] {
  return proxies.flatMap((proxy) => {
    // Names of pods may contain dots, those of namespaces may not.
    const dot = proxy.proxy.lastIndexOf('.');
    const [name, namespace] = [proxy.proxy.slice(0, dot), proxy.proxy.slice(dot + 1)];
    const pod = store.get('Pod', namespace, name);
    const { ip = '', metricsPort = 0 } = proxy;
    const family = isIP(ip);
    const alive = pod === undefined ? proxy.sync !== 'DISCONNECTED' : !hasEnded(pod);
    if (!alive || family === 0 || metricsPort === 0) return [];
    const target = `${family === 6 ? `[${ip}]` : ip}:${metricsPort}`;
    return [{ targets: [target], labels: labelsOf(proxy, namespace, name, pod) }];
  });
}

function labelsOf(
  { workload = '', role = '', version: config = '' }: ProxyState,
  namespace: string,
  pod: string,
  resource: Resource | undefined,
): Record<string, string> {
  const own = resource?.metadata.labels ?? {};
  const spec = (resource?.spec ?? {}) as { readonly nodeName?: string; readonly serviceAccountName?: string };
  const labels: Record<string, string> = {
    __metrics_path__: '/stats/prometheus',
    __meta_lateen_namespace: namespace,
    __meta_lateen_pod_name: pod,
    __meta_lateen_pod_uid: resource?.metadata.uid ?? '',
    __meta_lateen_pod_node_name: spec.nodeName ?? '',
    __meta_lateen_service_account: spec.serviceAccountName ?? '',
    __meta_lateen_workload: workload,
    __meta_lateen_role: role,
    __meta_lateen_config_version: config,
    namespace,
    pod,
    app: own['app'] ?? own['app.kubernetes.io/name'] ?? workload,
    version: own['version'] ?? own['app.kubernetes.io/version'] ?? '',
    workload,
  };
  for (const [key, value] of Object.entries(own)) labels[`__meta_lateen_pod_label_${labelName(key)}`] = value;
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ''));
}

/** As Prometheus' Kubernetes discovery spells keys: `app.kubernetes.io/name` → `app_kubernetes_io_name`. */
const labelName = (key: string): string => key.replace(/[^a-zA-Z0-9_]/g, '_');

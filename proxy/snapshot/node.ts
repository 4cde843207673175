/** Who a proxy is, and who its peers are. */

/** One workload instance, as metrics, policies and logs name it. */
export type Workload = {
  /** Pod name. */
  readonly name: string;
  readonly namespace: string;
  /** Owner (Deployment) name: Istio's `source_workload`. */
  readonly workload: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ip: string;
  /** Label `service.istio.io/canonical-name`, else `app.kubernetes.io/name`, else `app`, else the workload's name. */
  readonly canonicalService: string;
  /** Label `service.istio.io/canonical-revision`, else `app.kubernetes.io/version`, else `version`, else `latest`. */
  readonly canonicalRevision: string;
  /** Istio's CLUSTER_ID; `Kubernetes` by default. */
  readonly cluster: string;
};

/** `<pod>.<namespace>`: how the control API knows a proxy. */
export const proxyId = ({ name, namespace }: Workload): string => `${name}.${namespace}`;

/** The proxy a snapshot was compiled for. */
export type ProxyNode = Workload & {
  readonly role: 'sidecar' | 'gateway';
  /** REDIRECT: the kernel redirects connections to this proxy (iptables). NONE: it is asked itself. Istio: INTERCEPTION_MODE. */
  readonly interception: 'REDIRECT' | 'NONE';
  readonly trustDomain: string;
  /** Root namespace of the mesh (`istio-system`). */
  readonly rootNamespace: string;
  /** How long a listed port of a gateway's server maps to the port it binds: `80 → 8080` (the gateway Service's targetPort). */
  readonly portMap: Readonly<Record<string, number>>;
  /** Where a gateway listens for its servers; its own `ip` when absent. (A local gateway: 127.0.0.1, with a pod IP of its own.) */
  readonly bind?: string;
  /** Where the application's ports really are: `9080 → 127.0.0.1:41234`. A port that is not listed: same port on 127.0.0.1. */
  readonly appPorts: Readonly<Record<string, { readonly host: string; readonly port: number }>>;
};

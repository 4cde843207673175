/** Every default in one table, each with the Istio or Envoy page it comes from. */
import { ms } from '../core/brand.ts';
import type { PathNormalization } from '../core/path.ts';

/** What holds for the whole mesh (Istio: MeshConfig). */
export type MeshSettings = {
  /** Of SPIFFE identities: `<trustDomain>/ns/<namespace>/sa/<service account>`. */
  readonly trustDomain: string;
  /** Policies in this namespace apply to every workload. */
  readonly rootNamespace: string;
  /** What happens to requests for hosts that no Service and no ServiceEntry names. */
  readonly outboundTrafficPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  /** Share of requests without an upstream decision that are traced, 0..100. */
  readonly tracingPercent: number;
  readonly accessLog: boolean;
  /** How paths are made alike before they are routed by, judged and forwarded. */
  readonly pathNormalization: PathNormalization;
  /** `cluster.local`: how short names become full ones. */
  readonly domainSuffix: string;
  /** Where a sidecar takes its application's requests (15001) and those sent to its application (15006). */
  readonly ports: { readonly outbound: number; readonly inbound: number };
  /** Do sidecars answer DNS for names of the mesh? Then a ServiceEntry without addresses has some of its own; for analysis alone. */
  readonly dnsCapture: boolean;
};

/** istio.io/latest/docs/reference/config/istio.mesh.v1alpha1: MeshConfig; the ports are proxyListenPort, proxyInboundListenPort. */
export const DEFAULT_MESH: MeshSettings = {
  trustDomain: 'cluster.local',
  rootNamespace: 'istio-system',
  outboundTrafficPolicy: 'ALLOW_ANY',
  // ProxyConfig.tracing.sampling
  tracingPercent: 1,
  // MeshConfig.accessLogFile is "" (off); Istio's demo profile writes to /dev/stdout, and so do we.
  accessLog: true,
  // MeshConfig.pathNormalization.normalization: DEFAULT is BASE.
  pathNormalization: 'BASE',
  domainSuffix: 'cluster.local',
  ports: { outbound: 15001, inbound: 15006 },
  // ProxyConfig.proxyMetadata ISTIO_META_DNS_CAPTURE
  dnsCapture: false,
};

/** Kubernetes' and Istio's default namespace, for resources that name none. */
export const DEFAULT_NAMESPACE = 'default';

/** Unlimited, as Istio writes it into Envoy's thresholds (math.MaxUint32; pilot networking/core/cluster_traffic_policy.go). */
export const UNLIMITED = 4_294_967_295;

/** istio.mesh.v1alpha1 MeshConfig.connectTimeout; networking.v1alpha3 ConnectionPoolSettings. */
export const CLUSTER = {
  connectTimeout: ms(10_000),
  // Envoy's HttpProtocolOptions.idle_timeout: one hour.
  idleTimeout: ms(3_600_000),
  // networking.v1alpha3 ConnectionPoolSettings.TCPSettings.idle_timeout: one hour; 0s turns it off.
  tcpIdleTimeout: ms(3_600_000),
  // ConnectionPoolSettings.TCPSettings.max_connection_duration: none.
  maxConnectionDuration: ms(0),
  // networking.v1alpha3 LoadBalancerSettings.simple: unset is LEAST_REQUEST.
  balancing: 'LEAST_REQUEST',
  maxConnections: UNLIMITED,
  maxPendingRequests: UNLIMITED,
  maxRequests: UNLIMITED,
  maxRequestsPerConnection: 0,
} as const;

/** pilot/pkg/networking/core/route/retry/retry.go DefaultPolicy; Envoy's RetryPolicy.retry_back_off.base_interval. */
export const RETRY = {
  attempts: 2,
  on: ['connect-failure', 'refused-stream', 'unavailable', 'cancelled', 'retriable-status-codes'],
  backoff: ms(25),
} as const;

/** The server side repeats only what certainly never reached the application (pilot: defaultInboundHttpRetryPolicy). */
export const INBOUND_RETRY = { attempts: 2, on: ['reset-before-request'], backoff: ms(25) } as const;

/** networking.v1alpha3 HTTPRedirect.redirectCode. */
export const REDIRECT_STATUS = 301;

/** What an Authorization denial answers (Envoy's RBAC filter). */
export const DENIED = { status: 403, body: 'RBAC: access denied' } as const;

/** Mixer's denier adapter denies with FAILED_PRECONDITION unless told otherwise (mixer/adapter/denier/denier.go). */
export const DENIER_CODE = 9;

/**
 * Ports whose servers speak first, so that HTTP is not guessed where nothing is declared: SMTP, DNS, MySQL, MongoDB
 * (pkg/kube/util.go wellKnownPorts).
 */
export const SERVER_FIRST_PORTS: ReadonlySet<number> = new Set([25, 53, 3306, 27017]);

/** What a mesh has before anyone applies anything: the ingress gateway, as a Deployment with its Service. */
import type { Resource } from '#proxy/istio/resource.ts';
import type { Store } from '../store.ts';
import { RUNNER } from './author.ts';
import { PROXY } from './inject.ts';

export type GatewayPlace = {
  /** Where it listens for clients: 127.0.0.1, or 0.0.0.0 to be reached from other machines. */
  readonly bind: string;
  readonly http: number;
  readonly https: number;
};

export const GATEWAY_NAMESPACE = 'istio-system';
const NAME = 'istio-ingressgateway';
/** Of its pods. */
export const GATEWAY_LABELS = { app: NAME, istio: 'ingressgateway' };

/** Creates what is missing, and brings the gateway to where it is to listen now. `gateway` null: a mesh without one. */
export function putMeshObjects(store: Store, proxyImage: string, gateway: GatewayPlace | null): void {
  if (gateway === null) return;
  merge(store, serviceOf(gateway), {});
  merge(store, deploymentOf(gateway, proxyImage), { replicas: 1 });
}

/** The gateway's Service alone, where somebody else runs the gateway and leads 127.0.0.1:`port` to it. Its containers listen on 8080 and 8443. */
export function putGatewayService(store: Store, port: number): void {
  merge(store, service('127.0.0.1', { port, targetPort: 8080 }, { port: 8443, targetPort: 8443 }), {});
}

/** What is there already keeps everything that is not said here (its cluster IP, its replicas); `first`: the spec it starts with. */
function merge(store: Store, wanted: Resource, first: object): void {
  const before = store.get(wanted.kind, GATEWAY_NAMESPACE, NAME);
  const spec = { ...first, ...(before?.spec as object | undefined), ...(wanted.spec as object) };
  store.put({ ...before, ...wanted, metadata: { ...before?.metadata, ...wanted.metadata }, spec }, RUNNER);
}

const serviceOf = ({ bind, http, https }: GatewayPlace): Resource =>
  service(
    bind === '0.0.0.0' ? '127.0.0.1' : bind,
    { port: http, targetPort: http },
    { port: https, targetPort: https },
  );

type Ports = { readonly port: number; readonly targetPort: number };

function service(ip: string, http: Ports, https: Ports): Resource {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: NAME, namespace: GATEWAY_NAMESPACE, labels: GATEWAY_LABELS },
    spec: {
      type: 'LoadBalancer',
      selector: GATEWAY_LABELS,
      ports: [
        { name: 'status-port', port: 15021, targetPort: 15021, protocol: 'TCP' },
        { name: 'http2', ...http, protocol: 'TCP' },
        { name: 'https', ...https, protocol: 'TCP' },
      ],
    },
    status: { loadBalancer: { ingress: [{ ip }] } },
  };
}

function deploymentOf({ bind, http, https }: GatewayPlace, image: string): Resource {
  // Istio's samples have servers at 80 (old) and 8080 (new); both lead to the one HTTP port there is.
  const portMap = { 80: http, 443: https, 8080: http, 8443: https };
  const pairs = Object.entries(portMap).map(([from, to]) => `${from}=${to}`);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: NAME, namespace: GATEWAY_NAMESPACE, labels: GATEWAY_LABELS },
    spec: {
      selector: { matchLabels: GATEWAY_LABELS },
      // Its ports are this machine's: the new one shares them before the old one lets go (docs/decisions/0008-handover.md).
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: GATEWAY_LABELS, annotations: { 'sidecar.istio.io/inject': 'false' } },
        spec: {
          serviceAccountName: `${NAME}-service-account`,
          terminationGracePeriodSeconds: 10,
          containers: [
            {
              name: PROXY,
              image,
              args: ['gateway', '--bind', bind, '--port-map', pairs.join(',')],
              ports: [
                { name: 'http2', containerPort: http },
                { name: 'https', containerPort: https },
                { name: 'status-port', containerPort: 15021 },
              ],
              readinessProbe: {
                httpGet: { path: '/healthz/ready', port: 15021 },
                periodSeconds: 15,
                timeoutSeconds: 3,
                failureThreshold: 4,
              },
            },
          ],
        },
      },
    },
  };
}

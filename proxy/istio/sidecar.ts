/** Sidecar: what one sidecar listens on and which services it knows. (networking.istio.io; Istio's API reference, Sidecar.) */
import { connectionPool } from './connection-pool.ts';
import { ip } from './format.ts';
import { described, enumeration, ignored, list, object, port, refused, required, string, uint32 } from './field.ts';
import type { Infer } from './schema.ts';
import { destination, labelSelector } from './selector.ts';
import { serverTls } from './tls-settings.ts';

const sidecarPort = object(
  {
    number: required(port('Port number')),
    protocol: string('HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP, TLS …; absent: TCP', { default: 'TCP' }),
    name: string('Name of the port'),
    targetPort: ignored(uint32('Deprecated'), 'Istio does not act on it either'),
  },
  'Port of the listener',
);

const captureMode = enumeration(
  ['DEFAULT', 'IPTABLES', 'NONE'],
  'How traffic comes to the listener; NONE: it is sent to the port itself',
  {
    default: 'DEFAULT',
  },
);

const ingress = object(
  {
    port: required(sidecarPort),
    bind: string('Address to listen on', { format: ip, default: "the workload's own" }),
    captureMode,
    defaultEndpoint: string('Where the application is: `127.0.0.1:PORT`, `0.0.0.0:PORT` or `unix:///path`'),
    tls: refused(serverTls, "Lateen's sidecars do not terminate TLS so far"),
    connectionPool,
  },
  'A listener for what comes to the workload',
);
export type SidecarIngress = Infer<typeof ingress>;

const egress = object(
  {
    port: sidecarPort,
    bind: string('Address to listen on, or `unix:///path`'),
    captureMode,
    hosts: required(
      list(
        string('`namespace/dnsName`'),
        'Services this listener reaches: `./*`, `*/reviews.default.svc.cluster.local`',
      ),
    ),
  },
  'A listener for what the workload sends',
);
export type SidecarEgress = Infer<typeof egress>;

export const sidecarSpec = object(
  {
    workloadSelector: labelSelector,
    ingress: list(ingress, 'Listeners for what comes to the workload; none: one for each port of its services'),
    egress: list(egress, 'Listeners for what the workload sends, and the services it knows; none: all services'),
    inboundConnectionPool: described(connectionPool, 'Limits of the connections to the application, on all ports'),
    outboundTrafficPolicy: object(
      {
        mode: enumeration(['REGISTRY_ONLY', 'ALLOW_ANY'], 'Whether unknown hosts can be reached', {
          default: 'REGISTRY_ONLY',
        }),
        egressProxy: described(destination, 'A service that unknown traffic is sent to, with mode ALLOW_ANY'),
      },
      'What happens to traffic for hosts the registry does not know',
    ),
  },
  'What one sidecar listens on and which services it knows',
);
export type SidecarSpec = Infer<typeof sidecarSpec>;

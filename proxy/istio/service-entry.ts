/** ServiceEntry: a service the registry does not know by itself. (networking.istio.io; Istio's API reference, Service Entry.) */
import { ipOrCidr, portName } from './format.ts';
import { enumeration, list, object, port, required, string } from './field.ts';
import type { Infer } from './schema.ts';
import { exportTo, labelSelector } from './selector.ts';
import { inlineEndpoints } from './workload-entry.ts';

const servicePort = object(
  {
    number: required(port('Port of the service')),
    name: required(string('Name of the port', { format: portName })),
    protocol: string('HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP, TLS …; absent: TCP', { default: 'TCP', maxLength: 256 }),
    targetPort: port('Port of the endpoints', { default: 'number' }),
  },
  'A port of the service',
);
export type ServiceEntryPort = Infer<typeof servicePort>;

export const serviceEntrySpec = object(
  {
    hosts: required(
      list(
        string('DNS name; `*.suffix` for several', {
          format: (text) => (text === '*' ? 'a host narrower than `*`' : null),
          minLength: 1,
        }),
        'Names of the service',
        { min: 1, max: 256 },
      ),
    ),
    addresses: list(
      string('IP address or CIDR range', { format: ipOrCidr, maxLength: 64 }),
      'Virtual addresses of the service',
      { max: 256 },
    ),
    ports: list(servicePort, 'Ports of the service', { max: 256 }),
    location: enumeration(['MESH_EXTERNAL', 'MESH_INTERNAL'], 'Whether the service is part of the mesh', {
      default: 'MESH_EXTERNAL',
    }),
    resolution: enumeration(
      ['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'],
      'How addresses of endpoints are found. What is MESH_EXTERNAL and found by DNS may not lead inside, but with the annotation `lateen.dev/allow-inside: "true"`',
      { default: 'NONE' },
    ),
    endpoints: inlineEndpoints,
    workloadSelector: labelSelector,
    exportTo,
    subjectAltNames: list(
      string('A name', { maxLength: 256 }),
      "Names of which the server's certificate must carry one, where the tls of a DestinationRule gives none",
    ),
  },
  'A service outside the registry',
  { oneOf: [['workloadSelector', 'endpoints']] },
);
export type ServiceEntrySpec = Infer<typeof serviceEntrySpec>;

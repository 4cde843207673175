/** Gateway: a proxy at the edge of the mesh. (networking.istio.io; Istio's API reference, Gateway.) */
import { gatewayHost, portName } from './format.ts';
import { ignored, list, object, port, required, string, uint32 } from './field.ts';
import type { Infer } from './schema.ts';
import { labels } from './selector.ts';
import { serverTls } from './tls-settings.ts';

const server = object(
  {
    port: required(
      object(
        {
          number: required(port('Port the gateway listens on')),
          protocol: required(
            string('What is spoken there: HTTP, HTTPS, GRPC, GRPC-WEB, HTTP2, MONGO, TCP or TLS, in any case'),
          ),
          name: required(string('Name of the port', { format: portName })),
          targetPort: ignored(uint32('Deprecated'), 'Istio does not act on it either'),
        },
        'Where the gateway listens',
      ),
    ),
    bind: string('Address the gateway listens on', { default: 'all' }),
    hosts: required(
      list(string('`dns`, `namespace/dns`, `./dns` or `*`', { format: gatewayHost }), 'Hosts that are served here', {
        min: 1,
      }),
    ),
    tls: serverTls,
    defaultEndpoint: ignored(string('Where unmatched connections go'), 'Istio does not act on it either'),
    name: string('Name of the server'),
  },
  'A port of the gateway and the hosts behind it',
);
export type GatewayServer = Infer<typeof server>;

export const gatewaySpec = object(
  {
    servers: list(server, 'What is served, and where', { min: 1 }),
    selector: labels('Labels of the gateway workloads that serve this; none: every gateway'),
  },
  'What a gateway serves',
);
export type GatewaySpec = Infer<typeof gatewaySpec>;

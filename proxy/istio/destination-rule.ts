/** DestinationRule: what happens to traffic after its route is chosen. (networking.istio.io; Istio's API reference, Destination Rule.) */
import { connectionPool } from './connection-pool.ts';
import { hostOrIp } from './format.ts';
import { duration, enumeration, double, ignored, list, object, port, required, string, uint32 } from './field.ts';
import { loadBalancer, outlierDetection } from './load-balancer.ts';
import type { Infer } from './schema.ts';
import { exportTo, labels, portSelector, workloadSelector } from './selector.ts';
import { clientTls } from './tls-settings.ts';

const perPort = {
  loadBalancer,
  connectionPool,
  outlierDetection: ignored(outlierDetection, 'Lateen does not eject endpoints so far'),
  tls: clientTls,
};

const portTrafficPolicy = object(
  { port: required(portSelector), ...perPort },
  'Settings of one port; they replace those of its level',
);
export type PortTrafficPolicy = Infer<typeof portTrafficPolicy>;

const trafficPolicy = object(
  {
    ...perPort,
    portLevelSettings: list(portTrafficPolicy, 'Settings by port', { max: 4096 }),
    tunnel: object(
      {
        protocol: enumeration(['CONNECT', 'POST'], 'How the tunnel is opened', { default: 'CONNECT' }),
        targetHost: required(string('Host behind the tunnel', { format: hostOrIp })),
        targetPort: required(port('Port behind the tunnel')),
      },
      'Tunnels TCP connections through the service, an HTTP proxy; a subset has none but its own',
    ),
    proxyProtocol: object(
      { version: enumeration(['V1', 'V2'], 'Version', { default: 'V1' }) },
      "Tells the service the caller's address first; settings of a port leave it out",
    ),
    retryBudget: ignored(
      object(
        {
          percent: double('Retries in percent of requests', { min: 0, max: 100, default: 20 }),
          minRetryConcurrency: uint32('Retries that are always allowed', { default: 3 }),
          budgetInterval: duration('Time the requests are counted over', { zero: true }),
        },
        'Limits retries by the share of requests they are',
      ),
      'Lateen limits retries by `connectionPool.http.maxRetries` alone so far',
    ),
  },
  'How connections and requests to the service are made',
);
export type TrafficPolicy = Infer<typeof trafficPolicy>;

const subset = object(
  {
    name: required(string('What routes call it')),
    labels: labels('Labels of its endpoints'),
    trafficPolicy,
  },
  'A part of the endpoints, under a name',
);
export type Subset = Infer<typeof subset>;

export const destinationRuleSpec = object(
  {
    host: required(string('Service these settings are for; `*.suffix` for several', { minLength: 1 })),
    trafficPolicy,
    subsets: list(subset, 'Named parts of the service'),
    exportTo,
    workloadSelector,
  },
  'Settings of the traffic to a service',
);
export type DestinationRuleSpec = Infer<typeof destinationRuleSpec>;

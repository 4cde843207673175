/** Limits of the connections to a service: DestinationRule, Sidecar. */
import { bool, duration, enumeration, ignored, int32, object, uint32 } from './field.ts';
import type { Infer } from './schema.ts';

const NO_H2 = 'Lateen speaks HTTP/1.1 to services so far';

export const connectionPool = object(
  {
    tcp: object(
      {
        maxConnections: int32('Connections to all endpoints together; 0 or absent: no limit', { min: 0 }),
        connectTimeout: duration('Time limit to connect', { default: '10s' }),
        tcpKeepalive: object(
          {
            probes: uint32('Probes without answer before the connection is dead', { default: "the system's" }),
            time: duration('Idle time before the first probe', { default: "the system's" }),
            interval: duration('Time between probes', { default: "the system's" }),
          },
          'TCP keep-alive probes; absent: after 60 s without a byte',
        ),
        maxConnectionDuration: duration('How old a TCP connection may become', { default: 'no limit' }),
        idleTimeout: duration('How long a connection may be idle; 0s: without end', { default: '1h', zero: true }),
      },
      'For TCP and HTTP',
    ),
    http: object(
      {
        http1MaxPendingRequests: int32('Requests that may wait for a connection; 0 or absent: no limit', { min: 0 }),
        http2MaxRequests: int32('Requests in flight, for HTTP/1.1 too; 0 or absent: no limit', { min: 0 }),
        maxRequestsPerConnection: int32('Requests after which a connection is closed; 0: no limit, 1: no keep-alive', {
          min: 0,
          default: 0,
        }),
        maxRetries: ignored(
          int32('Retries in flight; 0 or absent: no limit', { min: 0 }),
          'Lateen does not limit retries in flight so far',
        ),
        idleTimeout: duration('How long a connection may be without requests', { default: '1h' }),
        h2UpgradePolicy: ignored(
          enumeration(['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE'], 'Whether HTTP/1.1 becomes HTTP/2 towards the service'),
          NO_H2,
        ),
        useClientProtocol: ignored(bool('Speak to the service what the client spoke', { default: false }), NO_H2),
        maxConcurrentStreams: ignored(int32('HTTP/2 streams of one connection', { min: 0 }), NO_H2),
        http2KeepAlive: ignored(
          object(
            { interval: duration('Time between pings'), timeout: duration('Time limit of a ping') },
            'HTTP/2 pings',
          ),
          NO_H2,
        ),
      },
      'For HTTP',
    ),
  },
  'Limits of the connections to the service',
);
export type ConnectionPool = Infer<typeof connectionPool>;

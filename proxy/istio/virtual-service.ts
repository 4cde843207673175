/** VirtualService: which requests to a host go where. (networking.istio.io; Istio's API reference, Virtual Service.) */
import { gatewayRef, ipOrCidr } from './format.ts';
import {
  corsPolicy,
  headers,
  httpDirectResponse,
  httpFault,
  httpRedirect,
  httpRetry,
  httpRewrite,
  mirrorPercent,
  mirrorPercentage,
  notMirrored,
} from './http-action.ts';
import { httpMatchRequest } from './http-match.ts';
import { described, duration, ignored, list, object, port, refused, required, string } from './field.ts';
import type { Infer } from './schema.ts';
import { destination, exportTo, labels, weight } from './selector.ts';
import { percent } from './string-match.ts';

const httpRouteDestination = object(
  { destination: required(destination), weight, headers },
  'A destination and its share of the requests',
);
export type HttpRouteDestination = Infer<typeof httpRouteDestination>;

const httpRoute = object(
  {
    name: string('Name of the route, in logs and metrics'),
    match: list(httpMatchRequest, 'Which requests; any entry suffices, none at all means every request'),
    route: list(httpRouteDestination, 'Where requests go, by weight'),
    redirect: httpRedirect,
    directResponse: httpDirectResponse,
    delegate: refused(
      object(
        { name: string('Name of the VirtualService'), namespace: string('Its namespace') },
        'Another VirtualService whose routes stand here',
      ),
      'Lateen does not follow delegates so far; put the routes here',
    ),
    rewrite: httpRewrite,
    timeout: duration('Time limit of the whole request, retries included', { default: 'none' }),
    retries: httpRetry,
    fault: httpFault,
    mirror: ignored(described(destination, 'A service that gets a copy of each request'), notMirrored),
    mirrors: ignored(
      list(
        object(
          { destination: required(destination), percentage: percent('Share of requests to mirror; absent: all') },
          'A service that gets copies',
        ),
        'Services that get copies of requests',
      ),
      notMirrored,
    ),
    mirrorPercent,
    mirror_percent: described(mirrorPercent, 'Older spelling of mirrorPercent'),
    mirrorPercentage,
    corsPolicy,
    headers,
  },
  'A rule for HTTP requests; the first one that matches decides',
);
export type HttpRoute = Infer<typeof httpRoute>;

const routeDestination = object(
  { destination: required(destination), weight },
  'A destination and its share of the connections',
);
export type RouteDestination = Infer<typeof routeDestination>;

/** Conditions on a connection that http, tls and tcp matches share. */
const connection = {
  destinationSubnets: list(
    string('IP address or CIDR range', { format: ipOrCidr }),
    'Addresses the connection was made to; at gateways they do not count',
  ),
  port: port('Port of the service the connection was made to; absent: any'),
  sourceLabels: labels('Labels of the calling workload; all must be there'),
  sourceNamespace: string('Namespace of the calling workload'),
  gateways: list(string('Name of a Gateway, or `mesh`'), 'Gateways this match is for'),
};

const tlsRoute = object(
  {
    match: required(
      list(
        object(
          {
            sniHosts: required(
              list(string('Server name; `*.example.com` matches below it'), 'Server names in the TLS hello', {
                min: 1,
              }),
            ),
            ...connection,
          },
          'Conditions on a TLS connection',
        ),
        'Which connections; any entry suffices',
        { min: 1 },
      ),
    ),
    route: list(routeDestination, 'Where connections go, by weight'),
  },
  'A rule for TLS connections that are not terminated here',
);
export type TlsRoute = Infer<typeof tlsRoute>;

const tcpMatch = object(
  {
    ...connection,
    sourceSubnet: ignored(
      string('IP address or CIDR range of the caller', { format: ipOrCidr }),
      'Istio does not act on it either',
    ),
  },
  'Conditions on a connection',
);
const tcpRoute = object(
  {
    match: list(tcpMatch, 'Which connections; none at all means every one'),
    route: list(routeDestination, 'Where connections go, by weight'),
  },
  'A rule for opaque TCP connections',
);
export type TcpRoute = Infer<typeof tcpRoute>;

export const virtualServiceSpec = object(
  {
    hosts: list(
      string('DNS name, `*.suffix`, `*` (gateways only) or a short service name', { minLength: 1 }),
      'Hosts whose traffic these rules govern',
    ),
    gateways: list(
      string('`gateway`, `namespace/gateway` or `mesh`', { format: gatewayRef }),
      'Gateways, and `mesh` for all sidecars, that apply these rules',
      { default: 'mesh' },
    ),
    http: list(httpRoute, 'Rules for HTTP, in the order they are tried'),
    tls: list(tlsRoute, 'Rules for TLS by server name; the narrowest name that fits decides'),
    tcp: list(tcpRoute, 'Rules for TCP, in the order they are tried'),
    exportTo,
  },
  'Rules for the traffic to a set of hosts',
);
export type VirtualServiceSpec = Infer<typeof virtualServiceSpec>;

/** What one exchange says about traffic that leaves the mesh, or was kept from leaving it. */
import { bareHost, portOf } from '../core/authority.ts';
import { parseAddress } from '../core/cidr.ts';
import type { EgressDestination, EgressVerdict } from '../core/egress.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Cluster } from '../snapshot/cluster.ts';

export type Sighting = EgressDestination & {
  /** 0: of a connection that was counted when it was made, and is over now. */
  readonly count: 0 | 1;
  /** Body bytes to the destination, and from it. */
  readonly sent: number;
  readonly received: number;
  /** Why the destination was not reached, though it was allowed to be; "" when nothing failed. */
  readonly failure: string;
};

const MAX_HOST = 253;
const MAX_FAILURE = 200;

/**
 * Null for what stays inside the mesh: known after two or three property reads. An exchange with the method "" is a TCP connection.
 * Never throws.
 */
export function sightingOf(x: Exchange): Sighting | null {
  if (x.direction === 'inbound') return null;
  const { endpoint, cluster } = x;
  if (endpoint !== null && endpoint.workload !== null) return null;
  if (cluster === null) return isBlocked(x) ? sighting(x, 'blocked', null) : null;
  const { settings } = cluster;
  if (settings.service !== null) return leaves(settings) ? sighting(x, 'allowed', settings) : null;
  if (settings.name === 'BlackHoleCluster') return sighting(x, 'blocked', null);
  return endpoint === null ? null : sighting(x, 'passed', null);
}

/** Refused by name: the route that REGISTRY_ONLY ends every table with, or a CONNECT, which has no route. */
const isBlocked = ({ route, details }: Exchange): boolean =>
  route === null ? details === 'direct_response' : route.name === 'block_all';

/** A service of a ServiceEntry is called by its host; one with endpoints and a name of its own is Kubernetes', in the mesh. */
export const leaves = ({ service, discovery }: Cluster): boolean =>
  discovery.kind !== 'endpoints' || service?.name === service?.host;

function sighting(x: Exchange, verdict: EgressVerdict, cluster: Cluster | null): Sighting {
  const { connection, endpoint, authority } = x;
  const service = cluster?.service?.host ?? '';
  // A route may lead elsewhere than the caller asked for: then it is elsewhere that the request goes. A wildcard is no destination.
  const asked = x.method === '' && connection.serverName !== '' ? connection.serverName : bareHost(authority);
  const named = service === '' || service.startsWith('*') ? asked : service;
  const protocol = protocolOf(x);
  const isAddress = parseAddress(named) !== null;
  const reached = endpoint !== null && parseAddress(endpoint.address) !== null ? endpoint.address : '';
  return {
    verdict,
    protocol,
    host: isAddress ? '' : plainText(named, MAX_HOST),
    address: isAddress ? named : reached !== '' ? reached : connection.redirected ? connection.localAddress : '',
    port: endpoint !== null ? endpoint.port : askedPort(x),
    service,
    count: isOver(x) ? 0 : 1,
    sent: x.bytesReceived,
    // What the proxy answers by itself came from nowhere else.
    received: x.headMs > 0 || protocol !== 'http' ? x.bytesSent : 0,
    failure: verdict === 'blocked' ? '' : plainText(failureOf(x), MAX_FAILURE),
  };
}

function askedPort({ connection, authority, method, scheme }: Exchange): number {
  if (connection.redirected) return connection.localPort;
  if (method === '') return portOf(authority, connection.localPort);
  return portOf(authority, scheme === 'https' ? 443 : 80);
}

function protocolOf({ method, connection, authority }: Exchange): Sighting['protocol'] {
  if (method !== '' && method !== 'CONNECT') return 'http';
  if (connection.serverName !== '') return 'tls';
  // What a tunnel carries is not looked at; on this port it is hardly anything else.
  return method === 'CONNECT' && portOf(authority, 0) === 443 ? 'tls' : 'tcp';
}

/** A tunnel or connection is told of twice: when its far end is reached, and at its end. */
const isOver = ({ method, upstreamLocal, endMs }: Exchange): boolean =>
  endMs > 0 && upstreamLocal !== '' && (method === '' || method === 'CONNECT');

/** A client that went away (DC) is no fault of the destination. */
function failureOf({ transportFailure, flags, reason }: Exchange): string {
  if (transportFailure !== '') return transportFailure;
  return flags === '' || flags === 'DC' ? '' : reason === '' ? flags : reason;
}

/** Printable ASCII without quote and backslash stays; everything else is shown as `\xNN`. */
export function plainText(text: string, max: number): string {
  const short = text.length > max ? text.slice(0, max) : text;
  if (PLAIN.test(short)) return short;
  return short.replace(ODD, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`).slice(0, max);
}

const PLAIN = /^[ !#-[\]-~]*$/;
const ODD = /[^ !#-[\]-~]/g;

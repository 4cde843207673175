/**
 * One ended request as a Zipkin v2 span in JSON (https://zipkin.io/zipkin-api/), with Envoy's and Istio's tags.
 * Written as text in the worker, in a single concatenation: the main thread only puts spans together, and a string is cheap to post.
 */
import { isIP } from 'node:net';
import { get } from '../core/header-list.ts';
import type { Direction, Exchange, Trace } from '../live/exchange.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { Route, SourceRef } from '../snapshot/route.ts';
import { jsonString, withoutSecrets } from './hostile-text.ts';
import type { WallClock } from './wall-clock.ts';

/** Envoy: max_path_tag_length. */
const MAX_PATH = 256;
const MAX_VALUE = 256;

/** Returns what writes the span of a request; `x.trace` must be set. */
export function createSpanEncoder(node: ProxyNode, clock: WallClock): (x: Exchange, trace: Trace) => string {
  const service = jsonString(`${node.canonicalService}.${node.namespace}`, MAX_VALUE);
  const type = node.role === 'gateway' ? 'router' : 'sidecar';
  const id = `${type}~${node.ip}~${node.name}.${node.namespace}~${node.namespace}.svc.cluster.local`;
  const constantTags =
    `"component":"proxy","node_id":${jsonString(id, MAX_VALUE)},"downstream_cluster":"-"` +
    `,"istio.canonical_service":${jsonString(node.canonicalService, MAX_VALUE)}` +
    `,"istio.canonical_revision":${jsonString(node.canonicalRevision, MAX_VALUE)}` +
    `,"istio.mesh_id":${jsonString(node.trustDomain, MAX_VALUE)}` +
    `,"istio.namespace":${jsonString(node.namespace, MAX_VALUE)}` +
    `,"istio.cluster_id":${jsonString(node.cluster, MAX_VALUE)}`;

  return (x, trace) =>
    `{"traceId":"${trace.traceId}","id":"${trace.spanId}"` +
    (trace.parentId === null ? '' : `,"parentId":"${trace.parentId}"`) +
    `,"kind":"${KIND[x.direction]}","name":${jsonString(operation(x), MAX_VALUE)}` +
    `,"timestamp":${Math.round(clock.epochMs(x.startMs) * 1000)}` +
    // Zipkin: rounded up to 1, since 0 means unknown.
    `,"duration":${Math.max(1, Math.round((x.endMs - x.startMs) * 1000))}` +
    `,"localEndpoint":{"serviceName":${service},${endpoint(node.ip, x.connection.localPort)}}` +
    remoteEndpoint(x) +
    `,"tags":{${constantTags}${requestTags(x)}}}`;
}

const KIND: Readonly<Record<Direction, 'SERVER' | 'CLIENT'>> = {
  inbound: 'SERVER',
  outbound: 'CLIENT',
  // One span a gateway: it is the server of whoever is outside.
  gateway: 'SERVER',
};

/** Envoy's decorator operation; where no route matched, the host and any path. */
function operation(x: Exchange): string {
  const named = x.route?.operation ?? '';
  // What belongs to no service is told apart by where it went.
  if (named !== '' && named !== 'allow_any' && named !== 'block_all') return named;
  const host = x.authority === '' ? 'unknown' : x.authority.toLowerCase();
  const port = /:\d+$/.test(host) ? '' : `:${x.connection.localPort}`;
  return `${host}${port}/*`;
}

function remoteEndpoint(x: Exchange): string {
  if (x.direction !== 'outbound') {
    return `,"remoteEndpoint":{${endpoint(x.connection.remoteAddress, x.connection.remotePort)}}`;
  }
  return x.endpoint === null ? '' : `,"remoteEndpoint":{${endpoint(x.endpoint.address, x.endpoint.port)}}`;
}

/** A passthrough endpoint has the name it was asked for in place of an address. */
function endpoint(host: string, port: number): string {
  const family = isIP(host);
  const kind = family === 4 ? 'ipv4' : family === 6 ? 'ipv6' : 'serviceName';
  return `"${kind}":${jsonString(host, MAX_VALUE)},"port":${port}`;
}

function requestTags(x: Exchange): string {
  const cluster = x.cluster?.settings.name;
  const agent = get(x.headers, 'user-agent');
  return (
    `,"guid:x-request-id":${jsonString(x.requestId, 128)}` +
    `,"http.url":${jsonString(url(x), MAX_VALUE + MAX_PATH)}` +
    `,"http.method":${jsonString(x.method, 32)}` +
    `,"http.protocol":"HTTP/1.${x.minor}"` +
    `,"http.status_code":"${x.status}"` +
    `,"request_size":"${x.bytesReceived}","response_size":"${x.bytesSent}"` +
    `,"response_flags":${x.flags === '' ? '"-"' : jsonString(x.flags, MAX_VALUE)}` +
    `,"peer.address":${jsonString(x.connection.remoteAddress, 64)}` +
    (agent === undefined ? '' : `,"user_agent":${jsonString(agent, MAX_VALUE)}`) +
    (cluster === undefined ? '' : `,"upstream_cluster":${jsonString(cluster, MAX_VALUE)}`) +
    (cluster === undefined ? '' : `,"upstream_cluster.name":${jsonString(cluster, MAX_VALUE)}`) +
    (x.endpoint === null ? '' : `,"upstream_address":${jsonString(x.endpoint.key, MAX_VALUE)}`) +
    (x.grpc && x.grpcStatus >= 0 ? `,"grpc.status_code":"${x.grpcStatus}"` : '') +
    (x.route === null ? '' : routeTag(x.route)) +
    (x.decidedBy === null ? '' : `,"lateen.decided_by":${jsonString(placeOf(x.decidedBy), 512)}`) +
    (x.reason === '' ? '' : `,"lateen.reason":${jsonString(x.reason, 512)}`) +
    (failed(x) ? ',"error":"true"' : '')
  );
}

const routeTags = new WeakMap<Route, string>();

/** Many requests share a route. The rule that made it; the name of a route that no resource made (`default`, `allow_any`). */
function routeTag(route: Route): string {
  let tag = routeTags.get(route);
  if (tag === undefined) {
    tag = `,"lateen.route":${jsonString(route.source === null ? route.name : placeOf(route.source), 512)}`;
    routeTags.set(route, tag);
  }
  return tag;
}

/** As in the access log: `VirtualService/default/reviews spec.http[0]`. */
const placeOf = ({ kind, namespace, name, path }: SourceRef): string => `${kind}/${namespace}/${name} ${path}`;

/** Envoy: 5xx or no code at all; for gRPC, any status but OK on the server's side. */
function failed(x: Exchange): boolean {
  return x.status >= 500 || x.status === 0 || (x.grpc && x.grpcStatus > 0 && x.direction !== 'outbound');
}

function url(x: Exchange): string {
  const path = (x.originalPath ?? x.path).slice(0, MAX_PATH);
  return `${x.scheme}://${x.authority.slice(0, MAX_VALUE)}${withoutSecrets(path)}`;
}

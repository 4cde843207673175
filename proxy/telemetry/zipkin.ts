/**
 * One ended request as a Zipkin v2 span in JSON (https://zipkin.io/zipkin-api/), with Envoy's and Istio's tags.
 * Written as text in the worker, in a single concatenation: the main thread only puts spans together, and a string is cheap to post.
 */
import { isIP } from 'node:net';
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Direction, Exchange, Trace } from '../live/exchange.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { TracingSettings } from '../snapshot/telemetry.ts';
import { jsonString } from './hostile-text.ts';
import { MAX_VALUE, createTagWriter, operationOf, remembered, type Kept, type TagSyntax } from './span-tags.ts';
import type { WallClock } from './wall-clock.ts';

/** Writes the span of a request, `trace` being its `x.trace`. */
export type SpanEncoder = (x: Exchange, trace: Trace, kept: Kept) => string;

const SYNTAX: TagSyntax = {
  before: (key) => `${jsonString(key, MAX_VALUE)}:`,
  after: '',
  unique: (tags) => JSON.stringify(JSON.parse(`{${tags}}`)).slice(1, -1),
};

export function createZipkinEncoder(node: ProxyNode, settings: TracingSettings, clock: WallClock): SpanEncoder {
  const service = jsonString(`${node.canonicalService}.${node.namespace}`, MAX_VALUE);
  const tags = createTagWriter(node, settings, SYNTAX);
  const local = `,"localEndpoint":{"serviceName":${service},${address(node.ip)}`;

  return (x, trace, kept) =>
    `{"traceId":"${trace.traceId}","id":"${trace.spanId}"` +
    (trace.parentId === null ? '' : `,"parentId":"${trace.parentId}"`) +
    `,"kind":"${KIND[x.direction]}","name":${jsonString(operationOf(x), MAX_VALUE)}` +
    `,"timestamp":${Math.round(clock.epochMs(x.startMs) * 1000)}` +
    // Zipkin: rounded up to 1, since 0 means unknown.
    `,"duration":${Math.max(1, Math.round((x.endMs - x.startMs) * 1000))}` +
    `${local},"port":${x.connection.localPort}}` +
    remoteEndpoint(x) +
    `,"tags":{${tags(x, kept)}}}`;
}

const KIND: Readonly<Record<Direction, 'SERVER' | 'CLIENT'>> = {
  inbound: 'SERVER',
  outbound: 'CLIENT',
  // One span a gateway: it is the server of whoever is outside.
  gateway: 'SERVER',
};

function remoteEndpoint(x: Exchange): string {
  if (x.direction !== 'outbound') {
    return `,"remoteEndpoint":{${endpoint(x.connection.remoteAddress, x.connection.remotePort)}}`;
  }
  return x.endpoint === null ? '' : upstream(x.endpoint);
}

const upstream = remembered(({ address, port }: LiveEndpoint) => `,"remoteEndpoint":{${endpoint(address, port)}}`);

const endpoint = (host: string, port: number): string => `${address(host)},"port":${port}`;

/** A passthrough endpoint has the name it was asked for in place of an address. */
function address(host: string): string {
  const family = isIP(host);
  const kind = family === 4 ? 'ipv4' : family === 6 ? 'ipv6' : 'serviceName';
  return `"${kind}":${jsonString(host, MAX_VALUE)}`;
}

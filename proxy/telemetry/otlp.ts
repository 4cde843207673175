/** One ended request as a span of OTLP in JSON, and the request around many of them (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). */
import type { Direction } from '../live/exchange.ts';
import { proxyId, type ProxyNode } from '../snapshot/node.ts';
import type { TracingSettings } from '../snapshot/telemetry.ts';
import { jsonString } from './hostile-text.ts';
import { MAX_VALUE, createTagWriter, failed, operationOf, type TagSyntax } from './span-tags.ts';
import { wide } from './w3c.ts';
import type { WallClock } from './wall-clock.ts';
import type { SpanEncoder } from './zipkin.ts';

type Attribute = { readonly key: string; readonly value: { readonly stringValue: string } };

/** All values are strings, as Envoy's OpenTelemetry tracer has it. */
const SYNTAX: TagSyntax = {
  before: (key) => `{"key":${jsonString(key, MAX_VALUE)},"value":{"stringValue":`,
  after: '}}',
  unique: (tags) => {
    const all = JSON.parse(`[${tags}]`) as Attribute[];
    return JSON.stringify([...new Map(all.map((tag) => [tag.key, tag])).values()]).slice(1, -1);
  },
};

/** SPAN_KIND_SERVER and SPAN_KIND_CLIENT: JSON has enums as numbers. */
const KIND: Readonly<Record<Direction, 2 | 3>> = { inbound: 2, outbound: 3, gateway: 2 };
/** STATUS_CODE_ERROR; left out, it is unset. */
const ERROR = ',"status":{"code":2}';

export function createOtlpEncoder(node: ProxyNode, settings: TracingSettings, clock: WallClock): SpanEncoder {
  const tags = createTagWriter(node, settings, SYNTAX);
  return (x, trace, kept) => {
    const start = Math.round(clock.epochMs(x.startMs) * 1000);
    const end = start + Math.max(1, Math.round((x.endMs - x.startMs) * 1000));
    return (
      `{"traceId":"${wide(trace.traceId)}","spanId":"${trace.spanId}"` +
      (trace.parentId === null ? '' : `,"parentSpanId":"${trace.parentId}"`) +
      `,"name":${jsonString(operationOf(x), MAX_VALUE)},"kind":${KIND[x.direction]}` +
      // From microseconds: nanoseconds since 1970 are more than a number holds.
      `,"startTimeUnixNano":"${start}000","endTimeUnixNano":"${end}000"` +
      `,"attributes":[${tags(x, kept)}]${failed(x) ? ERROR : ''}}`
    );
  };
}

/** What stands before and after the spans of one proxy, commas between, in an ExportTraceServiceRequest. */
export function otlpEnvelope(node: ProxyNode, version: string): { readonly open: string; readonly close: string } {
  const attributes: readonly (readonly [string, string])[] = [
    ['service.name', `${node.canonicalService}.${node.namespace}`],
    ['service.version', node.canonicalRevision],
    ['service.instance.id', proxyId(node)],
    ['k8s.cluster.name', node.cluster],
    ['k8s.namespace.name', node.namespace],
    ['k8s.pod.name', node.name],
    ['k8s.pod.ip', node.ip],
    ['k8s.deployment.name', node.workload],
  ];
  const resource = {
    attributes: attributes.map(([key, value]): Attribute => ({ key, value: { stringValue: value } })),
  };
  const scope = { name: 'lateen', version };
  return {
    open: `{"resourceSpans":[{"resource":${JSON.stringify(resource)},"scopeSpans":[{"scope":${JSON.stringify(scope)},"spans":[`,
    close: ']}]}]}',
  };
}

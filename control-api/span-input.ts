/** Zipkin v2 spans as anybody may send them: checked field by field, cut to size, or refused with the place of the fault. */
import type { Span, SpanEndpoint } from './trace-store.ts';

/** Said back to the sender. */
export class SpanError extends Error {}

export const MAX_SPANS = 5000;
const MAX_TAGS = 64;
const MAX_TEXT = 1024;
const KINDS: readonly unknown[] = ['CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER'];

/** Throws SpanError for what is no list of spans: all of them are taken or none. */
export function readSpans(body: unknown): Span[] {
  if (!Array.isArray(body)) throw new SpanError('expected a JSON list of Zipkin v2 spans');
  if (body.length > MAX_SPANS) throw new SpanError(`expected at most ${MAX_SPANS} spans, got ${body.length}`);
  return body.map((span: unknown, i) => readSpan(span, `[${i}]`));
}

function readSpan(value: unknown, at: string): Span {
  const span = object(value, at);
  const { kind, parentId, timestamp, duration, localEndpoint, remoteEndpoint, tags, annotations } = span;
  if (given(kind) && !KINDS.includes(kind)) throw fault(`${at}.kind`, 'CLIENT, SERVER, PRODUCER or CONSUMER', kind);
  return {
    traceId: readTraceId(span['traceId'], `${at}.traceId`),
    id: spanId(span['id'], `${at}.id`),
    ...(given(parentId) ? { parentId: spanId(parentId, `${at}.parentId`) } : {}),
    ...(given(kind) ? { kind: kind as NonNullable<Span['kind']> } : {}),
    ...(given(span['name']) ? { name: text(span['name'], `${at}.name`) } : {}),
    ...(given(timestamp) ? { timestamp: micros(timestamp, `${at}.timestamp`) } : {}),
    ...(given(duration) ? { duration: micros(duration, `${at}.duration`) } : {}),
    ...(span['debug'] === true ? { debug: true } : {}),
    ...(span['shared'] === true ? { shared: true } : {}),
    ...(given(localEndpoint) ? { localEndpoint: endpoint(localEndpoint, `${at}.localEndpoint`) } : {}),
    ...(given(remoteEndpoint) ? { remoteEndpoint: endpoint(remoteEndpoint, `${at}.remoteEndpoint`) } : {}),
    ...(given(annotations) ? { annotations: readAnnotations(annotations, `${at}.annotations`) } : {}),
    ...(given(tags) ? { tags: readTags(tags, `${at}.tags`) } : {}),
  };
}

/** Lower case, 16 or 32 digits: shorter ones are padded as Zipkin does. */
export function readTraceId(value: unknown, at: string): string {
  if (typeof value !== 'string' || !/^[0-9a-f]{1,32}$/i.test(value)) throw fault(at, '1 to 32 hex digits', value);
  return value.toLowerCase().padStart(value.length <= 16 ? 16 : 32, '0');
}

function spanId(value: unknown, at: string): string {
  if (typeof value !== 'string' || !/^[0-9a-f]{1,16}$/i.test(value)) throw fault(at, '1 to 16 hex digits', value);
  return value.toLowerCase().padStart(16, '0');
}

function endpoint(value: unknown, at: string): SpanEndpoint {
  const { serviceName, ipv4, ipv6, port } = object(value, at);
  if (given(port) && !(Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65_535)) {
    throw fault(`${at}.port`, 'a port number', port);
  }
  return {
    ...(given(serviceName) ? { serviceName: text(serviceName, `${at}.serviceName`).toLowerCase() } : {}),
    ...(given(ipv4) ? { ipv4: text(ipv4, `${at}.ipv4`) } : {}),
    ...(given(ipv6) ? { ipv6: text(ipv6, `${at}.ipv6`) } : {}),
    ...(given(port) ? { port: port as number } : {}),
  };
}

function readAnnotations(value: unknown, at: string): { timestamp: number; value: string }[] {
  if (!Array.isArray(value)) throw fault(at, 'a list', value);
  return value.slice(0, MAX_TAGS).map((item: unknown, i) => {
    const annotation = object(item, `${at}[${i}]`);
    return {
      timestamp: micros(annotation['timestamp'], `${at}[${i}].timestamp`),
      value: text(annotation['value'], `${at}[${i}].value`),
    };
  });
}

/** Values of other types are shown as text: some tracers send numbers. */
function readTags(value: unknown, at: string): Record<string, string> {
  const entries = Object.entries(object(value, at)).slice(0, MAX_TAGS);
  // From entries, so that a tag called __proto__ is a tag.
  return Object.fromEntries(
    entries.map(([key, v]) => [
      key.slice(0, MAX_TEXT),
      typeof v === 'string' ? v.slice(0, MAX_TEXT) : (JSON.stringify(v) ?? '').slice(0, MAX_TEXT),
    ]),
  );
}

function micros(value: unknown, at: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw fault(at, 'microseconds', value);
  return Math.round(value);
}

function text(value: unknown, at: string): string {
  if (typeof value !== 'string') throw fault(at, 'a string', value);
  return value.slice(0, MAX_TEXT);
}

function object(value: unknown, at: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault(at, 'an object', value);
  return value as Readonly<Record<string, unknown>>;
}

const given = (value: unknown): boolean => value !== undefined && value !== null;

function fault(at: string, expected: string, got: unknown): SpanError {
  return new SpanError(`${at}: expected ${expected}, got ${(JSON.stringify(got) ?? 'nothing').slice(0, 100)}`);
}

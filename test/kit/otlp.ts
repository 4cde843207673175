/**
 * An OpenTelemetry collector for tests: takes OTLP over HTTP in JSON, and nothing that differs from it by a letter.
 * By the proto files of OTLP 1.x and the rules of its JSON encoding: lowerCamelCase names, ids in hex, enums as numbers, 64-bit numbers as strings.
 */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type OtlpSpan = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Readonly<Record<string, string>>;
  /** 0: unset, 2: error */
  readonly status: number;
  readonly resource: Readonly<Record<string, string>>;
};

export type OtlpCollector = AsyncDisposable & {
  readonly url: string;
  readonly spans: OtlpSpan[];
  readonly requests: number;
  /** Resolves when so many spans, or so many requests, have come. */
  until(what: { readonly spans?: number; readonly requests?: number }): Promise<void>;
};

const accept = (_: number, response: ServerResponse): void =>
  void response.writeHead(200, { 'content-type': 'application/json' }).end('{}');

/** `answer`: what it says to each request, by its number from 1; spans count only when they are not refused. */
export async function startOtlpCollector(
  answer: (request: number, response: ServerResponse) => void = accept,
  address = '127.0.0.1',
): Promise<OtlpCollector> {
  const spans: OtlpSpan[] = [];
  const waiting = new Set<() => void>();
  let requests = 0;
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = Buffer.concat((await request.toArray()) as Buffer[]).toString();
    requests += 1;
    try {
      assert.deepEqual([request.method, request.url], ['POST', '/v1/traces']);
      assert.equal(request.headers['content-type'], 'application/json');
      const came = readExportRequest(JSON.parse(body));
      answer(requests, response);
      if (response.statusCode === 200) spans.push(...came);
    } catch (error) {
      response.writeHead(400).end(String(error));
    }
    for (const look of waiting) look();
  };
  const server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => server.listen(0, address, () => resolve()));
  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}`,
    spans,
    get requests() {
      return requests;
    },
    until: (what) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (spans.length < (what.spans ?? 0) || requests < (what.requests ?? 0)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** All spans of an ExportTraceServiceRequest. Throws at the first thing that is not as it must be. */
export function readExportRequest(request: unknown): OtlpSpan[] {
  return list(request, 'resourceSpans').flatMap((resourceSpans) => {
    only(resourceSpans, ['resource', 'scopeSpans', 'schemaUrl']);
    const resource = attributesOf(resourceSpans['resource'] as Json);
    assert.ok(resource['service.name'], 'a resource needs service.name');
    return list(resourceSpans, 'scopeSpans').flatMap((scopeSpans) => {
      only(scopeSpans, ['scope', 'spans', 'schemaUrl']);
      only(scopeSpans['scope'] as Json, ['name', 'version']);
      return list(scopeSpans, 'spans').map((span) => ({ ...readSpan(span), resource }));
    });
  });
}

type Json = Readonly<Record<string, unknown>>;

const SPAN = [
  'traceId',
  'spanId',
  'traceState',
  'parentSpanId',
  'flags',
  'name',
  'kind',
  'startTimeUnixNano',
  'endTimeUnixNano',
  'attributes',
  'status',
];

function readSpan(span: Json): Omit<OtlpSpan, 'resource'> {
  only(span, SPAN);
  const { traceId, spanId, parentSpanId = '', name, kind, startTimeUnixNano, endTimeUnixNano } = span;
  assert.match(String(traceId), /^(?!0{32})[\da-f]{32}$/);
  assert.match(String(spanId), /^(?!0{16})[\da-f]{16}$/);
  assert.match(String(parentSpanId), /^([\da-f]{16})?$/);
  assert.ok(typeof name === 'string' && name !== '', 'name');
  assert.ok(Number.isInteger(kind) && (kind as number) >= 1 && (kind as number) <= 5, 'kind is a number');
  for (const time of [startTimeUnixNano, endTimeUnixNano]) assert.match(time as string, /^[1-9]\d{18}$/);
  const [start, end] = [BigInt(startTimeUnixNano as string), BigInt(endTimeUnixNano as string)];
  assert.ok(end > start, 'a span takes time');
  const status = (span['status'] ?? {}) as Json;
  only(status, ['code', 'message']);
  const code = status['code'] ?? 0;
  assert.ok(code === 0 || code === 1 || code === 2, 'status code');
  return {
    traceId: traceId as string,
    spanId: spanId as string,
    parentSpanId: parentSpanId as string,
    name,
    kind: kind as number,
    start,
    end,
    attributes: attributesOf(span),
    status: code,
  };
}

function attributesOf(of: Json): Record<string, string> {
  const entries = list(of, 'attributes').map((attribute) => {
    only(attribute, ['key', 'value']);
    const value = attribute['value'] as Json;
    only(value, ['stringValue']);
    assert.ok(typeof attribute['key'] === 'string' && typeof value['stringValue'] === 'string');
    return [attribute['key'], value['stringValue']] as const;
  });
  assert.equal(new Set(entries.map(([key]) => key)).size, entries.length, 'keys of attributes are unique');
  return Object.fromEntries(entries);
}

function list(of: unknown, name: string): Json[] {
  const value = (of as Json)[name];
  assert.ok(Array.isArray(value), `${name} is a list`);
  return value as Json[];
}

function only(value: Json, names: readonly string[]): void {
  assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value));
  for (const name of Object.keys(value)) assert.ok(names.includes(name), `${name} is no field of OTLP`);
}

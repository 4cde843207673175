/** Routes of the embedded trace collector: Zipkin's own API, so that its tools and our proxies need nothing else, and `/lateen/v1/traces`. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { SpanError, readSpans, readTraceId } from './span-input.ts';
import type { Span, TraceQuery, TraceStore } from './trace-store.ts';

/** Of one POST, bytes. */
const MAX_BODY = 8 * 1024 * 1024;
const MAX_LIMIT = 1000;

type Query = { readonly [name: string]: string | string[] | undefined };

export function traceRoutes(app: FastifyInstance, store: TraceStore): void {
  app.post('/api/v2/spans', { bodyLimit: MAX_BODY, config: { audience: 'proxies' } }, (request, reply) =>
    answer(reply, () => {
      for (const span of readSpans(request.body)) store.add(span, sizeOf(span));
      return reply.code(202).send();
    }),
  );

  app.get<{ Querystring: Query }>('/api/v2/traces', ({ query }, reply) =>
    answer(reply, () => reply.send(store.find(readQuery(query)))),
  );

  app.get<{ Params: { id: string } }>('/api/v2/trace/:id', ({ params }, reply) =>
    answer(reply, () => {
      const spans = store.get(readTraceId(params.id, 'trace id'));
      return spans === undefined ? reply.code(404).send({ error: 'no such trace' }) : reply.send(spans);
    }),
  );

  app.get('/api/v2/services', (_, reply) => reply.send(store.services()));

  app.get<{ Querystring: Query }>('/api/v2/spans', ({ query }, reply) =>
    reply.send(store.spanNames(one(query['serviceName']) ?? '')),
  );

  app.get<{ Querystring: Query }>('/lateen/v1/traces', ({ query }, reply) =>
    answer(reply, () => reply.send({ traces: store.find(readQuery(query)).map(summary) })),
  );
}

/** A fault of the sender is a 400 that says what is wrong. */
function answer(reply: FastifyReply, handle: () => FastifyReply): FastifyReply {
  try {
    return handle();
  } catch (error) {
    if (error instanceof SpanError) return reply.code(400).send({ error: error.message });
    throw error;
  }
}

/** Zipkin's parameters: durations in µs, endTs and lookback in ms, `annotationQuery=error and http.status_code=503`. */
function readQuery(query: Query): TraceQuery {
  const text = (name: string): string | undefined => one(query[name]) || undefined;
  const number = (name: string): number | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    if (!/^\d{1,16}$/.test(value))
      throw new SpanError(`${name}: expected a whole number, got ${JSON.stringify(value)}`);
    return Number(value);
  };
  const given: Record<string, unknown> = {
    serviceName: text('serviceName')?.toLowerCase(),
    spanName: text('spanName'),
    minDuration: number('minDuration'),
    maxDuration: number('maxDuration'),
    endTs: number('endTs'),
    lookback: number('lookback'),
    annotations: text('annotationQuery')
      ?.split(' and ')
      .map((part) => part.trim()),
  };
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { ...set, limit: Math.min(number('limit') ?? 10, MAX_LIMIT) };
}

const one = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

/** What a list of traces shows of each, and its spans. */
function summary(spans: readonly Span[]): object {
  const ids = new Set(spans.map(({ id }) => id));
  const root = spans.find(({ parentId }) => parentId === undefined || !ids.has(parentId)) ?? spans[0];
  const start = Math.min(...spans.map(({ timestamp = 0 }) => timestamp));
  const end = Math.max(...spans.map(({ timestamp = 0, duration = 0 }) => timestamp + duration));
  return {
    traceId: root?.traceId,
    root: { service: root?.localEndpoint?.serviceName ?? null, name: root?.name ?? null },
    timestamp: start,
    duration: end - start,
    spanCount: spans.length,
    errors: spans.filter(({ tags }) => tags?.['error'] !== undefined).length,
    services: [...new Set(spans.map(({ localEndpoint }) => localEndpoint?.serviceName ?? 'unknown'))],
    spans,
  };
}

/** Text and about as much again for the objects that hold it. */
function sizeOf(span: Span): number {
  let size = 400;
  for (const [key, value] of Object.entries(span.tags ?? {})) size += 32 + 2 * (key.length + value.length);
  for (const { value } of span.annotations ?? []) size += 48 + 2 * value.length;
  return size + 2 * (span.name?.length ?? 0);
}

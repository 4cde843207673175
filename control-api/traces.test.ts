import assert from 'node:assert/strict';
import fastify, { type FastifyInstance } from 'fastify';
import * as fc from 'fast-check';
import { afterEach, describe, test } from 'vitest';
import { SpanError, readSpans } from './span-input.ts';
import { TraceStore } from './trace-store.ts';
import { traceRoutes } from './traces.ts';

let app: FastifyInstance;
afterEach(() => app?.close());

function serving(store = new TraceStore()): TraceStore {
  app = fastify();
  traceRoutes(app, store);
  return store;
}

const TRACE = '463ac35c9f6413ad48485a3953bb6124';
const BASE = 1_700_000_000_000_000;

/** A span of a trace that is told by its last digits; times in µs after BASE. */
const span = (trace: number, id: number, service: string, more: object = {}) => ({
  traceId: TRACE.slice(0, 24) + trace.toString(16).padStart(8, '0'),
  id: id.toString(16).padStart(16, '0'),
  kind: 'SERVER',
  name: `${service}:9080/*`,
  timestamp: BASE + trace * 1_000_000 + id,
  duration: 1000,
  localEndpoint: { serviceName: `${service}.default`, ipv4: '127.1.0.3' },
  tags: { 'http.status_code': '200' },
  ...more,
});

const post = (payload: unknown) => app.inject({ method: 'POST', url: '/api/v2/spans', payload: payload as object });
const get = async (url: string) => (await app.inject({ url })).json();
const ids = (traces: { id: string }[][]): number[] => traces.map(([first]) => Number(`0x${first!.id}`));

describe('trace collector', () => {
  test('takes spans as Zipkin does, and gives back the whole trace in the order it happened', async () => {
    serving();
    assert.equal((await post([span(1, 2, 'reviews', { parentId: '0000000000000001' })])).statusCode, 202);
    assert.equal((await post([span(1, 1, 'productpage')])).statusCode, 202);
    const trace = await get(`/api/v2/trace/${span(1, 1, '').traceId}`);
    assert.deepEqual(trace, [span(1, 1, 'productpage'), span(1, 2, 'reviews', { parentId: '0000000000000001' })]);
    assert.deepEqual(await get('/api/v2/services'), ['productpage.default', 'reviews.default']);
    assert.deepEqual(await get('/api/v2/spans?serviceName=reviews'), ['reviews:9080/*']);
    assert.equal((await app.inject({ url: '/api/v2/trace/abc' })).statusCode, 404);
  });

  test('finds traces by service, with or without its namespace, the newest first', async () => {
    serving();
    await post([
      span(1, 1, 'productpage'),
      span(2, 2, 'reviews'),
      span(3, 3, 'productpage'),
      span(4, 4, 'productpage-v2'),
    ]);
    assert.deepEqual(ids(await get('/api/v2/traces?serviceName=productpage&limit=10')), [3, 1]);
    assert.deepEqual(ids(await get('/api/v2/traces?serviceName=productpage.default')), [3, 1]);
    assert.deepEqual(ids(await get('/api/v2/traces?limit=2')), [4, 3]);
    assert.deepEqual(await get('/api/v2/traces?serviceName=nobody'), []);
  });

  test('finds traces by duration, span name, tag and time', async () => {
    serving();
    await post([
      span(1, 1, 'reviews', { duration: 500 }),
      span(2, 2, 'reviews', { duration: 5000, tags: { error: 'true', 'http.status_code': '503' } }),
      span(3, 3, 'reviews', { name: 'other', annotations: [{ timestamp: BASE, value: 'retry' }] }),
    ]);
    assert.deepEqual(ids(await get('/api/v2/traces?minDuration=1000')), [3, 2]);
    assert.deepEqual(ids(await get('/api/v2/traces?minDuration=501&maxDuration=1000')), [3]);
    assert.deepEqual(ids(await get('/api/v2/traces?spanName=other')), [3]);
    assert.deepEqual(
      ids(await get(`/api/v2/traces?annotationQuery=${encodeURIComponent('error and http.status_code=503')}`)),
      [2],
    );
    assert.deepEqual(ids(await get('/api/v2/traces?annotationQuery=retry')), [3]);
    const endTs = BASE / 1000 + 2500;
    assert.deepEqual(ids(await get(`/api/v2/traces?endTs=${endTs}&lookback=1000`)), [2]);
  });

  test('sums up each trace for people', async () => {
    serving();
    await post([
      span(1, 1, 'gateway', { duration: 9000 }),
      span(1, 2, 'reviews', { parentId: '0000000000000001', tags: { error: 'true' } }),
    ]);
    const { traces } = await get('/lateen/v1/traces?serviceName=reviews');
    const { spans, ...summary } = traces[0];
    assert.equal(spans.length, 2);
    assert.deepEqual(summary, {
      traceId: span(1, 1, '').traceId,
      root: { service: 'gateway.default', name: 'gateway:9080/*' },
      timestamp: BASE + 1_000_001,
      duration: 9000,
      spanCount: 2,
      errors: 1,
      services: ['gateway.default', 'reviews.default'],
    });
  });

  for (const { it, body, error } of [
    { it: 'no list', body: { traceId: TRACE }, error: /expected a JSON list/ },
    { it: 'a span that is no object', body: [1], error: /\[0\]: expected an object, got 1/ },
    {
      it: 'a trace id that is no hex',
      body: [{ traceId: 'xyz', id: '1' }],
      error: /\[0\]\.traceId: expected 1 to 32 hex digits, got "xyz"/,
    },
    {
      it: 'a span without an id',
      body: [span(1, 1, 'a'), { traceId: TRACE }],
      error: /\[1\]\.id: expected 1 to 16 hex digits, got nothing/,
    },
    {
      it: 'a kind that does not exist',
      body: [span(1, 1, 'a', { kind: 'server' })],
      error: /\[0\]\.kind: expected CLIENT/,
    },
    {
      it: 'a negative duration',
      body: [span(1, 1, 'a', { duration: -1 })],
      error: /\[0\]\.duration: expected microseconds, got -1/,
    },
    {
      it: 'an endpoint with a bad port',
      body: [span(1, 1, 'a', { localEndpoint: { port: 70_000 } })],
      error: /localEndpoint\.port/,
    },
    { it: 'too many spans', body: Array.from({ length: 5001 }, (_, i) => span(1, i + 1, 'a')), error: /at most 5000/ },
  ]) {
    test(`refuses ${it}, and says where`, async () => {
      const store = serving();
      const response = await post(body);
      assert.equal(response.statusCode, 400);
      assert.match(response.json().error, error);
      assert.equal(store.size.traces, 0);
    });
  }

  test('refuses a query it cannot read', async () => {
    serving();
    const response = await app.inject({ url: '/lateen/v1/traces?limit=many' });
    assert.equal(response.statusCode, 400);
    assert.match(response.json().error, /limit: expected a whole number, got "many"/);
  });

  test('whatever is posted is taken or refused, never a crash', () => {
    const field = fc.constantFrom(
      'traceId',
      'id',
      'parentId',
      'kind',
      'name',
      'timestamp',
      'duration',
      'localEndpoint',
      'tags',
      'annotations',
    );
    const value = fc.oneof(fc.jsonValue(), fc.constant(TRACE), fc.constant('1'));
    fc.assert(
      fc.property(fc.array(fc.dictionary(field, value)), (spans) => {
        try {
          for (const span of readSpans(spans)) assert.match(span.traceId, /^(?:[0-9a-f]{16}){1,2}$/);
        } catch (error) {
          assert.ok(error instanceof SpanError, String(error));
        }
      }),
    );
  });
});

describe('trace store', () => {
  const readOne = (trace: number, id: number, more: object = {}) => readSpans([span(trace, id, 'reviews', more)])[0]!;

  test('lets the oldest traces go when there are too many, or they are too large', () => {
    const few = new TraceStore({ traces: 3 });
    for (let i = 1; i <= 10; i++) few.add(readOne(i, 1), 100);
    assert.deepEqual(few.size, { traces: 3, bytes: 300, dropped: 0 });
    const small = new TraceStore({ bytes: 1000 });
    for (let i = 1; i <= 10; i++) small.add(readOne(i, 1), 300);
    assert.deepEqual(small.size, { traces: 3, bytes: 900, dropped: 0 });
    assert.equal(small.get(readOne(1, 1).traceId), undefined);
  });

  test('does not let one trace, or one span, take the place of all others', () => {
    const store = new TraceStore({ spansPerTrace: 5, bytes: 10_000 });
    for (let i = 1; i <= 50; i++) store.add(readOne(1, i), 10);
    store.add(readOne(2, 1), 20_000);
    assert.deepEqual(store.size, { traces: 1, bytes: 50, dropped: 46 });
  });
});

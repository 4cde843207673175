import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { get, type HeaderList } from '../core/header-list.ts';
import type { Exchange } from '../live/exchange.ts';
import { ensureRequestId, traceReason } from './request-id.ts';
import { exchange, tracingSettings } from './sample-exchange.ts';
import { startTrace } from './trace-context.ts';

const ID = '2f0e8f8a-1b1c-4d4e-8f9a-0123456789ab';
const T = '463ac35c9f6413ad48485a3953bb6124';
const S = '0020000000000001';

function arrived(headers: HeaderList, direction: 'inbound' | 'outbound' | 'gateway' = 'inbound'): Exchange {
  const x = exchange(direction);
  x.headers = [...headers];
  return x;
}

describe('request id', () => {
  test('is made when there is none: a UUID v4 of an untraced request', () => {
    const x = arrived([]);
    ensureRequestId(x, false);
    assert.match(x.requestId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(get(x.headers, 'x-request-id'), x.requestId);
  });

  for (const { it, id, edge, kept } of [
    { it: 'is kept by a sidecar', id: ID, edge: false, kept: true },
    { it: 'is kept though it is no UUID', id: 'req:42/a', edge: false, kept: true },
    { it: 'from outside the mesh is replaced', id: ID, edge: true, kept: false },
    { it: 'with control characters is replaced', id: 'a\u001b[2J', edge: false, kept: false },
    { it: 'longer than 128 characters is replaced', id: 'a'.repeat(129), edge: false, kept: false },
    { it: 'that is empty is replaced', id: '', edge: false, kept: false },
  ]) {
    test(`one ${it}`, () => {
      const x = arrived(['X-Request-Id', id]);
      ensureRequestId(x, edge);
      assert.equal(x.requestId === id, kept);
      assert.equal(get(x.headers, 'x-request-id'), x.requestId);
    });
  }

  test('that came several times goes on once', () => {
    const x = arrived(['x-request-id', ID, 'X-REQUEST-ID', 'other']);
    ensureRequestId(x, false);
    assert.deepEqual(x.headers, ['x-request-id', ID]);
  });
});

const traced = `${ID.slice(0, 14)}9${ID.slice(15)}`;

describe('sampling', () => {
  for (const { it, headers, direction, percent, dice, sampled, reason } of [
    { it: 'by the dice', headers: ['x-request-id', ID], percent: 10, dice: 0.09, sampled: true, reason: '9' },
    { it: 'not, by the dice', headers: ['x-request-id', ID], percent: 10, dice: 0.1, sampled: false, reason: '4' },
    {
      it: 'as x-b3-sampled says, against the dice',
      headers: ['x-b3-sampled', '0', 'x-request-id', traced],
      percent: 100,
      dice: 0,
      sampled: false,
      reason: '9',
    },
    {
      it: 'as x-b3-sampled says, though nothing is to be sampled',
      headers: ['x-b3-sampled', '1', 'x-request-id', ID],
      percent: 0,
      dice: 0,
      sampled: true,
      reason: '4',
    },
    {
      it: 'as the request id says',
      headers: ['x-request-id', traced],
      percent: 0,
      dice: 0.9,
      sampled: true,
      reason: '9',
    },
    {
      it: 'when the mesh forces it',
      headers: ['x-envoy-force-trace', 'true', 'x-request-id', ID],
      percent: 0,
      dice: 0.9,
      sampled: true,
      reason: 'a',
    },
    {
      it: 'not because somebody outside forces it',
      headers: ['x-envoy-force-trace', 'true', 'x-request-id', ID],
      direction: 'gateway',
      percent: 0,
      dice: 0.9,
      sampled: false,
      reason: '4',
    },
    {
      it: 'when the client wants it',
      headers: ['x-client-trace-id', 'abc', 'x-request-id', ID],
      percent: 0,
      dice: 0.9,
      sampled: true,
      reason: 'b',
    },
    {
      it: 'by the dice when the request id is no UUID, which stays',
      headers: ['x-request-id', 'mine'],
      percent: 100,
      dice: 0.9,
      sampled: true,
      reason: null,
    },
  ] satisfies {
    it: string;
    headers: HeaderList;
    direction?: 'gateway';
    percent: number;
    dice: number;
    sampled: boolean;
    reason: string | null;
  }[]) {
    test(`is decided ${it}`, () => {
      const x = arrived(headers, direction);
      ensureRequestId(x, false);
      startTrace(x, tracingSettings(percent), () => dice);
      assert.equal(x.trace!.sampled, sampled);
      assert.equal(get(x.headers, 'x-b3-sampled'), sampled ? '1' : '0');
      assert.equal(traceReason(x.requestId), reason);
      assert.equal(get(x.headers, 'x-request-id'), x.requestId);
    });
  }
});

describe('trace context', () => {
  test('that came is joined: the same trace, a new span under the one that came', () => {
    const x = arrived(['X-B3-TraceId', T, 'X-B3-SpanId', S, 'X-B3-Sampled', '1']);
    startTrace(x, tracingSettings(0), Math.random);
    assert.equal(x.trace!.traceId, T);
    assert.equal(x.trace!.parentId, S);
    assert.notEqual(x.trace!.spanId, S);
    assert.equal(get(x.headers, 'x-b3-traceid'), T);
    assert.equal(get(x.headers, 'x-b3-spanid'), x.trace!.spanId);
    assert.equal(get(x.headers, 'x-b3-parentspanid'), S);
  });

  test('that is not valid is replaced by a new trace of 128 bits', () => {
    const x = arrived(['x-b3-traceid', 'nonsense', 'x-b3-spanid', S, 'x-b3-parentspanid', S]);
    startTrace(x, tracingSettings(), Math.random);
    assert.match(x.trace!.traceId, /^[0-9a-f]{32}$/);
    assert.equal(x.trace!.parentId, null);
    assert.equal(get(x.headers, 'x-b3-traceid'), x.trace!.traceId);
    assert.equal(get(x.headers, 'x-b3-parentspanid'), undefined);
  });

  test('is never made of zeros alone', () => {
    const x = arrived([]);
    startTrace(x, tracingSettings(), () => 0);
    assert.match(x.trace!.spanId, /[1-9a-f]/);
    assert.match(x.trace!.traceId, /[1-9a-f]/);
  });

  test('makes one tree of one page: gateway, productpage, details, reviews, ratings', () => {
    const spans: { name: string; id: string; parent: string | null; trace: string }[] = [];
    /** One proxy handles a request that carries these headers; returns what goes upstream. */
    const hop = (name: string, direction: 'inbound' | 'outbound' | 'gateway', headers: HeaderList): HeaderList => {
      const x = arrived(headers, direction);
      ensureRequestId(x, direction === 'gateway');
      startTrace(x, tracingSettings(direction === 'gateway' ? 100 : 0), Math.random);
      assert.ok(x.trace!.sampled, name);
      spans.push({ name, id: x.trace!.spanId, parent: x.trace!.parentId, trace: x.trace!.traceId });
      return x.headers;
    };
    /** What BookInfo's services copy from the request they serve to those they make. */
    const copied = (headers: HeaderList): HeaderList =>
      ['x-request-id', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags'].flatMap(
        (name) => {
          const value = get(headers, name);
          return value === undefined ? [] : [name, value];
        },
      );

    const productpage = hop('productpage in', 'inbound', hop('gateway', 'gateway', ['Host', 'localhost:8080']));
    hop('details in', 'inbound', hop('productpage to details', 'outbound', copied(productpage)));
    const reviews = hop('reviews in', 'inbound', hop('productpage to reviews', 'outbound', copied(productpage)));
    hop('ratings in', 'inbound', hop('reviews to ratings', 'outbound', copied(reviews)));

    assert.equal(new Set(spans.map(({ trace }) => trace)).size, 1);
    assert.equal(new Set(spans.map(({ id }) => id)).size, 8);
    const nameOf = (id: string | null): string | null => spans.find((span) => span.id === id)?.name ?? null;
    assert.deepEqual(Object.fromEntries(spans.map(({ name, parent }) => [name, nameOf(parent)])), {
      gateway: null,
      'productpage in': 'gateway',
      'productpage to details': 'productpage in',
      'details in': 'productpage to details',
      'productpage to reviews': 'productpage in',
      'reviews in': 'productpage to reviews',
      'reviews to ratings': 'reviews in',
      'ratings in': 'reviews to ratings',
    });
  });
});

import assert from 'node:assert/strict';
import { ROOT_CONTEXT, defaultTextMapGetter, defaultTextMapSetter, trace } from '@opentelemetry/api';
import { B3InjectEncoding, B3Propagator } from '@opentelemetry/propagator-b3';
import * as fc from 'fast-check';
import { describe, test } from 'vitest';
import type { HeaderList } from '../core/header-list.ts';
import { readB3, writeB3 } from './b3.ts';

const T = '463ac35c9f6413ad48485a3953bb6124';
const T64 = '48485a3953bb6124';
const S = '0020000000000001';
const P = '0010000000000001';

const headers = (of: Record<string, string>): HeaderList => Object.entries(of).flat();
const context = { traceId: T, spanId: S, parentId: null as string | null };
const nothing = { context: null, sampled: null, debug: false };

describe('reading B3', () => {
  for (const { it, given, want } of [
    { it: 'no headers are no context', given: {}, want: nothing },
    {
      it: 'ids without a decision leave it to us',
      given: { 'X-B3-TraceId': T, 'X-B3-SpanId': S },
      want: { context, sampled: null, debug: false },
    },
    {
      it: 'all headers together are a context with its decision',
      given: { 'x-b3-traceid': T, 'x-b3-spanid': S, 'x-b3-parentspanid': P, 'x-b3-sampled': '1' },
      want: { context: { ...context, parentId: P }, sampled: true, debug: false },
    },
    {
      it: 'a trace id may have 64 bits',
      given: { 'x-b3-traceid': T64, 'x-b3-spanid': S },
      want: { context: { ...context, traceId: T64 }, sampled: null, debug: false },
    },
    {
      it: 'hex digits are taken in either case',
      given: { 'x-b3-traceid': T.toUpperCase(), 'x-b3-spanid': S },
      want: { context, sampled: null, debug: false },
    },
    { it: 'a decision may come alone', given: { 'x-b3-sampled': '0' }, want: { ...nothing, sampled: false } },
    { it: 'early B3 said true', given: { 'x-b3-sampled': 'true' }, want: { ...nothing, sampled: true } },
    {
      it: 'the debug flag samples',
      given: { 'x-b3-flags': '1', 'x-b3-traceid': T, 'x-b3-spanid': S },
      want: { context, sampled: true, debug: true },
    },
    {
      it: 'other flags mean nothing',
      given: { 'x-b3-flags': '0', 'x-b3-sampled': '0' },
      want: { ...nothing, sampled: false },
    },
    { it: 'a trace id of 17 digits is nothing', given: { 'x-b3-traceid': `${T64}0`, 'x-b3-spanid': S }, want: nothing },
    {
      it: 'a trace id of zeros is nothing',
      given: { 'x-b3-traceid': '0'.repeat(32), 'x-b3-spanid': S },
      want: nothing,
    },
    { it: 'a span id of zeros is nothing', given: { 'x-b3-traceid': T, 'x-b3-spanid': '0'.repeat(16) }, want: nothing },
    {
      it: 'a span id that is no hex is nothing',
      given: { 'x-b3-traceid': T, 'x-b3-spanid': 'zzzzzzzzzzzzzzzz' },
      want: nothing,
    },
    { it: 'a trace id without a span id is nothing', given: { 'x-b3-traceid': T, 'x-b3-sampled': '1' }, want: nothing },
    {
      it: 'a bad parent spoils all',
      given: { 'x-b3-traceid': T, 'x-b3-spanid': S, 'x-b3-parentspanid': 'x' },
      want: nothing,
    },
    {
      it: 'a bad decision spoils all',
      given: { 'x-b3-traceid': T, 'x-b3-spanid': S, 'x-b3-sampled': '2' },
      want: nothing,
    },
    {
      it: 'two values in one header are nothing',
      given: { 'x-b3-traceid': `${T},${T}`, 'x-b3-spanid': S },
      want: nothing,
    },
    { it: 'single: ids alone', given: { b3: `${T}-${S}` }, want: { context, sampled: null, debug: false } },
    { it: 'single: sampled', given: { b3: `${T}-${S}-1` }, want: { context, sampled: true, debug: false } },
    {
      it: 'single: debug with a parent',
      given: { b3: `${T64}-${S}-d-${P}` },
      want: { context: { traceId: T64, spanId: S, parentId: P }, sampled: true, debug: true },
    },
    { it: 'single: a decision alone', given: { b3: '0' }, want: { ...nothing, sampled: false } },
    {
      it: 'single wins over the others',
      given: { b3: `${T}-${S}-0`, 'x-b3-traceid': T64, 'x-b3-spanid': P, 'x-b3-sampled': '1' },
      want: { context, sampled: false, debug: false },
    },
    { it: 'single: a state that does not exist is nothing', given: { b3: `${T}-${S}-x` }, want: nothing },
    { it: 'single: too many parts are nothing', given: { b3: `${T}-${S}-1-${P}-1` }, want: nothing },
    {
      it: 'single: what is bad does not fall back to the others',
      given: { b3: '-', 'x-b3-traceid': T, 'x-b3-spanid': S },
      want: nothing,
    },
  ] satisfies { it: string; given: Record<string, string>; want: ReturnType<typeof readB3> }[]) {
    test(it, () => assert.deepEqual(readB3(headers(given)), want));
  }

  test('never throws, and never gives an id that is not one', () => {
    const name = fc.constantFrom(
      'b3',
      'x-b3-traceid',
      'x-b3-spanid',
      'x-b3-parentspanid',
      'x-b3-sampled',
      'x-b3-flags',
    );
    const value = fc.oneof(
      fc.string(),
      fc.constantFrom(T, T64, S, '1', `${T}-${S}`, `${T}-${S}-1-${P}`, '0'.repeat(16)),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), (pairs) => {
        const { context } = readB3(pairs.flat());
        if (context === null) return;
        assert.match(context.traceId, /^(?:[0-9a-f]{16}){1,2}$/);
        assert.match(context.spanId, /^[0-9a-f]{16}$/);
      }),
    );
  });
});

describe("OpenTelemetry's B3 propagator", () => {
  const multi = new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER });
  const single = new B3Propagator({ injectEncoding: B3InjectEncoding.SINGLE_HEADER });
  const id = (digits: number): fc.Arbitrary<string> =>
    fc.bigInt(1n, (1n << BigInt(digits * 4)) - 1n).map((n) => n.toString(16).padStart(digits, '0'));

  test('writes what we read', () => {
    fc.assert(
      fc.property(
        id(32),
        id(16),
        fc.boolean(),
        fc.constantFrom(multi, single),
        (traceId, spanId, sampled, propagator) => {
          const carrier: Record<string, string> = {};
          const context = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: sampled ? 1 : 0 });
          propagator.inject(context, carrier, defaultTextMapSetter);
          assert.deepEqual(readB3(headers(carrier)), {
            context: { traceId, spanId, parentId: null },
            sampled,
            debug: false,
          });
        },
      ),
    );
  });

  test('reads what we write, in both forms', () => {
    fc.assert(
      fc.property(
        id(32),
        id(16),
        fc.option(id(16)),
        fc.boolean(),
        fc.boolean(),
        (traceId, spanId, parentId, sampled, debug) => {
          const list: HeaderList = ['B3', 'old', 'X-B3-ParentSpanId', 'old', 'x-b3-flags', 'old'];
          writeB3(list, { traceId, spanId, parentId, sampled: sampled || debug }, debug);
          const carrier: Record<string, string> = {};
          for (let i = 0; i < list.length; i += 2) carrier[list[i]!.toLowerCase()] = list[i + 1]!;
          const want = { traceId, spanId, traceFlags: sampled || debug ? 1 : 0, isRemote: true };
          assert.deepEqual(trace.getSpanContext(single.extract(ROOT_CONTEXT, carrier, defaultTextMapGetter)), want);
          const { b3: _, ...others } = carrier;
          assert.deepEqual(trace.getSpanContext(multi.extract(ROOT_CONTEXT, others, defaultTextMapGetter)), want);
          assert.equal(carrier['x-b3-parentspanid'] ?? null, parentId);
        },
      ),
    );
  });
});

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, test } from 'vitest';
import { get, getAll, type HeaderList } from '../core/header-list.ts';
import type { Exchange } from '../live/exchange.ts';
import type { TracingSettings } from '../snapshot/telemetry.ts';
import { exchange, tracingSettings } from './sample-exchange.ts';
import { startTrace, type Propagation } from './trace-context.ts';
import { readTraceparent } from './w3c.ts';

const T = '463ac35c9f6413ad48485a3953bb6124';
const S = '0020000000000001';
const OTHER = '80f198ee56343ba864fe8b2a57d3eff7';
const PARENT = `00-${T}-${S}-01`;

describe('traceparent', () => {
  const parent = { traceId: T, spanId: S, sampled: true, random: false };
  for (const { it, value, want } of [
    { it: 'sampled', value: PARENT, want: parent },
    { it: 'not sampled', value: `00-${T}-${S}-00`, want: { ...parent, sampled: false } },
    { it: 'of level 2, with a random id', value: `00-${T}-${S}-03`, want: { ...parent, random: true } },
    { it: 'of a later version', value: `01-${T}-${S}-01`, want: parent },
    { it: 'of a later version that says more', value: `cc-${T}-${S}-01-what`, want: parent },
    { it: 'of a later version with more that is not set apart', value: `cc-${T}-${S}-01what`, want: null },
    { it: 'of version 0 that says more', value: `${PARENT}-what`, want: null },
    { it: 'of version ff', value: `ff-${T}-${S}-01`, want: null },
    { it: 'in capitals', value: PARENT.toUpperCase(), want: null },
    { it: 'with a trace id of zeros', value: `00-${'0'.repeat(32)}-${S}-01`, want: null },
    { it: 'with a span id of zeros', value: `00-${T}-${'0'.repeat(16)}-01`, want: null },
    { it: 'that is too short', value: PARENT.slice(1), want: null },
    { it: 'with other separators', value: PARENT.replaceAll('-', '_'), want: null },
    { it: 'that is empty', value: '', want: null },
  ]) {
    test(`${it}: ${want === null ? 'says nothing' : 'is read'}`, () => assert.deepEqual(readTraceparent(value), want));
  }

  test('is read as the grammar of the specification has it, whatever comes', () => {
    const grammar = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/s;
    const near = fc
      .tuple(
        fc.constantFrom('00', '01', 'ff', '0g'),
        fc.constantFrom(T, OTHER, '0'.repeat(32)),
        fc.constantFrom(S, '0'.repeat(16), 'x'),
        fc.constantFrom('00', '01', '02', '0'),
        fc.constantFrom('', '-', '-a', 'a'),
      )
      .map(([version, id, span, flags, rest]) => `${version}-${id}-${span}-${flags}${rest}`);
    fc.assert(
      fc.property(fc.oneof(near, fc.string({ maxLength: 60 })), (value) => {
        const found = grammar.exec(value);
        const valid = found !== null && (found[1] !== '00' || found[5] === undefined);
        const read = readTraceparent(value);
        assert.deepEqual(read && [read.traceId, read.spanId], valid ? [found[2], found[3]] : null);
      }),
    );
  });
});

function started(headers: HeaderList, mode: Propagation, over: Partial<TracingSettings> = {}, percent = 0): Exchange {
  const x = exchange('inbound');
  x.headers = [...headers];
  startTrace(x, tracingSettings(percent, over), Math.random, mode);
  return x;
}

const B3 = ['x-b3-traceid', OTHER, 'x-b3-spanid', S, 'x-b3-sampled', '1'];
const sent = (x: Exchange, name: string): string | undefined => get(x.headers, name);
const ours = (x: Exchange, flags = '01'): string => `00-${x.trace!.traceId}-${x.trace!.spanId}-${flags}`;

describe('beside B3, where nobody has asked for W3C', () => {
  test('traceparent is joined when no B3 came, with its decision; both go on with our span', () => {
    const x = started(['TraceParent', PARENT, 'tracestate', 'a=b', 'baggage', 'x=1'], 'b3');
    assert.deepEqual([x.trace!.traceId, x.trace!.parentId, x.trace!.sampled], [T, S, true]);
    assert.equal(sent(x, 'traceparent'), ours(x));
    assert.equal(sent(x, 'x-b3-spanid'), x.trace!.spanId);
    assert.deepEqual([sent(x, 'tracestate'), sent(x, 'baggage')], ['a=b', 'x=1']);
    assert.deepEqual(getAll(x.headers, 'traceparent').length, 1);
  });

  test('a decision against it is one', () => {
    const x = started(['traceparent', `00-${T}-${S}-00`], 'b3', {}, 100);
    assert.equal(x.trace!.sampled, false);
    assert.equal(sent(x, 'x-b3-sampled'), '0');
    assert.equal(sent(x, 'traceparent'), ours(x, '00'));
  });

  test('none is written that did not come', () => {
    assert.equal(sent(started(B3, 'b3'), 'traceparent'), undefined);
  });

  for (const [it, parent] of [
    ['of another trace', PARENT],
    ['that is not valid', '00-zz'],
  ] as const) {
    test(`one ${it} goes on as it came, and B3 counts`, () => {
      const x = started([...B3, 'traceparent', parent, 'tracestate', 'a=b'], 'b3');
      assert.equal(x.trace!.traceId, OTHER);
      assert.deepEqual([sent(x, 'traceparent'), sent(x, 'tracestate')], [parent, 'a=b']);
    });
  }

  test('one of the same trace goes on with our span, also when B3 has it in 64 bits', () => {
    const wide = `${'0'.repeat(16)}${T.slice(16)}`;
    const x = started(
      ['x-b3-traceid', T.slice(16), 'x-b3-spanid', S, 'traceparent', `00-${wide}-${S}-03`],
      'b3',
      {},
      100,
    );
    assert.equal(x.trace!.traceId, T.slice(16));
    assert.equal(sent(x, 'traceparent'), `00-${wide}-${x.trace!.spanId}-03`);
  });

  test('two of them say nothing', () => {
    const x = started(['traceparent', PARENT, 'traceparent', PARENT], 'b3');
    assert.notEqual(x.trace!.traceId, T);
  });
});

describe('with b3+w3c', () => {
  test('both are written, and B3 counts when both came', () => {
    const x = started([...B3, 'traceparent', PARENT, 'tracestate', 'a=b'], 'b3+w3c');
    assert.deepEqual([x.trace!.traceId, sent(x, 'x-b3-traceid')], [OTHER, OTHER]);
    assert.equal(sent(x, 'traceparent'), ours(x));
    assert.equal(sent(x, 'tracestate'), undefined, 'it belongs to a trace that was not joined');
    assert.equal(sent(started([], 'b3+w3c', {}, 100), 'traceparent')!.length, 55);
  });

  test('what is not valid is replaced, and so is what came twice', () => {
    const x = started(['traceparent', '00-zz', 'Traceparent', PARENT, 'tracestate', 'a=b'], 'b3+w3c');
    assert.deepEqual(getAll(x.headers, 'traceparent'), [ours(x, '00')]);
    assert.equal(sent(x, 'tracestate'), undefined);
  });

  test('a tracestate is cut between entries when it is too long', () => {
    const entries = Array.from({ length: 40 }, (_, i) => `k${i}=${'v'.repeat(200)}`);
    const x = started(['traceparent', PARENT, ...entries.flatMap((entry) => ['tracestate', entry])], 'b3+w3c');
    const state = getAll(x.headers, 'tracestate');
    assert.equal(state.length, 1);
    assert.ok(state[0]!.length <= 4096);
    assert.deepEqual(state[0]!.split(','), entries.slice(0, state[0]!.split(',').length));
    const one = started(['traceparent', PARENT, 'tracestate', `k=${'v'.repeat(5000)}`], 'b3+w3c');
    assert.equal(sent(one, 'tracestate'), undefined);
  });
});

test('with w3c, B3 is neither read nor written', () => {
  const x = started([...B3, 'traceparent', PARENT], 'w3c');
  assert.equal(x.trace!.traceId, T);
  assert.deepEqual(x.headers, [...B3, 'traceparent', ours(x)]);
});

describe('as Telemetry says', () => {
  test('context is not propagated: a span of the trace that came, headers as they came', () => {
    const x = started([...B3, 'traceparent', PARENT], 'b3+w3c', { propagated: false });
    assert.deepEqual([x.trace!.traceId, x.trace!.parentId, x.trace!.sampled], [OTHER, S, true]);
    assert.deepEqual(x.headers, [...B3, 'traceparent', PARENT]);
    assert.deepEqual(started([], 'b3', { propagated: false }).headers, []);
  });

  test('spans are not reported: headers as they came, so that the next span has a parent that is there', () => {
    const x = started(B3, 'b3', { reported: false }, 100);
    assert.deepEqual(x.headers, B3);
    assert.deepEqual(x.trace, { traceId: OTHER, spanId: S, parentId: null, sampled: false });
    assert.equal(started([], 'b3', { reported: false }, 100).trace, null);
  });

  test('x-request-id has no say: whatever nobody has decided against is traced, as in Envoy', () => {
    assert.equal(started([], 'b3', { byRequestId: false }).trace!.sampled, true);
    assert.equal(started(['x-b3-sampled', '0'], 'b3', { byRequestId: false }).trace!.sampled, false);
  });
});

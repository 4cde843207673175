import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { ms } from '../core/brand.ts';
import type { Exchange } from '../live/exchange.ts';
import type { TracingSettings } from '../snapshot/telemetry.ts';
import { exchange, proxyNode, tracingSettings, workload } from './sample-exchange.ts';
import { createSpanRecorder, type SpanBatch, type SpanFormat, type SpanRecorder } from './spans.ts';

const node = proxyNode(workload('reviews', 'v3', '127.1.0.3'));
const T = '463ac35c9f6413ad48485a3953bb6124';

type Recorded = { readonly recorder: SpanRecorder; readonly batches: SpanBatch[] };

function recording(over: Partial<TracingSettings> = {}, formats: SpanFormat[] = ['zipkin']): Recorded {
  const batches: SpanBatch[] = [];
  const recorder = createSpanRecorder(node, formats, (batch) => batches.push(batch));
  recorder.use({ client: tracingSettings(100, over), server: tracingSettings(100, over) });
  return { recorder, batches };
}

function ended(sampled: boolean, over: Partial<Exchange> = {}): Exchange {
  const x = Object.assign(exchange('outbound'), over);
  x.trace = { traceId: T, spanId: '0020000000000001', parentId: null, sampled };
  return x;
}

const spansOf = (
  { recorder, batches }: Recorded,
  format: SpanFormat = 'zipkin',
): { tags: Record<string, string> }[] => {
  recorder.flush();
  return batches.flatMap(
    ({ spans }) => JSON.parse(`[${Buffer.from(spans[format]!).toString()}]`) as { tags: Record<string, string> }[],
  );
};

describe('span recorder', () => {
  test('hands on sampled requests only, in one batch', () => {
    const all = recording();
    for (const sampled of [true, false, true]) all.recorder.record(ended(sampled));
    all.recorder.record(exchange('outbound'));
    assert.equal(all.batches.length, 0);
    all.recorder.flush();
    all.recorder.flush();
    assert.deepEqual(
      all.batches.map(({ count }) => count),
      [2],
    );
    assert.equal(spansOf(all).length, 2);
  });

  test('does not hold more than a batch', () => {
    const { recorder, batches } = recording();
    const handedOn = (): number => batches.reduce((sum, { count }) => sum + count, 0);
    for (let i = 0; i < 200; i++) recorder.record(ended(true));
    assert.equal(handedOn(), 192);
    recorder.flush();
    assert.equal(handedOn(), 200);
  });

  test('makes each format that is exported, and no other', () => {
    for (const formats of [['zipkin'], ['otlp'], ['zipkin', 'otlp']] satisfies SpanFormat[][]) {
      const { recorder, batches } = recording({}, formats);
      recorder.record(ended(true));
      recorder.flush();
      const { zipkin, otlp } = batches[0]!.spans;
      assert.deepEqual([zipkin !== null, otlp !== null], [formats.includes('zipkin'), formats.includes('otlp')]);
    }
  });

  test('makes none where nobody exports, where reporting is off, and before there are settings', () => {
    for (const { recorder, batches } of [recording({}, []), recording({ reported: false, keepErrors: true })]) {
      recorder.record(ended(true, { status: 503 }));
      recorder.flush();
      assert.deepEqual(batches, []);
    }
    createSpanRecorder(node, ['zipkin'], () => assert.fail()).record(ended(true));
  });

  test('does as each side says', () => {
    const batches: SpanBatch[] = [];
    const recorder = createSpanRecorder(node, ['zipkin'], (batch) => batches.push(batch));
    recorder.use({ client: tracingSettings(), server: tracingSettings(100, { reported: false }) });
    const inbound = exchange('inbound');
    inbound.trace = ended(true).trace;
    for (const x of [inbound, ended(true)]) recorder.record(x);
    assert.equal(spansOf({ recorder, batches }).length, 1);
  });
});

describe('the tail rule keeps of requests that were not sampled', () => {
  const rules = { keepErrors: true, keepSlowerThan: ms(500) };
  for (const { it, over, settings, kept } of [
    { it: 'a 5xx', over: { status: 503 }, settings: rules, kept: 'error' },
    { it: 'one without an answer', over: { status: 0 }, settings: rules, kept: 'error' },
    { it: 'a gRPC call that the server failed', over: { grpc: true, grpcStatus: 14 }, settings: rules, kept: 'error' },
    { it: 'a slow one', over: { endMs: 1501 }, settings: rules, kept: 'slow' },
    { it: 'a slow error, as an error', over: { status: 500, endMs: 1501 }, settings: rules, kept: 'error' },
    {
      it: 'a slow error, as slow where errors are not kept',
      over: { status: 500, endMs: 1501 },
      settings: { ...rules, keepErrors: false },
      kept: 'slow',
    },
    { it: 'not one that took just as long', over: { endMs: 1500 }, settings: rules, kept: null },
    { it: 'not a 404', over: { status: 404 }, settings: rules, kept: null },
    { it: 'no gRPC call that the client got wrong', over: { grpc: true, grpcStatus: 3 }, settings: rules, kept: null },
    { it: 'nothing where nobody asked', over: { status: 503, endMs: 9000 }, settings: {}, kept: null },
  ]) {
    test(it, () => {
      const all = recording(settings);
      all.recorder.record(ended(false, over));
      assert.deepEqual(
        spansOf(all).map(({ tags }) => tags['lateen.kept']),
        kept === null ? [] : [kept],
      );
    });
  }

  test('and does not mark those that were', () => {
    const all = recording(rules);
    all.recorder.record(ended(true, { status: 503 }));
    assert.deepEqual(
      spansOf(all).map(({ tags }) => [tags['error'], tags['lateen.kept']]),
      [['true', undefined]],
    );
  });
});

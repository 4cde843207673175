import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { SeriesWriter } from '../core/registry.ts';
import { SeriesReader } from '../core/series-reader.ts';
import type { Exchange } from '../live/exchange.ts';
import type { MetricOverride, TelemetrySettings } from '../snapshot/telemetry.ts';
import { parseExposition, type ParsedSample } from './exposition-parser.ts';
import { createIstioMetrics } from './istio-metrics.ts';
import { MetricOverrides } from './metric-overrides.ts';
import { createExposition } from './prometheus.ts';
import { exchange, liveCluster, liveEndpoint, proxyNode, workload } from './sample-exchange.ts';

const reviews = workload('reviews', 'v3', '127.1.0.3');
const ratings = workload('ratings', 'v1', '127.1.0.4');

/** Series hang on what is alive: each test has its own. */
const alive = () => ({
  to: liveCluster('outbound|9080||ratings.default.svc.cluster.local', 'ratings'),
  ratings: liveEndpoint(ratings),
  here: liveCluster('inbound|9080||', 'reviews', 'inbound'),
});
let live = alive();

function setUp(limit = 2500) {
  live = alive();
  const reader = new SeriesReader();
  const writer = new SeriesWriter((a) => reader.accept(1, structuredClone(a)), { limit });
  const node = proxyNode(reviews);
  const overrides = new MetricOverrides(writer, node);
  const record = createIstioMetrics(writer, node, () => null, overrides);
  const exposition = createExposition(reader, '1', false);
  const samples = (name: string): readonly ParsedSample[] =>
    parseExposition([...exposition.mesh()].join('')).get(name)?.samples ?? [];
  return { overrides, record, samples };
}

const both = (metrics: TelemetrySettings['metrics']['client']): TelemetrySettings['metrics'] => ({
  client: metrics,
  server: metrics,
});
const tags = (of: MetricOverride['tags']): MetricOverride => ({ disabled: false, tags: of });

function outbound(tag?: string): Exchange {
  const x = exchange('outbound', reviews);
  x.cluster = live.to;
  x.endpoint = live.ratings;
  if (tag !== undefined) x.headers.push('x-tag', tag);
  return x;
}
function inbound(): Exchange {
  const x = exchange('inbound', ratings);
  x.cluster = live.here;
  return x;
}

const TAG = { kind: 'entry', of: 'request.headers', key: 'x-tag' } as const;

describe('overrides of metrics', () => {
  test('act on one side alone', () => {
    const { overrides, record, samples } = setUp();
    overrides.apply({ client: { REQUEST_COUNT: { disabled: true, tags: {} } }, server: {} });
    record(outbound());
    record(inbound());
    assert.deepEqual(
      samples('istio_requests_total').map(({ labels }) => labels['reporter']),
      ['destination'],
    );
    assert.equal(samples('istio_request_bytes').filter(({ name }) => name.endsWith('_count')).length, 2);
  });

  test('what both sides label alike is one series', () => {
    const all = Object.keys(fullLabels());
    const { overrides, record, samples } = setUp();
    const none = Object.fromEntries(
      ['reporter', 'connection_security_policy', 'grpc_response_status'].map((label) => [label, null]),
    );
    const same = Object.fromEntries(all.map((label) => [label, { kind: 'value', value: 'x' } as const]));
    overrides.apply(both({ REQUEST_COUNT: tags({ ...same, ...none }) }));
    record(outbound());
    record(inbound());
    assert.deepEqual(
      samples('istio_requests_total').map(({ value }) => value),
      [2],
    );
    overrides.apply({ client: { REQUEST_COUNT: tags({ ...same, ...none }) }, server: {} });
    record(outbound());
    record(inbound());
    assert.deepEqual(
      samples('istio_requests_total').map(({ value }) => value),
      [3, 1],
    );
  });

  test('the same settings again change nothing', () => {
    const { overrides, record, samples } = setUp();
    const settings = both({ REQUEST_COUNT: tags({ tag: TAG }) });
    overrides.apply(settings);
    record(outbound('a'));
    const { generation } = overrides;
    overrides.apply(structuredClone(settings));
    assert.equal(overrides.generation, generation);
    record(outbound('a'));
    assert.equal(samples('istio_requests_total')[0]!.value, 2);
  });

  test('names that Prometheus cannot read are made readable, and a histogram keeps its le', () => {
    const { overrides, record, samples } = setUp();
    const one = { kind: 'value', value: 1 } as const;
    overrides.apply(both({ REQUEST_DURATION: tags({ 'a-b': one, '9': one, le: one, é: one, reporter: one }) }));
    record(outbound());
    const [bucket] = samples('istio_request_duration_milliseconds');
    assert.equal(bucket!.labels['le'], '0.5');
    const added = ['a_b', '_9', 'exported_le', '_', 'reporter'].map((label) => bucket!.labels[label]);
    assert.deepEqual(added, ['1', '1', '1', '1', '1']);
  });

  test('values that callers choose cannot break a scrape, nor take more series than there may be', () => {
    const { overrides, record, samples } = setUp(50);
    overrides.apply(both({ REQUEST_COUNT: tags({ tag: TAG }) }));
    const awkward = ['a"b\\', 'line\nfeed\r', '\u0000', '\xff\xfe', '\ud800', 'x'.repeat(65_536), 'caf\xc3\xa9'];
    for (const value of awkward) record(outbound(value));
    const seen = samples('istio_requests_total').map(({ labels }) => labels['tag']!);
    assert.equal(seen.length, awkward.length);
    assert.ok(seen.includes('café') && seen.includes('ÿþ') && seen.every((value) => value.length <= 256));
    for (let i = 0; i < 2000; i++) record(outbound(`${i}`));
    const all = samples('istio_requests_total');
    assert.equal(all.length, 51);
    const other = all.find(({ labels }) => labels['tag'] === 'other')!;
    assert.equal(other.labels['reporter'], 'source');
    assert.equal(
      all.reduce((sum, { value }) => sum + value, 0),
      2000 + awkward.length,
    );
  });
});

function fullLabels(): Readonly<Record<string, string>> {
  const { record, samples } = setUp();
  record(outbound());
  return samples('istio_requests_total')[0]!.labels;
}

import { describe, expect, test } from 'vitest';
import { SeriesWriter } from '../core/registry.ts';
import { SeriesReader } from '../core/series-reader.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Expression } from '../core/expression.ts';
import type { CustomMetric } from '../snapshot/telemetry.ts';
import { createCustomMetrics, type CustomMetrics } from './custom-metrics.ts';
import { seriesPages } from './exposition-writer.ts';
import { exchange, proxyNode, workload } from './sample-exchange.ts';

const REVIEWS = proxyNode(workload('reviews', 'v1', '10.0.0.3'));
const PRODUCTPAGE = workload('productpage', 'v1', '10.0.0.1');

const value = (of: string | number): Expression => ({ kind: 'value', value: of });
const attribute = (name: string): Expression => ({ kind: 'attribute', name });
const header = (key: string): Expression => ({ kind: 'entry', of: 'request.headers', key });

const metric = (over: Partial<CustomMetric> = {}): CustomMetric => ({
  name: 'm',
  help: 'M.',
  kind: 'counter',
  where: 'hop',
  protocol: 'http',
  when: null,
  value: value(1),
  labels: [],
  buckets: null,
  source: { kind: 'CustomTelemetry', namespace: 'default', name: 't', path: 'spec.metrics[0]' },
  ...over,
});

function counting(limit?: number): {
  readonly custom: CustomMetrics;
  readonly reader: SeriesReader;
  readonly text: () => string;
} {
  const reader = new SeriesReader();
  const writer = new SeriesWriter((a) => reader.accept(1, a), limit === undefined ? {} : { limit });
  const text = (): string =>
    [...seriesPages(reader, 'text')]
      .join('')
      .replaceAll(/^#.*\n/gm, '')
      .trim();
  return { custom: createCustomMetrics(writer, REVIEWS), reader, text };
}

const inbound = (headers: readonly string[] = [], peer: typeof PRODUCTPAGE | null = PRODUCTPAGE): Exchange => {
  const x = exchange('inbound', peer);
  x.headers = [...x.headers, ...headers];
  return x;
};

describe('metrics that the configuration defines', () => {
  test('a counter sums what the expression says, by labels in their order', () => {
    const { custom, text } = counting();
    const labels = [
      ['code', attribute('response.code')],
      ['who', attribute('caller.app')],
      ['note', value('twice the fun!')],
    ] as const;
    custom.set([metric({ value: value(2), labels })]);
    custom.record(inbound());
    custom.record(inbound());
    custom.record(inbound([], null));
    expect(text()).toBe(
      'm{code="200",who="productpage",note="twice the fun!"} 4\nm{code="200",who="unknown",note="twice the fun!"} 2',
    );
  });

  test.each([
    ['hop', { inbound: 1, outbound: 0, gateway: 1 }],
    ['server', { inbound: 1, outbound: 0, gateway: 0 }],
    ['client', { inbound: 0, outbound: 1, gateway: 1 }],
    ['both', { inbound: 1, outbound: 1, gateway: 1 }],
  ] as const)('%s: counted where it should be', (where, expected) => {
    const { custom, text } = counting();
    custom.set([metric({ where, labels: [['at', attribute('context.direction')]] })]);
    for (const direction of ['inbound', 'outbound', 'gateway'] as const) custom.record(exchange(direction));
    const counted = Object.keys(expected).map((at) => [at, text().includes(`m{at="${at}"} 1`) ? 1 : 0]);
    expect(Object.fromEntries(counted)).toEqual(expected);
  });

  test('requests and connections are counted by the metrics that are for them', () => {
    const { custom, text } = counting();
    custom.set(
      (['http', 'tcp', 'both'] as const).map((protocol) =>
        metric({ name: protocol, protocol, source: metric().source }),
      ),
    );
    custom.record(inbound());
    custom.recordTcp(inbound());
    expect(text()).toBe('http 1\nboth 2\ntcp 1');
  });

  test('only what the condition holds for; nothing without a number; a counter never goes back', () => {
    const { custom, text } = counting();
    const number: Expression = { kind: 'call', op: 'number', args: [header('n')] };
    const when: Expression = { kind: 'call', op: 'eq', args: [header('want'), value('yes')] };
    custom.set([metric({ when, value: number })]);
    for (const n of ['5', 'x', '', '-3', '1e400']) custom.record(inbound(['n', n, 'want', 'yes']));
    custom.record(inbound(['n', '7', 'want', 'no']));
    custom.record(inbound(['n', '7']));
    expect(text()).toBe('m 5');
  });

  test('a histogram has the buckets it is given, a gauge the last value of any worker', () => {
    const { custom, reader, text } = counting();
    const other = new SeriesWriter((a) => reader.accept(2, a));
    const elsewhere = createCustomMetrics(other, REVIEWS);
    const definitions = [
      metric({ name: 'h', kind: 'histogram', value: attribute('response.size'), buckets: [100, 400] }),
      metric({ name: 'g', kind: 'gauge', value: attribute('response.size') }),
    ];
    const at = (endMs: number, size: number): Exchange => {
      const x = inbound();
      x.endMs = endMs;
      x.bytesSent = size;
      return x;
    };
    for (const each of [custom, elsewhere]) each.set(definitions);
    custom.record(at(2000, 50));
    elsewhere.record(at(3000, 300));
    custom.record(at(2500, 9));
    expect(text()).toContain('h_bucket{le="100"} 2\nh_bucket{le="400"} 3\nh_bucket{le="+Inf"} 3\nh_sum 359\nh_count 3');
    expect(text()).toMatch(/^g 300$/m);
    // A worker that is gone leaves its last word, until another has one.
    reader.retire(2);
    expect(text()).toMatch(/^g 300$/m);
    custom.record(at(4000, 1));
    expect(text()).toMatch(/^g 1$/m);
  });

  test('what stays as it was goes on, what is gone is gone, what comes back begins anew', () => {
    const { custom, text } = counting();
    custom.set([metric(), metric({ name: 'n' })]);
    custom.record(inbound());
    custom.set([metric()]);
    custom.record(inbound());
    expect(text()).toBe('m 2');
    custom.set([metric({ labels: [['path', attribute('request.path')]] })]);
    expect(text()).toBe('');
    custom.record(inbound());
    expect(text()).toBe('m{path="/reviews/0"} 1');
    custom.set([]);
    expect(text()).toBe('');
    custom.record(inbound());
    custom.set([metric()]);
    custom.record(inbound());
    expect(text()).toBe('m 1');
  });

  test('label sets that callers make up are bounded', () => {
    const { custom, text } = counting(50);
    custom.set([metric({ labels: [['user', header('x-user')]] })]);
    for (let i = 0; i < 5000; i++) custom.record(inbound(['x-user', `u${i}`]));
    const lines = text().split('\n');
    expect(lines.filter((line) => line.startsWith('m{'))).toHaveLength(51);
    expect(lines).toContain('m{user="other"} 4950');
    expect(lines.some((line) => line.startsWith('lateen_metric_overflow_total{metric="m"}'))).toBe(true);
  });

  test('hostile values break no line', () => {
    const { custom, text } = counting();
    custom.set([metric({ labels: [['user', header('x-user')]] })]);
    custom.record(inbound(['x-user', 'a"} 1\nevil{x="\\']));
    custom.record(inbound(['x-user', 'é'.repeat(65_536)]));
    const lines = text().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toBe('m{user="a\\"} 1\\nevil{x=\\"\\\\"} 1');
    expect(lines[1]!.length).toBeLessThan(400);
  });
});

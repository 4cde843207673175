/** The whole way of a number: recorded in a worker, announced through a message port, summed and scraped on the main thread. */
import assert from 'node:assert/strict';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { describe, test } from 'vitest';
import { SeriesWriter, type Announcement } from '../core/registry.ts';
import { SeriesReader } from '../core/series-reader.ts';
import { countDroppedLines } from './access-log.ts';
import { parseExposition, type ParsedSample } from './exposition-parser.ts';
import { createIstioMetrics } from './istio-metrics.ts';
import { createExposition, wholeText } from './prometheus.ts';
import { exchange, liveCluster, liveEndpoint, proxyNode, workload } from './sample-exchange.ts';
import { createSpanExporter } from './span-exporter.ts';
import { exposeSpanStats } from './span-stats.ts';

const reviews = workload('reviews', 'v3', '127.1.0.3');

function joined(limit = 1000) {
  const { port1, port2 } = new MessageChannel();
  const reader = new SeriesReader();
  const exposition = createExposition(reader, '1.0.0', false);
  const writer = new SeriesWriter((announcement) => port1.postMessage(announcement), { limit });
  const samples = (name: string): ParsedSample[] => {
    for (let got = receiveMessageOnPort(port2); got !== undefined; got = receiveMessageOnPort(port2)) {
      reader.accept(1, got.message as Announcement);
    }
    return parseExposition([...exposition.mesh()].join('')).get(name)?.samples ?? [];
  };
  return {
    writer,
    record: createIstioMetrics(writer, proxyNode(reviews)),
    samples,
    exposition,
    [Symbol.dispose]: () => port1.close(),
  };
}

describe('from a worker to the scrape', () => {
  test('requests are there with all labels, histograms with all buckets', () => {
    using mesh = joined();
    const x = exchange('outbound', reviews);
    x.cluster = liveCluster('outbound|9080||ratings.default.svc.cluster.local', 'ratings');
    x.endpoint = liveEndpoint(workload('ratings', 'v1', '127.1.0.4'));
    mesh.record(x);
    mesh.record(x);
    const [requests] = mesh.samples('istio_requests_total');
    assert.equal(requests!.value, 2);
    assert.equal(Object.keys(requests!.labels).length, 25);
    assert.equal(requests!.labels['destination_service'], 'ratings.default.svc.cluster.local');
    const buckets = mesh.samples('istio_request_duration_milliseconds').filter(({ name }) => name.endsWith('_bucket'));
    assert.deepEqual(buckets.map(({ labels }) => labels['le']).slice(0, 3), ['0.5', '1', '5']);
    assert.equal(buckets.length, 20);
    assert.equal(buckets.at(-1)!.labels['le'], '+Inf');
    assert.equal(buckets.at(-1)!.value, 2);
  });

  test('requests that make too many series are counted as other, and that is seen', () => {
    using mesh = joined(10);
    for (let i = 0; i < 30; i++) {
      const x = exchange('outbound', reviews);
      x.authority = `h${i}.example`;
      mesh.record(x);
    }
    assert.equal(mesh.samples('istio_requests_total').length, 11);
    const overflows = mesh.samples('lateen_metric_overflow_total');
    assert.equal(overflows.find(({ labels }) => labels['metric'] === 'istio_requests_total')!.value, 20);
  });

  test('lost log lines are counted', () => {
    using mesh = joined();
    const drop = countDroppedLines(mesh.writer);
    drop(2);
    drop(1);
    assert.deepEqual(mesh.samples('lateen_access_log_dropped_lines_total'), [
      { name: 'lateen_access_log_dropped_lines_total', labels: {}, value: 3 },
    ]);
  });

  test('lost spans are counted by collector', async () => {
    using mesh = joined();
    const spans = createSpanExporter({ collectors: ['http://127.0.0.1:1'], limit: 0 });
    exposeSpanStats(mesh.exposition.registry, spans);
    spans.push({ count: 3, spans: { zipkin: new TextEncoder().encode('{},{},{}'), otlp: null } });
    const families = parseExposition(await wholeText(mesh.exposition));
    assert.deepEqual(families.get('lateen_spans_dropped_total')!.samples, [
      { name: 'lateen_spans_dropped_total', labels: { collector: 'http://127.0.0.1:1' }, value: 3 },
    ]);
    await spans.close();
  });
});

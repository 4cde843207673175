import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { tableName } from '../core/brand.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { parseExposition } from './exposition-parser.ts';
import { createHub } from './hub.ts';
import { createRecorder, type TelemetryMessage } from './recorder.ts';
import { exchange, liveCluster, liveEndpoint, proxyNode, workload } from './sample-exchange.ts';

const reviews = workload('reviews', 'v3', '127.1.0.3');
const node = proxyNode(reviews);

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'lateen-hub-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** A recorder and a hub with a message port between them, as between a worker thread and the main one. */
function joined(seriesLimit = 1000) {
  const { port1, port2 } = new MessageChannel();
  const overflows: string[] = [];
  const hub = createHub({
    version: '1.0.0',
    zipkin: { collectors: [] },
    onOverflow: (family) => overflows.push(family),
    processMetrics: false,
  });
  const file = join(dir, `${Math.random()}.log`);
  const recorder = createRecorder({ node, accessLog: { to: file }, post: (m) => port1.postMessage(m), seriesLimit });
  const deliver = (): void => {
    for (let got = receiveMessageOnPort(port2); got !== undefined; got = receiveMessageOnPort(port2)) {
      hub.accept(1, got.message as TelemetryMessage);
    }
  };
  const samples = (name: string) => {
    deliver();
    return parseExposition(hub.exposition.mesh()).get(name)?.samples ?? [];
  };
  const close = async (): Promise<void> => {
    await recorder.flush();
    port1.close();
    await hub.close();
  };
  return { recorder, hub, samples, overflows, file, close };
}

describe('telemetry, from a worker to the scrape', () => {
  test('a request recorded in a worker is in the metrics and in the log', async () => {
    const { recorder, samples, file, close } = joined();
    const x = exchange('outbound', reviews);
    x.cluster = liveCluster('outbound|9080||ratings.default.svc.cluster.local', 'ratings');
    x.endpoint = liveEndpoint(workload('ratings', 'v1', '127.1.0.4'));
    recorder.record(x, 'v42', true);
    recorder.record(x, 'v42', false);
    const [requests] = samples('istio_requests_total');
    assert.equal(requests!.value, 2);
    assert.equal(requests!.labels['destination_service'], 'ratings.default.svc.cluster.local');
    const buckets = samples('istio_request_duration_milliseconds').filter(({ name }) => name.endsWith('_bucket'));
    assert.equal(buckets.length, 20);
    assert.equal(buckets.at(-1)!.labels['le'], '+Inf');
    assert.equal(buckets.at(-1)!.value, 2);
    await close();
    assert.equal(JSON.parse(readFileSync(file, 'utf8')).config_version, 'v42');
  });

  test('a refused inbound request counts for the service of the port it came to', async () => {
    const { recorder, samples, close } = joined();
    const cluster = liveCluster('inbound|9080||', 'reviews', 'inbound').settings;
    recorder.use({ clusters: { [cluster.name]: cluster }, tables: { [tableName('x')]: {} } } as unknown as Snapshot);
    const x = exchange('inbound');
    x.status = 403;
    recorder.record(x, '1', false);
    assert.equal(
      samples('istio_requests_total')[0]!.labels['destination_service'],
      'reviews.default.svc.cluster.local',
    );
    await close();
  });

  test('too many series are told once, and counted', async () => {
    const { recorder, samples, overflows, close } = joined(10);
    for (let i = 0; i < 30; i++) {
      const x = exchange('outbound', reviews);
      x.authority = `h${i}.example`;
      recorder.record(x, '1', false);
    }
    assert.equal(samples('istio_requests_total').length, 11);
    assert.ok(samples('lateen_metric_overflow_total')[0]!.value >= 20);
    assert.deepEqual(
      overflows.filter((family) => family === 'istio_requests_total'),
      ['istio_requests_total'],
    );
    await close();
  });

  test('spans that no collector takes are counted by collector', async () => {
    const hub = createHub({
      version: '1',
      zipkin: { collectors: ['http://127.0.0.1:1'], limit: 0 },
      processMetrics: false,
    });
    hub.accept(1, { kind: 'spans', batch: { count: 3, json: '{},{},{}' } });
    const families = parseExposition(await hub.exposition.text());
    assert.deepEqual(families.get('lateen_spans_dropped_total')!.samples, [
      { name: 'lateen_spans_dropped_total', labels: { collector: 'http://127.0.0.1:1' }, value: 3 },
    ]);
    await hub.close();
  });
});

/** Spans in OTLP: what an OpenTelemetry collector is sent, and what a collector may do to us. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import * as fc from 'fast-check';
import { describe, test } from 'vitest';
import type { Exchange } from '#proxy/live/exchange.ts';
import type { TracingSettings } from '#proxy/snapshot/telemetry.ts';
import { createOtlpEncoder, otlpEnvelope } from '#proxy/telemetry/otlp.ts';
import {
  exchange,
  liveCluster,
  liveEndpoint,
  namedRoute,
  proxyNode,
  tracingSettings,
  workload,
} from '#proxy/telemetry/sample-exchange.ts';
import { createSpanExporter, type SpanExporter, type SpanExporterOptions } from '#proxy/telemetry/span-exporter.ts';
import type { SpanBatch } from '#proxy/telemetry/spans.ts';
import { WallClock } from '#proxy/telemetry/wall-clock.ts';
import { createZipkinEncoder } from '#proxy/telemetry/zipkin.ts';
import { readExportRequest, startOtlpCollector, type OtlpSpan } from '../kit/otlp.ts';

const node = proxyNode(workload('reviews', 'v3', '127.64.0.3'));
const envelope = otlpEnvelope(node, '1.0.0');
const clock = new WallClock(
  () => 1_700_000_000_000,
  () => 0,
);
const trace = {
  traceId: '463ac35c9f6413ad48485a3953bb6124',
  spanId: '0020000000000001',
  parentId: '0010000000000001',
  sampled: true,
};

function outbound(over: Partial<Exchange> = {}): Exchange {
  const x = exchange('outbound', workload('reviews', 'v3', '127.64.0.3'));
  x.cluster = liveCluster('outbound|9080||ratings.default.svc.cluster.local', 'ratings');
  x.endpoint = liveEndpoint(workload('ratings', 'v1', '127.64.0.4'));
  x.route = namedRoute('default', 'ratings.default.svc.cluster.local:9080/*');
  return Object.assign(x, over);
}

function encoded(x: Exchange, of = trace, settings: Partial<TracingSettings> = {}): OtlpSpan {
  const span = createOtlpEncoder(node, tracingSettings(100, settings), clock)(x, of, '');
  return readExportRequest(JSON.parse(`${envelope.open}${span}${envelope.close}`))[0]!;
}

describe('a span in OTLP', () => {
  test('has ids, times, kind, status and resource', () => {
    const { attributes: _, ...span } = encoded(outbound());
    assert.deepEqual(span, {
      traceId: '463ac35c9f6413ad48485a3953bb6124',
      spanId: '0020000000000001',
      parentSpanId: '0010000000000001',
      name: 'ratings.default.svc.cluster.local:9080/*',
      kind: 3,
      start: 1_700_000_001_000_000_000n,
      end: 1_700_000_001_012_900_000n,
      status: 0,
      resource: {
        'service.name': 'reviews.default',
        'service.version': 'v3',
        'service.instance.id': 'reviews-v3-0.default',
        'k8s.cluster.name': 'Kubernetes',
        'k8s.namespace.name': 'default',
        'k8s.pod.name': 'reviews-v3-0',
        'k8s.pod.ip': '127.64.0.3',
        'k8s.deployment.name': 'reviews-v3',
      },
    });
  });

  test('has the tags that Zipkin gets, as attributes', () => {
    const tags = [
      { name: 'team', value: { kind: 'literal', value: 'blue' } },
      { name: 'component', value: { kind: 'literal', value: 'mine' } },
    ] as const;
    const x = outbound({ status: 503, flags: 'UF', reason: 'nobody is there' });
    for (const settings of [{}, { tags }, { istioTags: false }]) {
      const zipkin = createZipkinEncoder(node, tracingSettings(100, settings), clock)(x, trace, '');
      assert.deepEqual(encoded(x, trace, settings).attributes, (JSON.parse(zipkin) as { tags: object }).tags);
    }
  });

  test('that is an error has status 2, and without a parent none', () => {
    const span = encoded(outbound({ status: 503 }), { ...trace, parentId: null! });
    assert.deepEqual([span.status, span.parentSpanId], [2, '']);
  });

  test('of a trace with 64 bits has zeros in front', () => {
    assert.equal(
      encoded(outbound(), { ...trace, traceId: '48485a3953bb6124' }).traceId,
      '000000000000000048485a3953bb6124',
    );
  });

  test('is OTLP, whatever callers send', () => {
    const text = fc.string({ unit: 'binary', maxLength: 500 });
    fc.assert(
      fc.property(text, text, text, text, (method, path, authority, agent) => {
        encoded(outbound({ method, path, authority, route: null, headers: ['User-Agent', agent] }));
      }),
      { numRuns: 50 },
    );
  });
});

function batchOf(count: number): SpanBatch {
  const encode = createOtlpEncoder(node, tracingSettings(), clock);
  const spans = Array.from({ length: count }, () => encode(outbound(), trace, ''));
  return { count, spans: { zipkin: null, otlp: new TextEncoder().encode(spans.join(',')) } };
}

const exporterTo = (url: string, over: Partial<SpanExporterOptions> = {}): SpanExporter =>
  createSpanExporter({ collectors: [], otlp: { collectors: [url], envelope }, flushSpans: 1, flushMs: 1, ...over });

const counts = (exporter: SpanExporter): number[] =>
  exporter.stats().flatMap(({ sent, dropped, waiting }) => [sent, dropped, waiting]);

/** Answers the first request like this, and all others well. */
const first =
  (answer: (response: ServerResponse) => void) =>
  (n: number, response: ServerResponse): void =>
    n === 1 ? answer(response) : void response.writeHead(200).end('{}');

describe('an OTLP collector', () => {
  test('gets all spans in requests as the protocol has them', async () => {
    await using collector = await startOtlpCollector();
    const exporter = exporterTo(collector.url, { flushSpans: 6, flushMs: 60_000 });
    for (let i = 0; i < 3; i++) exporter.push(batchOf(2));
    await collector.until({ spans: 6 });
    await exporter.close();
    assert.deepEqual([collector.requests, counts(exporter)], [1, [6, 0, 0]]);
  });

  test('that takes a part: the others are counted as lost, and said once', async () => {
    const said = '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}';
    await using collector = await startOtlpCollector((_, response) => void response.writeHead(200).end(said));
    const states: (string | null)[] = [];
    const exporter = exporterTo(collector.url, { onState: (_, problem) => states.push(problem) });
    for (let i = 1; i <= 2; i++) {
      exporter.push(batchOf(5));
      await collector.until({ requests: i });
    }
    await exporter.close();
    assert.deepEqual([counts(exporter), states], [[6, 4, 0], ['it refuses some: too old']]);
  });

  for (const status of [429, 502, 503, 504]) {
    test(`that says ${status} gets the same again`, async () => {
      await using collector = await startOtlpCollector(first((response) => void response.writeHead(status).end()));
      const exporter = exporterTo(collector.url);
      exporter.push(batchOf(3));
      await collector.until({ spans: 3 });
      await exporter.close();
      assert.deepEqual([collector.requests, counts(exporter)], [2, [3, 0, 0]]);
    });
  }

  test('is left alone for as long as it asks', async () => {
    await using collector = await startOtlpCollector(
      first((response) => void response.writeHead(429, { 'retry-after': '1' }).end()),
    );
    const exporter = exporterTo(collector.url);
    const before = performance.now();
    exporter.push(batchOf(1));
    await collector.until({ spans: 1 });
    // Timers may be a millisecond early.
    assert.ok(performance.now() - before > 990);
    await exporter.close();
  });

  test('that refuses for good, does not get it again', async () => {
    await using collector = await startOtlpCollector(first((response) => void response.writeHead(400).end('{}')));
    const exporter = exporterTo(collector.url);
    exporter.push(batchOf(2));
    await collector.until({ requests: 1 });
    exporter.push(batchOf(1));
    await collector.until({ spans: 1 });
    await exporter.close();
    assert.deepEqual(counts(exporter), [1, 2, 0]);
  });

  test('gets what it never takes five times, then it is lost', async () => {
    await using collector = await startOtlpCollector((_, response) => void response.writeHead(503).end());
    const exporter = exporterTo(collector.url);
    exporter.push(batchOf(2));
    await collector.until({ requests: 5 });
    await exporter.close();
    assert.deepEqual([collector.requests, counts(exporter)], [5, [0, 2, 0]]);
  });

  for (const [it, answer] of [
    ['without end', (response: ServerResponse) => flood(response)],
    ['that is no JSON', (response: ServerResponse) => void response.writeHead(200).end('{"rejectedSpans" ]')],
    [
      'that makes no sense',
      (r: ServerResponse) => void r.writeHead(200).end('{"partialSuccess":{"rejectedSpans":"1e99"}}'),
    ],
  ] as const) {
    test(`may give an answer ${it}`, async () => {
      await using collector = await startOtlpCollector(first(answer));
      const exporter = exporterTo(collector.url);
      exporter.push(batchOf(1));
      await collector.until({ requests: 1 });
      exporter.push(batchOf(1));
      await collector.until({ requests: 2 });
      await exporter.close();
      assert.deepEqual(counts(exporter), [2, 0, 0]);
    });
  }
});

/** Writes for as long as somebody reads. */
function flood(response: ServerResponse): void {
  const chunk = Buffer.alloc(65_536, 'x');
  const write = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response
    .writeHead(200)
    .on('drain', write)
    .on('error', () => undefined);
  write();
}

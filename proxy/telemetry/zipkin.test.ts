import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { ZipkinExporter } from '@opentelemetry/exporter-zipkin';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import * as fc from 'fast-check';
import { describe, test } from 'vitest';
import type { Exchange, Trace } from '../live/exchange.ts';
import { exchange, liveCluster, liveEndpoint, namedRoute, proxyNode, workload } from './sample-exchange.ts';
import { createSpanRecorder, type SpanBatch } from './spans.ts';
import { WallClock } from './wall-clock.ts';
import { createSpanEncoder } from './zipkin.ts';

const reviews = workload('reviews', 'v3', '127.1.0.3');
const clock = new WallClock(
  () => 1_700_000_000_000,
  () => 0,
);
const trace: Trace = {
  traceId: '463ac35c9f6413ad48485a3953bb6124',
  spanId: '0020000000000001',
  parentId: '0010000000000001',
  sampled: true,
};

type Json = { kind: string; name: string; tags: Record<string, string> } & Record<string, unknown>;
const encoded = (x: Exchange, of = trace, node = proxyNode(reviews)): Json =>
  JSON.parse(createSpanEncoder(node, clock)(x, of)) as Json;

function outbound(): Exchange {
  const x = exchange('outbound', reviews);
  x.cluster = liveCluster('outbound|9080||ratings.default.svc.cluster.local', 'ratings');
  x.endpoint = liveEndpoint(workload('ratings', 'v1', '127.1.0.4'));
  x.route = namedRoute('default', 'ratings.default.svc.cluster.local:9080/*');
  x.authority = 'ratings:9080';
  x.path = '/ratings/0?token=abc';
  return x;
}

describe('span', () => {
  test('has the ids, times, endpoints and tags of Envoy and Istio', () => {
    assert.deepEqual(encoded(outbound()), {
      traceId: '463ac35c9f6413ad48485a3953bb6124',
      id: '0020000000000001',
      parentId: '0010000000000001',
      kind: 'CLIENT',
      name: 'ratings.default.svc.cluster.local:9080/*',
      timestamp: 1_700_000_001_000_000,
      duration: 12_900,
      localEndpoint: { serviceName: 'reviews.default', ipv4: '127.1.0.3', port: 15_001 },
      remoteEndpoint: { ipv4: '127.1.0.4', port: 9080 },
      tags: {
        component: 'proxy',
        node_id: 'sidecar~127.1.0.3~reviews-v3-0.default~default.svc.cluster.local',
        downstream_cluster: '-',
        'istio.canonical_service': 'reviews',
        'istio.canonical_revision': 'v3',
        'istio.mesh_id': 'cluster.local',
        'istio.namespace': 'default',
        'istio.cluster_id': 'Kubernetes',
        'guid:x-request-id': '2f0e8f8a-1b1c-4d4e-8f9a-0123456789ab',
        'http.url': 'http://ratings:9080/ratings/0?token=***',
        'http.method': 'GET',
        'http.protocol': 'HTTP/1.1',
        'http.status_code': '200',
        request_size: '0',
        response_size: '375',
        response_flags: '-',
        'peer.address': '127.1.0.3',
        user_agent: 'python-requests/2.31',
        upstream_cluster: 'outbound|9080||ratings.default.svc.cluster.local',
        'upstream_cluster.name': 'outbound|9080||ratings.default.svc.cluster.local',
        upstream_address: '127.1.0.4:9080',
        'lateen.route': 'default',
      },
    });
  });

  for (const { it, change, want } of [
    { it: 'a 5xx is an error', change: (x: Exchange) => (x.status = 503), want: 'true' },
    { it: 'no response is an error', change: (x: Exchange) => (x.status = 0), want: 'true' },
    { it: 'a 4xx is none', change: (x: Exchange) => (x.status = 404), want: undefined },
  ]) {
    test(it, () => {
      const x = exchange('inbound');
      change(x);
      assert.equal(encoded(x).tags['error'], want);
    });
  }

  test('names the rule that routed it, and the one that made the proxy answer by itself', () => {
    const x = outbound();
    const source = { kind: 'VirtualService', namespace: 'default', name: 'ratings', path: 'spec.http[1]' };
    x.route = { ...namedRoute('mirror'), source };
    x.decidedBy = { ...source, path: 'spec.http[1].fault.abort' };
    x.reason = 'fault injection: 418';
    const { tags } = encoded(x);
    assert.equal(tags['lateen.route'], 'VirtualService/default/ratings spec.http[1]');
    assert.equal(tags['lateen.decided_by'], 'VirtualService/default/ratings spec.http[1].fault.abort');
    assert.equal(tags['lateen.reason'], 'fault injection: 418');
    x.route = x.decidedBy = null;
    assert.deepEqual(
      Object.keys(encoded(x).tags).filter((key) => /^lateen\.(?:route|decided_by)$/.test(key)),
      [],
    );
  });

  test('inbound and gateway requests are served, outbound ones are sent', () => {
    const kinds = (['inbound', 'gateway', 'outbound'] as const).map((direction) => encoded(exchange(direction)).kind);
    assert.deepEqual(kinds, ['SERVER', 'SERVER', 'CLIENT']);
  });

  test('is named after its host and port when no route says otherwise', () => {
    const x = exchange('outbound');
    assert.equal(encoded(x).name, 'reviews:9080/*');
    x.authority = 'Example.com';
    assert.equal(encoded(x).name, 'example.com:15001/*');
  });

  test('of traffic that belongs to no service is named after the host, which stands for the address as well', () => {
    const x = exchange('outbound');
    x.authority = 'api.example:8443';
    x.route = namedRoute('allow_any', 'allow_any');
    x.cluster = liveCluster('PassthroughCluster', null);
    x.endpoint = liveEndpoint(null, 'api.example', 8443);
    const span = encoded(x);
    assert.equal(span.name, 'api.example:8443/*');
    assert.deepEqual(span['remoteEndpoint'], { serviceName: 'api.example', port: 8443 });
  });

  test('is JSON, whatever callers send', () => {
    const text = fc.string({ unit: 'binary', maxLength: 2000 });
    fc.assert(
      fc.property(text, text, text, text, text, (method, path, authority, agent, reason) => {
        const x = outbound();
        Object.assign(x, { method, path, authority, reason, route: null, headers: ['User-Agent', agent] });
        assert.ok(JSON.stringify(encoded(x)).length < 20_000);
      }),
    );
  });

  test("is what OpenTelemetry's Zipkin exporter sends of the same span, but for addresses it cannot tell", async () => {
    const ours = encoded(outbound());
    const theirs = await sentByOpenTelemetry(ours);
    const { remoteEndpoint: _, localEndpoint, ...rest } = ours;
    assert.deepEqual(theirs, {
      ...rest,
      localEndpoint: { serviceName: (localEndpoint as { serviceName: string }).serviceName },
    });
  });
});

describe('span recorder', () => {
  test('hands on sampled requests only, in one batch', () => {
    const batches: SpanBatch[] = [];
    const recorder = createSpanRecorder(proxyNode(reviews), (batch) => batches.push(batch), clock);
    for (const sampled of [true, false, true]) {
      const x = outbound();
      x.trace = { ...trace, sampled };
      recorder.record(x);
    }
    recorder.record(outbound());
    assert.equal(batches.length, 0);
    recorder.flush();
    recorder.flush();
    assert.deepEqual(
      batches.map(({ count }) => count),
      [2],
    );
    assert.equal((JSON.parse(`[${Buffer.from(batches[0]!.json).toString()}]`) as unknown[]).length, 2);
  });

  test('does not hold more than a batch', () => {
    const batches: SpanBatch[] = [];
    const recorder = createSpanRecorder(proxyNode(reviews), (batch) => batches.push(batch), clock);
    const x = outbound();
    x.trace = trace;
    for (let i = 0; i < 200; i++) recorder.record(x);
    assert.equal(
      batches.reduce((sum, { count }) => sum + count, 0),
      192,
    );
    recorder.flush();
    assert.equal(
      batches.reduce((sum, { count }) => sum + count, 0),
      200,
    );
  });
});

/** Gives the exporter the span that `json` describes, and returns what it posts. */
async function sentByOpenTelemetry(json: Json): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const server = createServer((request, response) => {
    void request.toArray().then((chunks) => {
      resolve((JSON.parse(Buffer.concat(chunks as Buffer[]).toString()) as unknown[])[0]);
      response.writeHead(202).end();
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', () => listening()));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v2/spans`;
  const exporter = new ZipkinExporter({ url, serviceName: 'reviews.default' });
  const hr = (us: number): [number, number] => [Math.floor(us / 1e6), (us % 1e6) * 1000];
  const span: ReadableSpan = {
    name: json.name,
    kind: json.kind === 'CLIENT' ? SpanKind.CLIENT : SpanKind.SERVER,
    spanContext: () => ({ traceId: trace.traceId, spanId: trace.spanId, traceFlags: 1 }),
    parentSpanContext: { traceId: trace.traceId, spanId: trace.parentId!, traceFlags: 1 },
    startTime: hr(json['timestamp'] as number),
    endTime: hr((json['timestamp'] as number) + (json['duration'] as number)),
    duration: hr(json['duration'] as number),
    attributes: json.tags,
    status: { code: SpanStatusCode.UNSET },
    links: [],
    events: [],
    ended: true,
    resource: resourceFromAttributes({}),
    instrumentationScope: { name: 'lateen' },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
  exporter.export([span], () => {});
  const posted = await promise;
  await exporter.shutdown();
  server.close();
  return posted;
}

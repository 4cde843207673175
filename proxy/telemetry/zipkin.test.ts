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
import type { CustomTag, TracingSettings } from '../snapshot/telemetry.ts';
import {
  exchange,
  liveCluster,
  liveEndpoint,
  namedRoute,
  proxyNode,
  tracingSettings,
  workload,
} from './sample-exchange.ts';
import { WallClock } from './wall-clock.ts';
import { createZipkinEncoder } from './zipkin.ts';

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
const encoded = (x: Exchange, of = trace, settings: Partial<TracingSettings> = {}): Json =>
  JSON.parse(createZipkinEncoder(proxyNode(reviews), tracingSettings(100, settings), clock)(x, of, '')) as Json;

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

  test('of gRPC has its path, authority, content type and status, and is an error when the server is to blame', () => {
    const call = (grpcStatus: number): Record<string, string> => {
      const x = outbound();
      Object.assign(x, { grpc: true, grpcStatus, path: '/shop.Cart/Add' });
      x.headers = ['content-type', 'application/grpc'];
      return encoded(x).tags;
    };
    const { 'grpc.path': path, 'grpc.authority': authority, 'grpc.content_type': type, error } = call(0);
    assert.deepEqual([path, authority, type, error], ['/shop.Cart/Add', 'ratings:9080', 'application/grpc', undefined]);
    // In Envoy as well, on both sides of the call.
    const failed = Array.from({ length: 17 }, (_, status) => status).filter((s) => call(s)['error'] === 'true');
    assert.deepEqual(failed, [2, 4, 12, 13, 14, 15]);
    assert.equal(call(14)['grpc.status_code'], '14');
    assert.equal(call(-1)['grpc.status_code'], undefined);
  });

  test('leaves out tags of Istio where they are not wanted', () => {
    const left = Object.keys(encoded(outbound(), trace, { istioTags: false }).tags);
    assert.deepEqual([left.includes('component'), left.some((name) => name.startsWith('istio.'))], [true, false]);
  });

  test('shows so much of a path as is asked for', () => {
    const x = outbound();
    x.path = `/${'a'.repeat(400)}`;
    assert.equal(encoded(x).tags['http.url']!.length, 'http://ratings:9080'.length + 256);
    assert.equal(encoded(x, trace, { maxPathLength: 10 }).tags['http.url'], `http://ratings:9080/${'a'.repeat(9)}`);
  });

  describe('has tags that somebody defined', () => {
    const tags = (...defined: CustomTag[]): Record<string, string> => {
      const x = outbound();
      x.headers.push('X-Team', 'blue "team"\n');
      return encoded(x, trace, { tags: defined }).tags;
    };
    const header = (name: string, otherwise: string | null): CustomTag['value'] => ({
      kind: 'header',
      name,
      otherwise,
    });
    const environment = (name: string, otherwise: string | null): CustomTag['value'] => ({
      kind: 'environment',
      name,
      otherwise,
    });
    for (const { it, value, want } of [
      { it: 'with a value', value: { kind: 'literal', value: 'a "b"' }, want: 'a "b"' },
      { it: 'of the environment', value: environment('PATH', 'x'), want: process.env['PATH']!.slice(0, 256) },
      { it: 'of the environment, with a default', value: environment('LATEEN_NOT_SET', 'x'), want: 'x' },
      { it: 'of the environment, without', value: environment('LATEEN_NOT_SET', null), want: undefined },
      { it: 'of a header', value: header('X-TEAM', null), want: 'blue "team"\n' },
      { it: 'of a header, with a default', value: header('x-none', 'x'), want: 'x' },
      { it: 'of a header, without', value: header('x-none', null), want: undefined },
      { it: 'of a format', value: { kind: 'format', format: '%REQ(:METHOD)% %PROTOCOL%' }, want: 'GET HTTP/1.1' },
      { it: 'of a format, of something missing', value: { kind: 'format', format: '%REQ(X-NONE)%' }, want: undefined },
    ] satisfies { it: string; value: CustomTag['value']; want: string | undefined }[]) {
      test(it, () => assert.equal(tags({ name: 'team', value })['team']?.slice(0, 256), want));
    }

    test('in place of ours, where they have its name', () => {
      const x = outbound();
      const defined: CustomTag[] = [
        { name: 'http.url', value: { kind: 'literal', value: 'hidden' } },
        { name: 'component', value: { kind: 'literal', value: 'mine' } },
      ];
      const settings = tracingSettings(100, { tags: defined });
      const text = createZipkinEncoder(proxyNode(reviews), settings, clock)(x, trace, '');
      assert.equal(text.split('"http.url"').length, 2);
      assert.deepEqual([tags(...defined)['http.url'], tags(...defined)['component']], ['hidden', 'mine']);
    });
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

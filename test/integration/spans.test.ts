/** Spans that proxies write and export are what the embedded collector takes and shows. */
import assert from 'node:assert/strict';
import fastify from 'fastify';
import { test } from 'vitest';
import { TraceStore, type Span } from '#control-api/trace-store.ts';
import { traceRoutes } from '#control-api/traces.ts';
import { exchange, proxyNode, tracingSettings, workload } from '#proxy/telemetry/sample-exchange.ts';
import { createSpanExporter } from '#proxy/telemetry/span-exporter.ts';
import { createSpanRecorder } from '#proxy/telemetry/spans.ts';
import { startTrace } from '#proxy/telemetry/trace-context.ts';

test('a request through a gateway and a sidecar is one trace in the control API', async () => {
  const app = fastify({ forceCloseConnections: true });
  traceRoutes(app, new TraceStore());
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const exporter = createSpanExporter({ collectors: [url], flushMs: 60_000 });

  const ingress = proxyNode(workload('istio-ingressgateway', 'v1', '127.1.0.1'), 'gateway');
  const sidecar = proxyNode(workload('productpage', 'v1', '127.1.0.2'));
  const outside = exchange('gateway');
  startTrace(outside, tracingSettings(), Math.random);
  const inside = exchange('inbound');
  inside.headers = outside.headers;
  inside.startMs = outside.startMs + 2;
  inside.status = 503;
  startTrace(inside, tracingSettings(0), Math.random);
  for (const [node, x] of [
    [ingress, outside],
    [sidecar, inside],
  ] as const) {
    const recorder = createSpanRecorder(node, ['zipkin'], (batch) => exporter.push(batch));
    recorder.use({ client: tracingSettings(), server: tracingSettings() });
    recorder.record(x);
    recorder.flush();
  }
  await exporter.close();
  assert.deepEqual(
    exporter.stats().map(({ sent, dropped }) => [sent, dropped]),
    [[2, 0]],
  );

  const { traces } = (await app.inject({ url: '/lateen/v1/traces?serviceName=productpage' })).json<{
    traces: { root: object; errors: number; services: string[]; spans: Span[] }[];
  }>();
  assert.equal(traces.length, 1);
  const { root, errors, services, spans } = traces[0]!;
  assert.deepEqual(root, { service: 'istio-ingressgateway.default', name: 'reviews:9080/*' });
  assert.equal(errors, 1);
  assert.deepEqual(services, ['istio-ingressgateway.default', 'productpage.default']);
  assert.equal(spans[1]!.parentId, spans[0]!.id);
  await app.close();
});

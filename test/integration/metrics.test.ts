/** What a proxy counts, as it is scraped: by a real Prometheus, with live traffic; changed by the configuration; told by peers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { describe, test } from 'vitest';
import { startService, type Ask, type Service } from '#proxy/admin/http-service.ts';
import { prometheus } from '#proxy/admin/stats.ts';
import type { AdminContext } from '#proxy/admin/context.ts';
import { plainTelemetry } from '#proxy/compile/telemetry.ts';
import { clusterName, ms } from '#proxy/core/brand.ts';
import type { TcpListener } from '#proxy/snapshot/listener.ts';
import type { TelemetrySettings } from '#proxy/snapshot/telemetry.ts';
import { parseExposition, type ParsedSample } from '#proxy/telemetry/exposition-parser.ts';
import { decodePeer, encodePeer } from '#proxy/telemetry/peer-metadata.ts';
import { createExposition, wholeText } from '#proxy/telemetry/prometheus.ts';
import { workload } from '#proxy/telemetry/sample-exchange.ts';
import { checkMetrics, PROMETHEUS, startPrometheus } from '../kit/scraper.ts';
import { cluster, endpoint, exchange, rawOrigin, route, startProxy, type TestProxy } from '../kit/proxy.ts';

const HOST = '127.62.0.1';

/** Answers every request with 200, and keeps the heads it got. */
async function origin(headers = '') {
  const heads: string[] = [];
  const server = await rawOrigin((socket) =>
    socket.on('data', (bytes: Buffer) => {
      heads.push(bytes.toString('latin1'));
      socket.write(`HTTP/1.1 200 OK\r\n${headers}content-length: 2\r\n\r\nok`);
    }),
  );
  return { heads, port: server.port, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const ask = (port: number, headers = ''): Promise<{ text: string }> =>
  exchange(port, `GET / HTTP/1.1\r\nhost: origin\r\n${headers}\r\n`, /\r\n\r\nok|content-length: 0/);

async function scraped(proxy: TestProxy): Promise<Map<string, readonly ParsedSample[]>> {
  const families = parseExposition(await wholeText(createExposition(proxy.series, '1.2.3', false)));
  return new Map(Array.from(families, ([name, { samples }]) => [name, samples]));
}

const port = async (service: Promise<Service>) => {
  const started = await service;
  const target = `${started.host}:${started.port}`;
  return { target, url: `http://${target}/stats/prometheus`, [Symbol.asyncDispose]: () => started.close() };
};

/** The metrics port over what a proxy counts. */
function serve(proxy: TestProxy, processMetrics = false) {
  const context = { exposition: createExposition(proxy.series, '1.2.3', processMetrics) } as AdminContext;
  const routes = new Map([
    ['/stats/prometheus', { method: 'GET' as const, help: '', handle: (ask: Ask) => prometheus(context, ask) }],
  ]);
  return port(startService({ host: HOST, port: 0, routes, loopbackOnly: false }));
}

const overridden = (client: TelemetrySettings['metrics']['client']): TelemetrySettings => ({
  ...plainTelemetry(0, true),
  metrics: { client, server: {} },
});

/** Names are Istio's, Envoy's and prom-client's: queries everywhere know them so. */
const FIELD_NAMES =
  /^(?:envoy_\w+ counter metrics should have "_total" suffix|istio_request_duration_milliseconds use base unit .*|nodejs_active_\w+_total non-counter metrics .*)$/;

const TCP: TcpListener = {
  kind: 'tcp',
  name: 'tcp',
  address: '127.0.0.1',
  port: 0,
  direction: 'outbound',
  authz: null,
  rules: [{ destinations: [], serverNames: [], split: [{ cluster: clusterName('db'), weight: 1 }], source: null }],
};

describe.skipIf(!PROMETHEUS)(
  `a real Prometheus${PROMETHEUS ? '' : ' (skipped: prometheus and promtool are not installed)'}`,
  () => {
    test('scrapes requests, connections, exemplars and the process, whatever callers put into labels', async () => {
      await using http = await origin();
      const far = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
      await once(far, 'listening');
      await using proxy = await startProxy({
        clusters: [cluster('origin'), cluster('db', { protocol: 'tcp' })],
        endpoints: { origin: [endpoint(http.port)], db: [endpoint((far.address() as AddressInfo).port)] },
        listeners: [TCP],
      });
      const tag = { kind: 'entry', of: 'request.headers', key: 'x-tag' } as const;
      const telemetry = overridden({ REQUEST_COUNT: { disabled: false, tags: { tag } } });
      const tracing = { ...telemetry.tracing.client, percent: 100, reported: true };
      await proxy.apply(
        { telemetry: { ...telemetry, tracing: { client: tracing, server: tracing } } },
        {
          endpoints: { origin: [endpoint(http.port)], db: [endpoint((far.address() as AddressInfo).port)] },
          workloads: {},
        },
      );
      await using metrics = await serve(proxy, true);
      for (const value of ['plain', 'a"b\\c{}', 'x'.repeat(50_000), '\xff\xfe\x80', 'caf\xc3\xa9', '# EOF'])
        assert.match((await ask(proxy.port, `x-tag: ${value}\r\n`)).text, /^HTTP\/1\.1 200/);
      const socket = connect(proxy.ports['tcp']!, '127.0.0.1');
      socket.write('hello');
      await once(socket, 'data');
      socket.end();
      await once(socket, 'close');

      await using server = await startPrometheus(HOST, [metrics.target]);
      const requests = await server.until('istio_requests_total', (samples) => samples.length === 6);
      const tags = requests.map(({ metric }) => metric['tag']);
      assert.ok(
        tags.includes('a"b\\c{}') && tags.includes('café') && tags.includes('# EOF') && tags.includes('ÿþ\x80'),
      );
      assert.ok(tags.every((value) => value!.length <= 256));
      assert.equal((await server.query('up'))[0]!.value[1], '1');
      const sent = await server.query('istio_tcp_sent_bytes_total{destination_service_name="db"}');
      assert.equal(sent[0]!.value[1], '5');
      assert.equal((await server.query('istio_build{component="proxy",tag="1.2.3"}')).length, 1);
      for (const name of ['process_cpu_seconds_total', 'process_open_fds', 'nodejs_eventloop_lag_seconds'])
        assert.equal((await server.query(name)).length, 1, name);
      // Exemplars come with the next sweep of the proxy.
      const about = 'query_exemplars?query=istio_request_duration_milliseconds_bucket&start=0&end=4000000000';
      let exemplars: { exemplars: { labels: { trace_id: string } }[] }[] = [];
      for (let tries = 0; exemplars.length === 0 && tries < 100; tries++) {
        exemplars = (await server.api(about)) as typeof exemplars;
        await once(AbortSignal.timeout(100), 'abort');
      }
      assert.match(exemplars[0]!.exemplars[0]!.labels.trace_id, /^[\da-f]{32}$/);

      const text = await (await fetch(metrics.url)).text();
      const { said } = checkMetrics(text);
      for (const line of said.trim().split('\n')) assert.match(line, FIELD_NAMES);
      far.close();
    });
  },
);

describe('overrides', () => {
  test('a configuration changes labels and leaves metrics out while traffic goes on; what it does not touch goes on', async () => {
    await using http = await origin();
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(http.port)] } });
    const discovery = { endpoints: { origin: [endpoint(http.port)] }, workloads: {} };
    await ask(proxy.port);
    await proxy.apply(
      {
        telemetry: overridden({
          REQUEST_COUNT: {
            disabled: false,
            tags: {
              request_protocol: null,
              response_code: { kind: 'value', value: 'any' },
              method: { kind: 'attribute', name: 'request.method' },
              absent: { kind: 'entry', of: 'request.headers', key: 'x-none' },
            },
          },
          REQUEST_SIZE: { disabled: true, tags: {} },
        }),
      },
      discovery,
    );
    await ask(proxy.port);
    let families = await scraped(proxy);
    const [counted, ...others] = families.get('istio_requests_total')!;
    assert.deepEqual(others, []);
    assert.equal(counted!.value, 1);
    const { labels } = counted!;
    assert.deepEqual([labels['method'], labels['response_code'], labels['absent']], ['GET', 'any', 'unknown']);
    assert.equal(labels['request_protocol'], undefined);
    assert.equal(Object.keys(labels)[0], 'reporter');
    assert.equal(families.has('istio_request_bytes'), false);
    const count = (name: string): number | undefined =>
      families.get(name)?.find((sample) => sample.name.endsWith('_count'))?.value;
    assert.equal(count('istio_response_bytes'), 2);

    await proxy.apply({}, discovery);
    await ask(proxy.port);
    families = await scraped(proxy);
    assert.equal(families.get('istio_requests_total')!.length, 1);
    assert.equal(Object.keys(families.get('istio_requests_total')![0]!.labels).length, 25);
    assert.equal(families.get('istio_requests_total')![0]!.value, 1);
    assert.deepEqual([count('istio_request_bytes'), count('istio_response_bytes')], [1, 3]);
  });

  test('a connection that is open meanwhile is counted in what is in force', async () => {
    const far = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
    await once(far, 'listening');
    const discovery = { endpoints: { db: [endpoint((far.address() as AddressInfo).port)] }, workloads: {} };
    await using proxy = await startProxy({
      clusters: [cluster('origin'), cluster('db', { protocol: 'tcp' })],
      endpoints: discovery.endpoints,
      listeners: [TCP],
    });
    const socket = connect(proxy.ports['tcp']!, '127.0.0.1');
    const echo = async (text: string): Promise<void> => {
      socket.write(text);
      await once(socket, 'data');
    };
    await echo('one');
    const renamed = { disabled: false, tags: { reporter: null } };
    await proxy.apply({ telemetry: overridden({ TCP_SENT_BYTES: renamed, TCP_RECEIVED_BYTES: renamed }) }, discovery);
    await echo('three');
    const [sent, ...others] = (await scraped(proxy)).get('istio_tcp_sent_bytes_total')!;
    assert.deepEqual([sent!.value, others, sent!.labels['reporter']], [5, [], undefined]);
    socket.destroy();
    far.close();
  });
});

describe('tries', () => {
  test('are counted by cluster, beside requests, which are counted once', async () => {
    let n = 0;
    await using flaky = await rawOrigin((socket) =>
      socket.on('data', () =>
        socket.write(`HTTP/1.1 ${n++ === 0 ? '503 No' : '200 OK'}\r\ncontent-length: 2\r\n\r\nok`),
      ),
    );
    const retry = { attempts: 2, perTryTimeout: null, on: ['5xx'], statusCodes: [], backoff: ms(1) };
    await using proxy = await startProxy({
      routes: [route({ retry })],
      endpoints: { origin: [endpoint(flaky.port)] },
    });
    await ask(proxy.port);
    const families = await scraped(proxy);
    const value = (name: string): number | undefined => families.get(name)?.[0]?.value;
    assert.equal(value('istio_requests_total'), 1);
    assert.equal(value('envoy_cluster_upstream_rq_total'), 2);
    assert.equal(value('envoy_cluster_upstream_rq_retry'), 1);
    assert.equal(value('envoy_cluster_upstream_rq_retry_success'), 1);
    assert.deepEqual(families.get('envoy_cluster_upstream_rq_retry')![0]!.labels, { cluster_name: 'origin' });
  });
});

describe('peer metadata', () => {
  const stranger = workload('legacy', 'v7', '10.9.9.9');
  const says = `x-envoy-peer-metadata-id: sidecar~10.9.9.9~a.b~b.svc\r\nX-Envoy-Peer-Metadata: ${encodePeer(stranger)}\r\n`;
  const inbound = { ...cluster('origin'), direction: 'inbound' as const };

  test('names a caller that nobody knows, is answered, and reaches no application', async () => {
    await using http = await origin(`x-envoy-peer-metadata: ${encodePeer(workload('liar', 'v0', '10.0.0.1'))}\r\n`);
    await using proxy = await startProxy({
      clusters: [inbound],
      endpoints: { origin: [endpoint(http.port)] },
      listener: { direction: 'inbound' },
    });
    const { text } = await ask(proxy.port, says);
    const told = /x-envoy-peer-metadata: (\S+)\r\n/.exec(text);
    assert.equal(decodePeer(told![1]!)?.workload, 'test');
    assert.match(text, /x-envoy-peer-metadata-id: sidecar~127\.0\.0\.1~/);
    assert.doesNotMatch((await ask(proxy.port)).text, /peer-metadata/i);
    assert.ok(http.heads.length === 2 && http.heads.every((head) => !/peer-metadata/i.test(head)));
    const samples = (await scraped(proxy)).get('istio_requests_total')!;
    assert.deepEqual(
      samples.map(({ labels, value }) => [labels['source_workload'], labels['source_version'], value]),
      [
        ['legacy-v7', 'v7', 1],
        ['unknown', 'unknown', 1],
      ],
    );
  });

  test('is said to endpoints of the mesh that nobody knows, and names them; nowhere else', async () => {
    await using http = await origin(says);
    const discovery = { endpoints: { origin: [endpoint(http.port)] }, workloads: {} };
    await using proxy = await startProxy({ endpoints: discovery.endpoints });
    const lie = `x-envoy-peer-metadata: ${encodePeer(workload('liar', 'v0', '10.0.0.1'))}\r\n`;
    assert.doesNotMatch((await ask(proxy.port, lie)).text, /peer-metadata/i);
    const told = /x-envoy-peer-metadata: (\S+)\r\n/.exec(http.heads[0]!);
    assert.equal(decodePeer(told![1]!)?.workload, 'test');
    const [sample] = (await scraped(proxy)).get('istio_requests_total')!;
    assert.equal(sample!.labels['destination_workload'], 'legacy-v7');
    assert.equal(sample!.labels['destination_service_name'], 'origin');

    assert.match((await ask(proxy.port)).text, /^HTTP\/1\.1 200/);
    assert.match(http.heads[1]!, /peer-metadata/i);

    // Who is known needs no introduction.
    await proxy.apply({}, { ...discovery, workloads: { '127.0.0.1': workload('origin', 'v1', '127.0.0.1') } });
    await ask(proxy.port);
    assert.doesNotMatch(http.heads[2]!, /peer-metadata/i);
    // Nor does anybody outside hear of the mesh.
    const outside = cluster('origin', { service: { host: 'api.example', name: 'api.example', namespace: 'default' } });
    await proxy.apply({ clusters: { [outside.name]: outside } }, discovery);
    await ask(proxy.port, lie);
    assert.doesNotMatch(http.heads[3]!, /peer-metadata/i);
  });

  test('is not said again to who does not answer', async () => {
    await using http = await origin();
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(http.port)] } });
    for (let i = 0; i < 3; i++) await ask(proxy.port);
    assert.deepEqual(
      http.heads.map((head) => /peer-metadata/i.test(head)),
      [true, false, false],
    );
  });
});

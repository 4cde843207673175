/** Telemetry resources as people write them, in force on a data plane: what is logged, counted and traced changes with them, and back. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { compile } from '#proxy/compile/compile.ts';
import { DEFAULT_MESH } from '#proxy/compile/defaults.ts';
import { parseText } from '#proxy/istio/parse.ts';
import { ResourceSet } from '#proxy/istio/resource.ts';
import type { TelemetrySettings } from '#proxy/snapshot/telemetry.ts';
import { createExposition, wholeText } from '#proxy/telemetry/prometheus.ts';
import { parseExposition } from '#proxy/telemetry/exposition-parser.ts';
import { endpoint, exchange, NODE, rawOrigin, startProxy, type TestProxy } from '../kit/proxy.ts';

/** What the resources mean for the proxy of the tests. */
function telemetry(...specs: readonly string[]): TelemetrySettings {
  const text = specs.map((spec) => (spec.startsWith('apiVersion') ? spec : TELEMETRY + spec)).join('\n---\n');
  const { resources, problems } = parseText(text, { defaultNamespace: 'default' });
  const result = compile(new ResourceSet(resources), NODE, DEFAULT_MESH);
  assert.deepEqual([...problems, ...result.problems], []);
  return result.snapshot.telemetry;
}

const TELEMETRY = 'apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: { name: t }\nspec:\n';
const mesh = (config: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\ndata:\n  mesh: ${JSON.stringify(config)}`;

/** Answers with the status that the path asks for, and keeps the heads it got. */
async function origin() {
  const heads: string[] = [];
  const server = await rawOrigin((socket) =>
    socket.on('data', (bytes: Buffer) => {
      const head = bytes.toString('latin1');
      heads.push(head);
      socket.write(`HTTP/1.1 ${/\/(\d+)/.exec(head)?.[1]} X\r\ncontent-length: 2\r\nx-kind: odd\r\n\r\nok`);
    }),
  );
  return { heads, port: server.port, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const ask = (proxy: TestProxy, path: string, headers = ''): Promise<unknown> =>
  exchange(proxy.port, `GET ${path} HTTP/1.1\r\nhost: origin\r\n${headers}\r\n`, '\r\n\r\nok');

test('access logs: conditions hold as soon as they are applied, and no longer than that', async () => {
  await using server = await origin();
  await using proxy = await startProxy({ endpoints: { origin: [endpoint(server.port)] } });
  const filtered = (expression: string): Promise<void> =>
    proxy.apply({
      telemetry: telemetry(`  accessLogging: [{ filter: { expression: ${JSON.stringify(expression)} } }]`),
    });
  await filtered("response.code >= 400 || 'x-debug' in request.headers");
  await ask(proxy, '/200?a');
  await ask(proxy, '/404?a');
  await ask(proxy, '/200?b', 'X-Debug: 1\r\n');
  await filtered("response.headers['x-kind'] == 'odd' && request.query == 'c'");
  await ask(proxy, '/404?b');
  await ask(proxy, '/200?c');
  await proxy.apply({ telemetry: telemetry('  accessLogging: [{ match: { mode: CLIENT }, disabled: true }]') });
  await ask(proxy, '/404?c');
  await proxy.apply({ telemetry: telemetry('  accessLogging: [{ match: { mode: SERVER }, disabled: true }]') });
  await ask(proxy, '/200?d');
  const lines = await proxy.log();
  assert.deepEqual(
    lines.map(({ path }) => path),
    ['/404?a', '/200?b', '/200?c', '/200?d'],
  );
});

test('access logs: a provider of the ConfigMap writes its own file in its own format, beside the standard one', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-telemetry-'));
  try {
    const file = join(dir, 'errors.log');
    await using server = await origin();
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(server.port)] } });
    await proxy.apply({
      telemetry: telemetry(
        mesh(
          `extensionProviders:\n- name: errors\n  envoyFileAccessLog: { path: ${file}, logFormat: { text: "%RESPONSE_CODE% %REQ(:PATH)%" } }`,
        ),
        '  accessLogging: [{ providers: [{ name: envoy }, { name: errors }] }]',
      ),
    });
    await ask(proxy, '/404');
    assert.equal((await proxy.log()).length, 1);
    assert.equal(readFileSync(file, 'utf8'), '404 /404\n');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('metrics: labels are set and removed, metrics are turned off, and on again', async () => {
  await using server = await origin();
  await using proxy = await startProxy({ endpoints: { origin: [endpoint(server.port)] } });
  const families = async () => parseExposition(await wholeText(createExposition(proxy.series, '1.2.3', false)));
  await proxy.apply({
    telemetry: telemetry(`  metrics:
  - overrides:
    - match: { metric: REQUEST_COUNT }
      tagOverrides:
        source_app: { operation: REMOVE }
        kind: { value: "response.code >= 500 ? 'bad' : 'good'" }
        none: { value: "request.headers['x-none']" }
    - match: { metric: REQUEST_DURATION }
      disabled: true`),
  });
  await ask(proxy, '/503');
  const changed = await families();
  const labels = changed.get('istio_requests_total')?.samples[0]?.labels ?? {};
  assert.deepEqual([labels['kind'], labels['none'], labels['source_app']], ['bad', 'unknown', undefined]);
  assert.equal(changed.get('istio_request_duration_milliseconds')?.samples.length ?? 0, 0);
  await proxy.apply({ telemetry: telemetry('  metrics: [{ reportingInterval: 1s }]') });
  await ask(proxy, '/200');
  const after = await families();
  assert.equal(after.get('istio_requests_total')?.samples[0]?.labels['source_app'], 'test');
  assert.ok((after.get('istio_request_duration_milliseconds')?.samples.length ?? 0) > 0);
});

test('tracing: the share, and whether trace headers are passed on', async () => {
  await using server = await origin();
  await using proxy = await startProxy({ endpoints: { origin: [endpoint(server.port)] } });
  const sampled = async (spec: string): Promise<string | undefined> => {
    await proxy.apply({ telemetry: telemetry(`  tracing: [${spec}]`) });
    await ask(proxy, '/200');
    return /x-b3-sampled: (\d)/i.exec(server.heads.at(-1)!)?.[1];
  };
  assert.equal(await sampled('{ randomSamplingPercentage: 100 }'), '1');
  assert.equal(await sampled('{ randomSamplingPercentage: 0 }'), '0');
  assert.equal(
    await sampled(
      '{ match: { mode: SERVER }, randomSamplingPercentage: 0 }, { match: { mode: CLIENT }, randomSamplingPercentage: 100 }',
    ),
    '1',
  );
  assert.equal(await sampled('{ randomSamplingPercentage: 100, disableContextPropagation: true }'), undefined);
});

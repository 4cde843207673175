/** One page of a whole mesh, as a real Zipkin 3 shows it through its API, and as an OpenTelemetry collector gets it. */
import assert from 'node:assert/strict';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { startMesh, type Mesh } from '../kit/mesh.ts';
import { named, PAGE_TREE, treeOf, type Span } from '../kit/trace-tree.ts';
import { startOtlpCollector, type OtlpCollector } from '../kit/otlp.ts';
import { ZIPKIN, startZipkin, type Zipkin } from '../kit/zipkin.ts';

const ADDRESS = '127.64.0.9';
const TRACE = '463ac35c9f6413ad48485a3953bb6124';
const CALLER = '0020000000000001';
const SPANS = PAGE_TREE.length;

describe.skipIf(ZIPKIN === null)('one page, in a real Zipkin and in OTLP', () => {
  let zipkin: Zipkin;
  let otlp: OtlpCollector;
  let mesh: Mesh;

  beforeAll(async () => {
    [zipkin, otlp] = await Promise.all([startZipkin(ADDRESS), startOtlpCollector(undefined, ADDRESS)]);
    const to = [`--zipkin=${zipkin.url}`, `--otlp=${otlp.url}`];
    mesh = await startMesh({ args: [...to, '--tracing=0', '--propagation=b3+w3c'] });
    for (const name of ['destination-rule-all', 'virtual-service-reviews-v3'])
      await mesh.kubectl('apply', '-f', `config/bookinfo/${name}.yaml`);
    await mesh.settled();
    // The caller's own trace, in W3C's form: nothing else of this mesh is traced.
    const headers = { traceparent: `00-${TRACE}-${CALLER}-01`, tracestate: 'vendor=1' };
    assert.equal((await fetch(`${mesh.gateway}/productpage`, { headers })).status, 200);
  }, 120_000);

  afterAll(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await Promise.all([zipkin?.[Symbol.asyncDispose](), otlp?.[Symbol.asyncDispose]()]);
  });

  test('Zipkin has it as one tree: gateway, productpage, details and reviews, ratings', async () => {
    const spans = await whole(zipkin);
    assert.deepEqual(treeOf(spans.map(named), CALLER), PAGE_TREE);
    const gateway = spans.find(({ parentId }) => parentId === CALLER)!;
    assert.equal(gateway.tags['http.status_code'], '200');
    assert.equal(gateway.tags['component'], 'proxy');
    assert.deepEqual(
      (await zipkin.get<string[]>('/api/v2/services'))!.filter((name) => name.startsWith('reviews')),
      ['reviews.default'],
    );
  });

  test('Zipkin makes of it who depends on whom', async () => {
    await whole(zipkin);
    const links = await zipkin.get<{ parent: string; child: string }[]>(
      `/api/v2/dependencies?endTs=${Date.now() + 1000}`,
    );
    assert.deepEqual(links!.map(({ parent, child }) => `${parent} → ${child}`).sort(), [
      'istio-ingressgateway.istio-system → productpage.default',
      'productpage.default → details.default',
      'productpage.default → reviews.default',
      'reviews.default → ratings.default',
    ]);
  });

  test('OTLP has the same tree', async () => {
    await otlp.until({ spans: SPANS });
    const kinds = ['', '', 'SERVER', 'CLIENT'];
    assert.ok(otlp.spans.every(({ traceId }) => traceId === TRACE));
    const nodes = otlp.spans.map(({ spanId, parentSpanId, kind, resource }) => ({
      id: spanId,
      parentId: parentSpanId,
      name: `${kinds[kind]} ${resource['service.name']}`,
    }));
    assert.deepEqual(treeOf(nodes, CALLER), PAGE_TREE);
  });
});

/** The trace, once all of it has come: proxies send after a second, and Zipkin takes it when it likes. */
async function whole(zipkin: Zipkin): Promise<readonly Span[]> {
  for (;;) {
    const spans = await zipkin.get<Span[]>(`/api/v2/trace/${TRACE}`);
    if (spans !== null && spans.length >= SPANS) return spans;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

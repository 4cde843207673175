/** A mesh with BookInfo in it from the start, as `npm start` gives it: what one does to it, and sees of it, in operation. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { freshLoad } from '../kit/gateway.ts';
import { startMesh, type Mesh } from '../kit/mesh.ts';
import { KUBECTL } from '../kit/kubectl.ts';

const kubectlIsThere = KUBECTL !== null;

describe.skipIf(!kubectlIsThere)('BookInfo in operation', () => {
  let mesh: Mesh;

  beforeAll(async () => {
    mesh = await startMesh();
  });
  afterAll(() => mesh?.[Symbol.asyncDispose]());

  beforeEach(async () => {
    await mesh.kubectl('apply', '-f', 'config/bookinfo/destination-rule-all.yaml');
    await mesh.kubectl('apply', '-f', 'config/bookinfo/virtual-service-all-v1.yaml');
    await mesh.settled();
  });

  const apply = async (name: string): Promise<void> => {
    await mesh.kubectl('apply', '-f', `config/bookinfo/${name}.yaml`);
    await mesh.settled();
  };

  test('a page works from the moment it says it is ready', async () => {
    const page = await mesh.page();
    expect([page.status, page.errors]).toEqual([200, []]);
    expect(mesh.output()).toMatch(/^ready in /m);
  });

  test('every application can be restarted while pages are loaded, and none fails', async () => {
    await using load = mesh.load();
    const names = async (): Promise<string[]> =>
      (await mesh.kubectl('get', 'pods', '-o', 'jsonpath={.items[*].metadata.name}')).split(' ');
    const before = new Set(await names());
    await mesh.kubectl('rollout', 'restart', 'deployment');
    const deployments = await mesh.kubectl('get', 'deployments', '-o', 'name');
    for (const name of deployments.trim().split('\n')) await mesh.kubectl('rollout', 'status', name, '--timeout=30s');
    while ((await names()).some((name) => before.has(name))); // the last ones are still ending
    const { requests, failed } = await load.stop();
    expect(failed).toEqual([]);
    expect(requests).toBeGreaterThan(10);
    expect([...(await mesh.failures())].filter(([, count]) => count > 0)).toEqual([]);
  });

  test('the gateway can be restarted under new connections, and none is refused or cut', async () => {
    const { hostname: ip, port } = new URL(mesh.gateway);
    const load = freshLoad({ ip, port: Number(port), head: 'GET /nowhere HTTP/1.1\r\nHost: a.test\r\n\r\n' }, 2);
    const gateway = ['-n', 'istio-system', 'deployment/istio-ingressgateway'];
    await mesh.kubectl('rollout', 'restart', ...gateway);
    await mesh.kubectl('rollout', 'status', ...gateway, '--timeout=30s');
    const pods = async (): Promise<string[]> =>
      (await mesh.kubectl('get', 'pods', '-n', 'istio-system', '-o', 'name')).trim().split('\n');
    while ((await pods()).length > 1); // the old one is still ending
    const { requests, failed } = await load.stop();
    expect(failed.filter((how) => how !== '404')).toEqual([]);
    expect(requests).toBeGreaterThan(100);
  });

  test('A8: a rule for the whole mesh denies by a header, at the gateway already', async () => {
    const statusFor = async (user: string): Promise<number> =>
      (await fetch(`${mesh.gateway}/productpage`, { headers: { 'x-user': user } })).status;
    await apply('mixer-rule-deny-header');
    expect([await statusFor('john'), await statusFor('testuser')]).toEqual([403, 200]);
    await mesh.kubectl('delete', '-f', 'config/bookinfo/mixer-rule-deny-header.yaml');
    await mesh.settled();
    expect(await statusFor('john')).toBe(200);
  });

  test('a timeout of half a second, tried twice, makes a page of one second', async () => {
    await apply('virtual-service-reviews-timeout');
    const page = await mesh.page();
    expect(page.errors).toEqual(['Error fetching product reviews']);
    expect(page.ms).toBeGreaterThan(950);
    expect(page.ms).toBeLessThan(2_000);
  });

  test('A10: a page is one trace, each hop the child of the one before', async () => {
    await apply('virtual-service-reviews-v3');
    // A gateway gives requests from outside ids of its own; the user agent is what stays.
    const agent = `test-${crypto.randomUUID()}`;
    expect((await fetch(`${mesh.gateway}/productpage`, { headers: { 'user-agent': agent } })).status).toBe(200);
    const spans = await spansOf(agent, 8);
    const hops = new Map(spans.map((span) => [span.id, span]));
    const chain = (span: Span | undefined): string[] =>
      span === undefined
        ? []
        : [...chain(hops.get(span.parentId ?? '')), `${span.kind} ${span.localEndpoint.serviceName.split('.')[0]}`];
    const leaves = spans.filter(({ id }) => spans.every(({ parentId }) => parentId !== id));
    const before = ['SERVER istio-ingressgateway', 'SERVER productpage', 'CLIENT productpage'];
    expect(leaves.map(chain).sort((a, b) => a.length - b.length)).toEqual([
      [...before, 'SERVER details'],
      [...before, 'SERVER reviews', 'CLIENT reviews', 'SERVER ratings'],
    ]);
  });

  /** All spans of the trace of one request, once so many have come. */
  const spansOf = async (agent: string, count: number): Promise<Span[]> => {
    for (;;) {
      const traces = (await (await fetch(`${mesh.control}/api/v2/traces?limit=100`)).json()) as Span[][];
      const trace = traces.find((spans) => spans.some(({ tags }) => tags['user_agent'] === agent));
      if (trace !== undefined && trace.length >= count) return trace;
      await new Promise((resolve) => setTimeout(resolve, 50)); // they are sent in batches
    }
  };
});

type Span = {
  readonly id: string;
  readonly parentId?: string;
  readonly kind: string;
  readonly localEndpoint: { readonly serviceName: string };
  readonly tags: Readonly<Record<string, string>>;
};

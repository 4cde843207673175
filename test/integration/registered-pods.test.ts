/** Pods that register themselves at a real control plane: what kubectl and the proxies see of them, while they live and when they end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test } from 'vitest';
import { said } from '#control-api/members/fake-mesh.ts';
import { FakeClock } from '#control-api/runner/fake-world.ts';
import { startControlPlane, type ControlPlane } from '../../cli/control-plane.ts';
import { readyOnDemand } from '../../cli/mesh-ready.ts';
import { KUBECTL, kubectlIn, type Kubectl } from '../kit/kubectl.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const NET = `127.77.${process.pid % 250}`;
const APP = `${NET}.1`;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
});

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-registered-'));
  undo.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function plane(dir = tempDir(), clock?: FakeClock, host = '127.0.0.1'): Promise<ControlPlane> {
  const started = await startControlPlane({
    host,
    port: 0,
    stateDir: dir,
    allowHosts: outside() ?? [],
    watchDir: null,
    runtime: null,
    mesh: {},
    ready: () => ready(),
    ...(clock === undefined ? {} : { clock }),
  });
  const ready = readyOnDemand(started.store, () => Number(process.hrtime.bigint()));
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> => (closing ??= started.close());
  undo.push(close);
  return { ...started, close };
}

/** This machine's own address, if it has one besides loopback. */
const outside = (): string[] | undefined => {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const found = all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
  return found === undefined ? undefined : [found];
};

type Reply = { readonly status: number; readonly body: Record<string, unknown>; readonly warning: string };

async function ask(url: string, method: string, path: string, body?: unknown): Promise<Reply> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await fetch(url + path, {
    method,
    ...(body === undefined ? {} : { body: text, headers: { 'content-type': 'application/json' } }),
  });
  const json = (await answer.json()) as Record<string, unknown>;
  return { status: answer.status, body: json, warning: answer.headers.get('warning') ?? '' };
}

const register = (url: string, over: object = {}, id = 'reviews-v1.default'): Promise<Reply> =>
  ask(url, 'PUT', `/lateen/v1/pods/${id}`, { ...said({ ip: APP }), ...over });

const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'reviews' },
  spec: { selector: { app: 'reviews' }, ports: [{ name: 'http', port: 9080 }] },
};
const applyService = (url: string): Promise<Reply> => ask(url, 'POST', '/api/v1/namespaces/default/services', SERVICE);

type Slice = {
  readonly endpoints: readonly { readonly addresses: string[]; readonly conditions: { ready: boolean } }[];
};

/** `address ready|not-ready` of Service reviews. */
async function endpoints(url: string): Promise<string[]> {
  const { body } = await ask(url, 'GET', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices');
  return (body['items'] as Slice[]).flatMap((slice) => slice.endpoints).map(shown);
}
const shown = ({ addresses, conditions }: Slice['endpoints'][number]): string =>
  `${addresses.join()} ${conditions.ready ? 'ready' : 'not-ready'}`;

/** Resolves with the milliseconds until `state` is what is wanted. */
async function until<T>(state: () => Promise<T>, wanted: T): Promise<number> {
  const started = performance.now();
  for (;;) {
    const now = await state();
    if (JSON.stringify(now) === JSON.stringify(wanted)) return performance.now() - started;
    if (performance.now() - started > 10_000) expect(now).toEqual(wanted);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

type Stream = { readonly lines: AsyncIterator<string>; readonly end: () => void };

/** The configuration stream of a proxy, once its first line can be read. */
async function stream(url: string, id = 'reviews-v1.default'): Promise<Stream> {
  const sent = request(`${url}/lateen/v1/config?proxy=${id}`).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.on('error', () => {});
  sent.on('error', () => {});
  undo.push(() => sent.destroy());
  const lines = createInterface({ input: response })[Symbol.asyncIterator]();
  return { lines, end: () => sent.destroy() };
}

/** Reads on to the line of changes by which Service reviews has this one endpoint. */
async function lineWith(lines: Stream['lines'], endpoint: string): Promise<{ readonly revision: number }> {
  for (;;) {
    const line = JSON.parse((await lines.next()).value as string) as {
      readonly revision: number;
      readonly upserts?: readonly ({ readonly kind: string } & Slice)[];
    };
    const slices = (line.upserts ?? []).filter(({ kind }) => kind === 'EndpointSlice');
    if (slices.flatMap((slice) => slice.endpoints.map(shown)).join() === endpoint) return line;
  }
}

async function readyPort(ip = APP): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => {}).end()).listen(15_021, ip);
  await once(server, 'listening');
  undo.push(() => server.close());
  return server;
}

describe('a pod that registers', () => {
  test('is not ready when it falls silent, and then gone', async () => {
    const clock = new FakeClock();
    const { api } = await plane(tempDir(), clock);
    await applyService(api.url);
    expect(await register(api.url)).toMatchObject({ status: 200, body: { heartbeatMs: 3000 } });
    await clock.pass(6000);
    expect(await endpoints(api.url)).toEqual([`${APP} ready`]);
    await clock.pass(10_000);
    expect(await endpoints(api.url)).toEqual([`${APP} not-ready`]);
    await clock.pass(300_000);
    expect(await endpoints(api.url)).toEqual([]);
    const { body } = await ask(api.url, 'GET', '/api/v1/pods');
    expect(body['items']).toEqual([]);
  });

  test('is not ready soon, long before its lease runs out, when its proxy dies', async () => {
    const { api } = await plane();
    await applyService(api.url);
    const port = await readyPort();
    await register(api.url);
    const { lines, end } = await stream(api.url);
    await lines.next();
    port.close();
    await once(port, 'close');
    end();
    const ms = await until(() => endpoints(api.url), [`${APP} not-ready`]);
    expect(ms).toBeGreaterThan(500);
    expect(ms).toBeLessThan(5000);
    await register(api.url);
    await until(() => endpoints(api.url), [`${APP} ready`]);
  });

  test('is an endpoint still in the first line that a proxy is told after the control plane was started anew', async () => {
    const dir = tempDir();
    const first = await plane(dir);
    await applyService(first.api.url);
    await readyPort();
    await register(first.api.url);
    await until(() => endpoints(first.api.url), [`${APP} ready`]);
    await first.close();

    const { api } = await plane(dir);
    const { lines } = await stream(api.url, 'gateway.istio-system');
    const { resources } = JSON.parse((await lines.next()).value as string) as {
      resources: ({ kind: string } & Slice)[];
    };
    const slices = resources.filter(({ kind }) => kind === 'EndpointSlice');
    expect(slices.flatMap((slice) => slice.endpoints).map(shown)).toEqual([`${APP} ready`]);
  });

  test('that ends is answered only when every connected proxy runs without it', async () => {
    const { api, store } = await plane();
    await applyService(api.url);
    await register(api.url);
    const caller = 'productpage-v1.default';
    const { lines } = await stream(api.url, caller);
    const { revision } = JSON.parse((await lines.next()).value as string) as { revision: number };
    await ask(api.url, 'PUT', `/lateen/v1/proxies/${caller}`, { revision, accepted: true });
    let answered = false;
    const ending = register(api.url, { terminating: true }).then((answer) => {
      answered = true;
      return answer;
    });
    // What changed just before it connected may be told once more.
    const told = await lineWith(lines, `${APP} not-ready`);
    await ask(api.url, 'GET', '/lateen/v1/proxies');
    expect(answered).toBe(false);
    await ask(api.url, 'PUT', `/lateen/v1/proxies/${caller}`, { revision: told.revision, accepted: true });
    expect(await ending).toMatchObject({ status: 200, body: { revision: store.revision } });
    const gone = await ask(api.url, 'DELETE', `/lateen/v1/pods/reviews-v1.default?incarnation=${said().incarnation}`);
    expect(gone.status).toBe(200);
    expect(await endpoints(api.url)).toEqual([]);
  });

  const own = outside()?.[0];
  test.skipIf(own === undefined)(
    `may not say another address than its own${own === undefined ? ' (skipped: this machine has none besides loopback)' : ''}`,
    async () => {
      const { api } = await plane(tempDir(), undefined, '0.0.0.0');
      const url = `http://${own}:${new URL(api.url).port}`;
      expect(await register(url)).toMatchObject({
        status: 403,
        body: { kind: 'Status', reason: 'Forbidden', message: expect.stringContaining(`comes from ${own}`) as string },
      });
      expect((await register(url, { ip: own })).status).toBe(200);
    },
  );

  test.each<[string, string, unknown, number, RegExp]>([
    [
      'an older incarnation',
      'reviews-v1.default',
      said({ ip: APP, startedAt: '2020-01-01T00:00:00Z' }),
      409,
      /newer incarnation/,
    ],
    ['no JSON', 'a.default', '{', 400, /not valid JSON/],
    ['a list', 'a.default', [], 400, /expected a registration/],
    ['a prototype', 'a.default', '{"__proto__":{"ip":1}}', 400, /__proto__/],
    ['depth', 'a.default', `${'['.repeat(5000)}${']'.repeat(5000)}`, 400, /levels deep/],
    ['a large body', 'a.default', { ...said(), more: 'x'.repeat(70_000) }, 413, /larger than/],
    ['a path for a name', '..%2F..%2Fadmin.default', said({ ip: `${NET}.9` }), 400, /^pod: expected POD\.NAMESPACE/],
    ['a bad field', 'a.default', { ...said(), labels: { app: '<script>' } }, 400, /^labels\["app"\]/],
  ])('is refused with %s, in words', async (_, id, body, status, message) => {
    const { api } = await plane();
    await register(api.url);
    const answer = await ask(api.url, 'PUT', `/lateen/v1/pods/${id}`, body);
    expect(answer).toMatchObject({
      status,
      body: { kind: 'Status', message: expect.stringMatching(message) as string },
    });
  });
});

const DEPLOYMENT = (replicas: number): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: reviews-v1 }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: reviews, version: v1 } }
  template:
    metadata: { labels: { app: reviews, version: v1 } }
    spec: { containers: [{ name: reviews, image: reviews, ports: [{ containerPort: 9080 }] }] }
`;

describe.skipIf(KUBECTL === null)(
  KUBECTL === null ? 'kubectl (skipped: it is not installed)' : 'kubectl',
  { timeout: 60_000 },
  () => {
    const withKubectl = (url: string): Kubectl => kubectlIn(tempDir(), () => url);

    test('sees pods, deployments and their progress as they are, and is told what nobody will do', async () => {
      const { api } = await plane();
      const kubectl = withKubectl(api.url);
      await applyService(api.url);
      const applied = await kubectl(['apply', '-f', '-'], DEPLOYMENT(1));
      expect(applied).toMatchObject({ code: 0, err: '' });
      expect((await ask(api.url, 'GET', '/lateen/v1/ready')).body).toEqual({
        ready: false,
        reasons: ['deployment default/reviews-v1: 0 of 1 ready'],
      });

      const rollout = kubectl(['rollout', 'status', 'deploy/reviews-v1', '--timeout=20s']);
      await register(api.url);
      expect((await rollout).out).toContain('successfully rolled out');
      expect((await kubectl(['get', 'pods'])).out).toMatch(/^reviews-v1 +2\/2 +Running +0 /m);
      expect((await kubectl(['get', 'deploy'])).out).toMatch(/^reviews-v1 +1\/1 +1 +1 /m);
      expect((await kubectl(['get', 'svc', 'reviews'])).out).toMatch(/^reviews +ClusterIP +10\.96\./m);
      expect((await kubectl(['wait', '--for=condition=Ready', 'pod/reviews-v1', '--timeout=5s'])).code).toBe(0);
      expect((await ask(api.url, 'GET', '/lateen/v1/ready')).body).toEqual({ ready: true, reasons: [] });

      const scaled = await kubectl(['scale', 'deploy/reviews-v1', '--replicas=2']);
      expect(scaled.err).toMatch(/Warning: .*reviews-v1 has 1 of 2: start another with docker compose/);
      expect((await kubectl(['get', 'deploy'])).out).toMatch(/^reviews-v1 +1\/2 /m);
      const { ip } = said({ ip: `${NET}.2` });
      await register(api.url, { ip }, 'reviews-v1-2.default');
      expect((await kubectl(['rollout', 'status', 'deploy/reviews-v1', '--timeout=10s'])).code).toBe(0);
      expect((await kubectl(['rollout', 'restart', 'deploy/reviews-v1'])).err).toMatch(/Warning: .*lateen roll/);
    });

    test('is told where logs are, that nobody runs what it starts, and that what it deletes comes back', async () => {
      const { api } = await plane();
      const kubectl = withKubectl(api.url);
      await register(api.url);
      expect((await kubectl(['logs', 'reviews-v1'])).err).toMatch(/docker compose logs reviews-v1/);
      expect((await kubectl(['exec', 'reviews-v1', '--', 'ls'])).err).toMatch(/docker compose exec reviews-v1 COMMAND/);
      const deleted = await kubectl(['delete', 'pod', 'reviews-v1']);
      expect(deleted).toMatchObject({ code: 0, err: expect.stringMatching(/back with its next heartbeat/) as string });
      await register(api.url);
      expect((await kubectl(['get', 'pod', 'reviews-v1'])).out).toMatch(/2\/2 +Running/);
      const job = await kubectl(['create', 'job', 'load', '--image=load']);
      expect(job.err).toMatch(/nothing starts the Job load: start a container that registers itself/);
    });
  },
);

describe('lateen control', () => {
  test('applies files on the first start alone, and has the gateway’s Service', async () => {
    const dir = tempDir();
    const applied = join(ROOT, 'config/bookinfo/bookinfo.yaml');
    const start = async (): Promise<{ url: string; stop(): Promise<void>; stderr(): string }> => {
      const flags = ['--port=0', `--state=${dir}`, `--apply=${applied}`, '--gateway-port=8088'];
      const child = spawn(process.execPath, [join(ROOT, 'cli/main.ts'), 'control', ...flags], { cwd: dir });
      undo.push(() => child.kill('SIGKILL'));
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const { value } = await lines.next();
      const url = /http:\S+/.exec(String(value))?.[0] ?? '';
      const stop = async (): Promise<void> => {
        const exited = once(child, 'exit');
        child.kill('SIGTERM');
        expect(await exited).toEqual([0, null]);
      };
      return { url, stop, stderr: () => stderr };
    };
    const first = await start();
    const { body } = await ask(first.url, 'GET', '/api/v1/namespaces/istio-system/services/istio-ingressgateway');
    expect(body).toMatchObject({
      spec: {
        type: 'LoadBalancer',
        ports: [{ port: 15021 }, { port: 8088, targetPort: 8080 }, { port: 8443, targetPort: 8443 }],
      },
      status: { loadBalancer: { ingress: [{ ip: '127.0.0.1' }] } },
    });
    const ready = await ask(first.url, 'GET', '/lateen/v1/ready');
    expect(ready.status).toBe(503);
    expect(ready.body['reasons']).toContain('deployment default/reviews-v3: 0 of 1 ready');
    const { status } = await ask(first.url, 'DELETE', '/apis/apps/v1/namespaces/default/deployments/reviews-v3');
    expect(status).toBe(200);
    await register(first.url);
    expect(first.stderr()).toBe('');
    await first.stop();
    expect(JSON.parse(readFileSync(join(dir, 'members.json'), 'utf8'))).toMatchObject([{ pod: 'reviews-v1.default' }]);

    const second = await start();
    const { body: list } = await ask(second.url, 'GET', '/apis/apps/v1/namespaces/default/deployments');
    const names = (list['items'] as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
    expect(names).toEqual(['details-v1', 'productpage-v1', 'ratings-v1', 'reviews-v1', 'reviews-v2']);
    expect((await ask(second.url, 'GET', '/api/v1/namespaces/default/pods/reviews-v1')).status).toBe(200);
    await second.stop();
  });
});

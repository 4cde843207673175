/** The command line against a control API: history, roll back, and what became of a request. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { call, start, stopAll, VS, vs } from '#control-api/server.kit.ts';
import type { ControlApi } from '#control-api/server.ts';
import { TraceStore } from '#control-api/trace-store.ts';
import { traceRoutes } from '#control-api/traces.ts';
import type { Exchange } from '#proxy/live/exchange.ts';
import type { Downstream } from '#proxy/live/stream.ts';
import { fail } from '#proxy/live/verdict.ts';
import { answer } from '#proxy/response/local.ts';
import {
  exchange,
  liveCluster,
  liveEndpoint,
  namedRoute,
  proxyNode,
  tracingSettings,
  workload,
} from '#proxy/telemetry/sample-exchange.ts';
import { ensureRequestId } from '#proxy/telemetry/request-id.ts';
import { createSpanExporter } from '#proxy/telemetry/span-exporter.ts';
import { createSpanRecorder } from '#proxy/telemetry/spans.ts';
import { startTrace } from '#proxy/telemetry/trace-context.ts';
import { startMesh } from '../kit/mesh.ts';

const MAIN = new URL('../../cli/main.ts', import.meta.url).pathname;

type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

let api: ControlApi;
beforeEach(async () => {
  api = await start({ parts: [(app) => traceRoutes(app, new TraceStore())] });
});
afterEach(stopAll);

const lateen = (...args: readonly string[]): Promise<Ran> => lateenAt(api.url, ...args);

const lateenAt = (server: string, ...args: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], LATEEN_SERVER: server };
    execFile(process.execPath, [MAIN, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });

describe('lateen rollback', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'lateen-verbs-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  async function apply(name: string, subset: string): Promise<number> {
    const file = join(dir, `${name}.json`);
    await writeFile(file, JSON.stringify(vs(name, subset)));
    expect(await lateen('apply', '-f', file)).toMatchObject({ code: 0, stderr: '' });
    return api.store.revision;
  }
  const subsets = (): string[] =>
    api.store
      .list('VirtualService')
      .map((r) => `${r.metadata.name} ${/"subset":"(\w+)"/.exec(JSON.stringify(r.spec))?.[1]}`);

  test('undoes a change, says so, and is in the history; the next apply starts from there', async () => {
    const then = await apply('reviews', 'v1');
    await apply('reviews', 'v3');
    const said = 'virtualservice.networking.istio.io/reviews';
    expect(await lateen('rollback', 'vs/reviews', '--to', String(then))).toEqual({
      code: 0,
      stdout: `${said} rolled back to revision ${then}\n`,
      stderr: '',
    });
    expect((await lateen('rollback', 'vs', 'reviews', '--to', String(then))).stdout).toBe(`${said} unchanged\n`);
    const { stdout } = await lateen('history', '--limit', '1');
    expect(stdout).toMatch(
      new RegExp(
        `^REVISION +WHEN +BY +CHANGE +RESOURCE +MESSAGE\\n\\d+ .* local \\(lateen\\) +update +VirtualService default/reviews +rollback to ${then}\\n$`,
      ),
    );
    expect((await lateen('apply', '-f', join(dir, 'reviews.json'))).stdout).toBe(`${said} configured\n`);
    expect(subsets()).toEqual(['reviews v3']);
  });

  test('of everything shows the diff first, when asked to', async () => {
    const then = await apply('reviews', 'v1');
    await apply('reviews', 'v3');
    await apply('ratings', 'v2');
    const preview = await lateen('rollback', '--to', String(then), '--dry-run');
    expect(preview.code).toBe(0);
    expect(preview.stdout).toContain(
      `--- live/VirtualService/default/reviews\n+++ revision-${then}/VirtualService/default/reviews\n`,
    );
    expect(preview.stdout).toMatch(/^- +subset: v3\n\+ +subset: v1$/m);
    expect(preview.stdout).toContain(`reviews rolled back to revision ${then} (server dry run)\n`);
    expect(subsets()).toEqual(['ratings v2', 'reviews v3']);
    expect((await lateen('rollback', '--to', String(then))).stdout).toBe(
      `virtualservice.networking.istio.io/reviews rolled back to revision ${then}\n` +
        `virtualservice.networking.istio.io/ratings rolled back to revision ${then} (deleted: it did not exist then)\n`,
    );
    expect(subsets()).toEqual(['reviews v1']);
  });

  test('keeps to the namespace it is given', async () => {
    const then = await apply('reviews', 'v1');
    await apply('reviews', 'v3');
    expect((await lateen('rollback', '--to', String(then), '-n', 'istio-system')).stdout).toBe(
      `Nothing that people changed since revision ${then}.\n`,
    );
    expect(subsets()).toEqual(['reviews v3']);
  });

  test('says what is wrong, and fails', async () => {
    await apply('reviews', 'v1');
    const { revision } = api.store;
    for (const [args, code, message] of [
      [['rollback', 'vs/reviews'], 1, "error: required option '--to <revision>' not specified"],
      [
        ['rollback', '--to', 'yesterday'],
        1,
        'Expected the number of a revision, such as 41 (lateen history), got "yesterday".',
      ],
      [
        ['rollback', 'vs/reviews', '--to', '999999'],
        1,
        `revision: expected at most ${revision}, which is the newest, got 999999`,
      ],
      [['rollback', 'vs/reviewz', '--to', '1'], 1, 'virtualservices.networking.istio.io "reviewz" not found'],
    ] as const) {
      const ran = await lateen(...args);
      expect([ran.code, ran.stderr]).toEqual([code, expect.stringContaining(message)]);
    }
  });
});

test('lateen history leaves out what the runner did, unless all is asked for', async () => {
  await call(api, 'POST', VS, vs('reviews'), { 'user-agent': 'kubectl/v1.32.0' });
  const labels = { app: 'reviews' };
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'made', namespace: 'default', labels },
  };
  api.store.put({ ...account, spec: undefined }, { via: 'runner', user: 'system:lateen' });
  const shown = async (...args: readonly string[]): Promise<string[]> =>
    (await lateen('history', ...args)).stdout
      .split('\n')
      .slice(1, -1)
      .map((line) => line.split(/ {2,}/).at(-1)!);
  expect(await shown()).toEqual(['VirtualService default/reviews']);
  expect((await shown('--all'))[0]).toBe('ServiceAccount default/made');
  expect(await shown('--limit', '1')).toEqual(['VirtualService default/reviews']);
});

describe('lateen explain', () => {
  const ingress = proxyNode(workload('istio-ingressgateway', 'latest', '127.1.0.1'), 'gateway');
  const reviews = proxyNode(workload('reviews', 'v3', '127.1.0.3'));
  const rule = { kind: 'VirtualService', namespace: 'default', name: 'reviews', path: 'spec.http[0]' };
  const policy = { kind: 'AuthorizationPolicy', namespace: 'default', name: 'deny-all', path: 'spec.rules[0]' };
  const silent = { sendHead() {}, sendData: () => true, sendEnd() {}, flush() {} } as unknown as Downstream;

  /** A request through a gateway to reviews, whose sidecar refuses it; what it was told to outside. */
  function refused(): { outside: Exchange; inside: Exchange } {
    const outside = exchange('gateway');
    ensureRequestId(outside, true);
    startTrace(outside, tracingSettings(), Math.random);
    outside.route = { ...namedRoute('reviews'), source: rule };
    outside.cluster = liveCluster('outbound|9080||reviews.default.svc.cluster.local', 'reviews');
    outside.endpoint = liveEndpoint(workload('reviews', 'v3', '127.1.0.3'));
    outside.status = 403;
    const inside = exchange('inbound');
    inside.headers = outside.headers;
    ensureRequestId(inside, false);
    startTrace(inside, tracingSettings(0), Math.random);
    inside.decidedBy = policy;
    inside.reason = 'denied by AuthorizationPolicy default/deny-all, rule 0: the caller is unknown';
    const failure = { kind: 'denied', policy: 'deny-all', status: 403, body: 'RBAC: access denied' } as const;
    answer(inside, silent, fail(failure), false, () => {});
    return { outside, inside };
  }

  async function send(exchanges: readonly [typeof ingress, Exchange][]): Promise<void> {
    const exporter = createSpanExporter({ collectors: [api.url], flushMs: 60_000 });
    for (const [node, x] of exchanges) {
      const recorder = createSpanRecorder(node, ['zipkin'], (batch) => exporter.push(batch));
      recorder.use({ client: tracingSettings(), server: tracingSettings() });
      recorder.record(x);
      recorder.flush();
    }
    await exporter.close();
  }

  test('tells of an id which rule decided, and why, hop by hop', async () => {
    const { outside, inside } = refused();
    await send([
      [ingress, outside],
      [reviews, inside],
    ]);
    const { code, stdout } = await lateen('explain', outside.requestId);
    expect(code).toBe(0);
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(
      new RegExp(`^GET /reviews/0 → 403 in 12\\.9 ms at \\S+ \\(request ${outside.requestId}, trace `),
    );
    expect(lines.slice(2).map((line) => line.split(/ {3,}/))).toEqual([
      ['WORKLOAD', 'HOP', 'REQUEST', 'STATUS', 'FLAGS', 'DECISION', 'RULE'],
      [
        'istio-ingressgateway.default',
        'gateway',
        'GET /reviews/0',
        '403',
        '-',
        'sent to outbound|9080||reviews.default.svc.cluster.local at 127.1.0.3:9080',
        'VirtualService/default/reviews spec.http[0]',
      ],
      [
        '  reviews-v3.default',
        'inbound',
        'GET /reviews/0',
        '403',
        '-',
        'answered by itself',
        'AuthorizationPolicy/default/deny-all spec.rules[0]',
      ],
      [''],
      [
        'Why: reviews-v3.default (inbound): denied by AuthorizationPolicy default/deny-all, rule 0: the caller is unknown',
      ],
      [''],
    ]);
    const json = JSON.parse((await lateen('explain', outside.requestId, '-o', 'json')).stdout) as {
      requests: { traceId: string; hops: { proxy: string; decidedBy: string }[] }[];
    };
    expect(json.requests.map(({ hops }) => hops.map(({ proxy }) => proxy))).toEqual([
      ['istio-ingressgateway-latest-0.default', 'reviews-v3-0.default'],
    ]);
    expect((await lateen('explain', outside.trace!.traceId)).stdout).toContain('Why: reviews-v3.default');
  });

  test('resolves what a real gateway says of a request that it answered by itself', async () => {
    await using mesh = await startMesh();
    const reply = await fetch(`${mesh.gateway}/nowhere`);
    expect([reply.status, reply.headers.get('x-lateen-reason')]).toEqual([404, null]);
    const { stdout, stderr } = await lateenAt(mesh.control, 'explain', reply.headers.get('x-request-id')!);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^ *istio-ingressgateway\.\S+ +gateway +GET \/nowhere +404 +NR +answered by itself +-$/m);
    expect(stdout).toContain('(gateway): no route for GET 127.0.0.1:');
  });

  test('waits for spans that are still on their way', async () => {
    const asked = Promise.withResolvers<void>();
    const traces = new TraceStore();
    const find = traces.find.bind(traces);
    traces.find = (query) => {
      asked.resolve();
      return find(query);
    };
    api = await start({ parts: [(app) => traceRoutes(app, traces)] });
    const { outside, inside } = refused();
    const ran = lateen('explain', outside.requestId);
    await asked.promise;
    await send([
      [ingress, outside],
      [reviews, inside],
    ]);
    expect(await ran).toMatchObject({ code: 0, stdout: expect.stringContaining('Why: ') as string });
  });

  test('of an id it does not know says why that may be', async () => {
    const [plain, traced] = ['2f0e8f8a-1b1c-4d4e-8f9a-0123456789ab', '2f0e8f8a-1b1c-9d4e-8f9a-0123456789ab'];
    const [one, two, bad] = await Promise.all([
      lateen('explain', plain),
      lateen('explain', traced),
      lateen('explain', 'a b'),
    ]);
    expect([one.code, one.stdout]).toEqual([1, '']);
    expect(one.stderr).toContain('its 15th character, 4, says that this request was not picked for tracing.');
    expect(one.stderr).toContain('lateen up --tracing 100');
    expect(two.stderr).toContain(`no trace of ${traced} at ${api.url}: it was picked for tracing, so it is too old`);
    expect(two.stderr).toContain('--server URL');
    expect(bad.stderr).toContain('of the header x-request-id, got "a b".');
  });
});

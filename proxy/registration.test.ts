import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { afterEach, describe, test } from 'vitest';
import { Registration, type AppContainer, type RegistrationOptions } from './registration.ts';
import type { ProxyNode } from './snapshot/node.ts';

const node = {
  role: 'sidecar',
  name: 'reviews-v1',
  namespace: 'default',
  workload: 'reviews-v1',
  serviceAccount: 'bookinfo-reviews',
  labels: { app: 'reviews', version: 'v1' },
  ip: '127.0.0.1',
} as unknown as ProxyNode;
const APP: AppContainer = { name: 'reviews', image: 'bookinfo', ports: [9080], probe: null };

type Body = {
  readonly containers: readonly { readonly name: string; readonly ready: boolean; readonly reason?: string }[];
  readonly terminating: boolean;
  readonly [field: string]: unknown;
};
type Asked = { readonly line: string; readonly body: Body; readonly answer: (status: number, body?: unknown) => void };

/** A control API of which the test answers every request itself. */
async function fakeApi(port = 0) {
  const waiting: Asked[] = [];
  const takers: ((asked: Asked) => void)[] = [];
  let requests = 0;
  const server = createServer((request, response: ServerResponse) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      requests++;
      const asked: Asked = {
        line: `${request.method} ${request.url}`,
        body: (text === '' ? {} : JSON.parse(text)) as Body,
        answer: (status, body = { revision: 1, heartbeatMs: 60_000 }) =>
          void response.writeHead(status).end(JSON.stringify(body)),
      };
      const taker = takers.shift();
      if (taker === undefined) waiting.push(asked);
      else taker(asked);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const api = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    port: (server.address() as AddressInfo).port,
    requests: () => requests,
    next: (): Promise<Asked> =>
      waiting.length > 0 ? Promise.resolve(waiting.shift()!) : new Promise((resolve) => takers.push(resolve)),
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  open.push(() => api.close());
  return api;
}

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function registration(url: string, over: Partial<RegistrationOptions> = {}) {
  const log: string[] = [];
  const notReady: string[] = [];
  const taken = Promise.withResolvers<void>();
  const made = new Registration({
    node,
    url,
    app: APP,
    startedAt: Date.UTC(2026, 0, 2),
    notReady: () => notReady,
    connected: () => true,
    log: (level, message) => {
      log.push(`${level} ${message}`);
      if (message.startsWith('registered')) taken.resolve();
    },
    times: { away: 5, refused: 5 },
    ...over,
  });
  open.push(() => made.close());
  /** Resolves when it has been taken for the first time, and nothing is under way. */
  const registered = taken.promise.then(() => new Promise((resolve) => setImmediate(resolve)));
  return { made, log, notReady, registered };
}

const readiness = ({ containers }: Body): string => containers.map((c) => `${c.name}=${c.ready}`).join(' ');

describe('a proxy that registers', () => {
  test('says who it is, and what runs in its pod', async () => {
    const api = await fakeApi();
    const { made, log, notReady } = registration(api.url);
    notReady.push('no configuration is in force yet');
    made.start();
    const first = await api.next();
    assert.equal(first.line, 'PUT /lateen/v1/pods/reviews-v1.default');
    assert.deepEqual(first.body, {
      ip: '127.0.0.1',
      addresses: [],
      labels: { app: 'reviews', version: 'v1' },
      serviceAccount: 'bookinfo-reviews',
      workload: 'reviews-v1',
      role: 'sidecar',
      node: hostname(),
      startedAt: '2026-01-02T00:00:00.000Z',
      incarnation: `${Date.UTC(2026, 0, 2)}-${process.pid}`,
      containers: [
        { name: 'reviews', image: 'bookinfo', ports: [9080], ready: true },
        {
          name: 'istio-proxy',
          image: 'lateen',
          ports: [],
          ready: false,
          reason: 'no configuration is in force yet',
        },
      ],
      terminating: false,
    });
    // What changes while one is under way is told after it.
    notReady.pop();
    made.changed();
    first.answer(200);
    const second = await api.next();
    assert.equal(readiness(second.body), 'reviews=true istio-proxy=true');
    second.answer(200);
    notReady.push('draining');
    made.changed();
    assert.equal(readiness((await api.next()).body), 'reviews=true istio-proxy=false');
    assert.deepEqual(log, ['info registered as pod reviews-v1.default']);
  });

  test('as a gateway has no application', async () => {
    const api = await fakeApi();
    const { made } = registration(api.url, { app: null });
    assert.equal(made.app, null);
    made.start();
    assert.equal(readiness((await api.next()).body), 'istio-proxy=true');
  });

  test('repeats itself as often as it is asked to', async () => {
    const api = await fakeApi();
    const { made, log } = registration(api.url);
    made.start();
    const bodies = [];
    for (let i = 0; i < 4; i++) {
      const asked = await api.next();
      bodies.push(asked.body);
      asked.answer(200, { revision: 1, heartbeatMs: 10 });
    }
    assert.deepEqual(bodies, Array(4).fill(bodies[0]));
    assert.equal(log.length, 1);
  });

  test('says nothing when nothing has changed', async () => {
    const api = await fakeApi();
    const { made, notReady, registered } = registration(api.url);
    made.start();
    (await api.next()).answer(200);
    await registered;
    made.changed();
    notReady.push('draining');
    made.changed();
    assert.equal(readiness((await api.next()).body), 'reviews=true istio-proxy=false');
    assert.equal(api.requests(), 2);
  });

  test('tells of its application what its probe finds, at once', async () => {
    const api = await fakeApi();
    let healthy = false;
    const app = createServer((_, response) => response.writeHead(healthy ? 200 : 500).end());
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    open.push(() => app.close());
    const probe = { host: '127.0.0.1', port: (app.address() as AddressInfo).port, path: '/health' };
    const { made } = registration(api.url, { app: { ...APP, probe }, times: { probe: 5 } });
    made.start();
    const reasons: (string | undefined)[] = [];
    for (;;) {
      const { body, answer } = await api.next();
      answer(200);
      reasons.push(body.containers[0]?.reason);
      if (body.containers[0]?.ready === true) break;
      if (reasons.at(-1) === 'HTTP probe failed with statuscode: 500') healthy = true;
    }
    assert.deepEqual(reasons.slice(-2), ['HTTP probe failed with statuscode: 500', undefined]);
    assert.equal(made.app?.why(), null);
  });
});

describe('a registration that is not taken', () => {
  for (const [status, message, says] of [
    [
      409,
      'pods "reviews-v1" is held by a newer incarnation',
      'warn not registered: another proxy has taken the name reviews-v1: give this one a name of its own with --name (pods "reviews-v1" is held by a newer incarnation)',
    ],
    [
      403,
      'expected 10.0.0.9',
      /^warn not registered: 127\.0\.0\.1 is not the address that http:.* sees this proxy at: .* --ip .*\(expected 10\.0\.0\.9\)$/,
    ],
    [400, 'labels: expected an object', /^warn not registered: the control API cannot read .*\(labels: expected/],
    [404, 'no such path', /^warn not registered: .* knows nothing of registration/],
    [503, 'busy', /^warn not registered: .* answered 503; it is tried again \(busy\)$/],
  ] as const) {
    test(`(${status}) is logged once, in words, and tried again`, async () => {
      const api = await fakeApi();
      const { made, log, registered } = registration(api.url);
      made.start();
      for (let i = 0; i < 3; i++) (await api.next()).answer(status, { kind: 'Status', message });
      (await api.next()).answer(200);
      await registered;
      assert.equal(log.length, 2);
      if (typeof says === 'string') assert.equal(log[0], says);
      else assert.match(log[0]!, says);
      assert.equal(log[1], 'info registered as pod reviews-v1.default');
    });
  }

  test('because nobody is there is tried again without a word', async () => {
    const first = await fakeApi();
    await first.close();
    const { made, log, registered } = registration(first.url);
    made.start();
    await made.refresh();
    assert.deepEqual(log, []);
    const back = await fakeApi(first.port);
    (await back.next()).answer(200);
    await registered;
    assert.deepEqual(log, ['info registered as pod reviews-v1.default']);
  });

  test('of a control API that answers nonsense does no harm', async () => {
    const api = await fakeApi();
    const { made, log, registered } = registration(api.url);
    made.start();
    (await api.next()).answer(500, 'x'.repeat(1_000_000));
    (await api.next()).answer(200, null);
    await registered;
    const refreshed = made.refresh();
    (await api.next()).answer(200, { heartbeatMs: 'soon' });
    await refreshed;
    assert.ok(log[0]!.length < 1000, 'no more than a sentence of it is logged');
    assert.equal(log[1], 'info registered as pod reviews-v1.default');
  });
});

describe('a proxy that comes back to its control API', () => {
  test('has registered when refresh resolves', async () => {
    const api = await fakeApi();
    const { made, registered } = registration(api.url);
    await made.refresh();
    assert.equal(api.requests(), 0, 'not before it is started');
    made.start();
    (await api.next()).answer(200);
    await registered;
    let done = false;
    const refreshed = made.refresh().then(() => (done = true));
    const asked = await api.next();
    assert.equal(done, false);
    asked.answer(200);
    await refreshed;
  });

  test('does not wait for one that does not answer', async () => {
    const api = await fakeApi();
    const { made } = registration(api.url, { times: { refresh: 10 } });
    made.start();
    await made.refresh();
    await api.next();
  });
});

describe('a proxy that ends', () => {
  test('says so, waits until all have heard, and goes', async () => {
    const api = await fakeApi();
    const { made } = registration(api.url);
    made.start();
    (await api.next()).answer(200);
    let heard = false;
    const withdrawn = made.withdraw().then(() => (heard = true));
    const last = await api.next();
    assert.deepEqual(
      [last.line, last.body.terminating, heard],
      ['PUT /lateen/v1/pods/reviews-v1.default', true, false],
    );
    made.changed();
    await made.refresh();
    last.answer(200, { revision: 2, heartbeatMs: 10 });
    await withdrawn;
    const removed = made.remove();
    const gone = await api.next();
    assert.equal(
      gone.line,
      `DELETE /lateen/v1/pods/reviews-v1.default?incarnation=${Date.UTC(2026, 0, 2)}-${process.pid}`,
    );
    gone.answer(200);
    await removed;
    assert.equal(api.requests(), 3, 'and nothing besides');
  });

  test('lets a heartbeat that is under way arrive first', async () => {
    const api = await fakeApi();
    const { made, registered } = registration(api.url);
    made.start();
    (await api.next()).answer(200);
    await registered;
    void made.refresh();
    const heartbeat = await api.next();
    const withdrawn = made.withdraw();
    assert.equal(api.requests(), 2);
    heartbeat.answer(200);
    const last = await api.next();
    assert.equal(last.body.terminating, true);
    last.answer(200);
    await withdrawn;
  });

  test('does not wait for a control API that is away, nor longer than its limit for one that is not', async () => {
    const api = await fakeApi();
    let connected = false;
    const { made, log, registered } = registration(api.url, {
      connected: () => connected,
      times: { withdraw: 20, remove: 20 },
    });
    made.start();
    (await api.next()).answer(200);
    await registered;
    await made.withdraw();
    assert.equal(api.requests(), 1);
    connected = true;
    await made.withdraw();
    assert.match(log.at(-1)!, /^warn the control API does not say whether all proxies have heard/);
    await made.remove();
  });

  test('and never was a Pod has nothing to take back', async () => {
    const api = await fakeApi();
    const { made } = registration(api.url);
    made.start();
    (await api.next()).answer(409, { message: 'held' });
    await made.withdraw();
    await made.remove();
    assert.equal(api.requests(), 1);
  });
});

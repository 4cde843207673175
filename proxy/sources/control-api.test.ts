import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'vitest';
import { ControlApiSource } from './control-api.ts';
import type { Update } from './source.ts';

const resource = (name: string, version = '1') => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', resourceVersion: version },
  spec: {},
});

type Api = AsyncDisposable & {
  readonly url: string;
  /** The next stream a proxy opens. */
  stream(): Promise<ServerResponse>;
  /** The next report of a proxy. */
  report(): Promise<unknown>;
};

function queue<T>(): { put(item: T): void; take(): Promise<T> } {
  const items: T[] = [];
  const takers: ((item: T) => void)[] = [];
  return {
    put: (item) => (takers.length > 0 ? takers.shift()!(item) : void items.push(item)),
    take: () => (items.length > 0 ? Promise.resolve(items.shift()!) : new Promise((resolve) => takers.push(resolve))),
  };
}

async function fakeApi(): Promise<Api> {
  const streams = queue<ServerResponse>();
  const reports = queue<unknown>();
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    if (request.method === 'GET') {
      assert.equal(request.url, '/lateen/v1/config?proxy=reviews-1.default');
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.flushHeaders();
      streams.put(response);
      return;
    }
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      reports.put(JSON.parse(body));
      response.end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stream: () => streams.take(),
    report: () => reports.take(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('the stream of the control API', () => {
  test('is a set and then changes, however its lines are cut', async () => {
    await using api = await fakeApi();
    const updates = queue<Update>();
    const source = new ControlApiSource(api.url, 'reviews-1.default', () => undefined);
    source.start((update) => updates.put(update));
    const stream = await api.stream();
    const set = `${JSON.stringify({ kind: 'set', revision: 4, resources: [resource('a'), resource('b')] })}\n`;
    stream.write(set.slice(0, 20));
    stream.write(`${set.slice(20)}{"kind":"ping"}\n`);
    const first = await updates.take();
    assert.deepEqual([first.revision, first.resources.map((r) => r.metadata.name)], [4, ['a', 'b']]);
    stream.write(
      `${JSON.stringify({ kind: 'change', revision: 5, upserts: [resource('b', '2'), resource('c')], deletes: ['Service/default/a'] })}\n`,
    );
    const second = await updates.take();
    assert.deepEqual(
      second.resources.map((r) => `${r.metadata.name}@${r.metadata.resourceVersion}`),
      ['b@2', 'c@1'],
    );
    source.close();
  });

  test('is opened again when it breaks, and begins with a whole set then', async () => {
    await using api = await fakeApi();
    const updates = queue<Update>();
    const source = new ControlApiSource(api.url, 'reviews-1.default', () => undefined);
    source.start((update) => updates.put(update));
    const one = await api.stream();
    one.write(`${JSON.stringify({ kind: 'set', revision: 1, resources: [resource('a')] })}\n`);
    await updates.take();
    one.destroy();
    const two = await api.stream();
    two.write(`${JSON.stringify({ kind: 'set', revision: 2, resources: [resource('b')] })}\n`);
    assert.deepEqual(
      (await updates.take()).resources.map((r) => r.metadata.name),
      ['b'],
    );
    source.close();
  });

  test('that sends nonsense is dropped and opened again; nothing is applied of it', async () => {
    await using api = await fakeApi();
    const updates = queue<Update>();
    const source = new ControlApiSource(api.url, 'reviews-1.default', () => undefined);
    source.start((update) => updates.put(update));
    (await api.stream()).write('not json\n');
    const again = await api.stream();
    again.write(`${JSON.stringify({ kind: 'set', revision: 2, resources: [] })}\n`);
    assert.equal((await updates.take()).revision, 2);
    source.close();
  });

  test('may hold what this proxy does not know: it goes on, with the same configuration', async () => {
    await using api = await fakeApi();
    const updates = queue<Update>();
    const source = new ControlApiSource(api.url, 'reviews-1.default', () => undefined);
    source.start((update) => updates.put(update));
    const stream = await api.stream();
    stream.write('{"kind":"set","revision":1,"resources":[]}\n');
    await updates.take();
    stream.write('{"kind":"of-next-year","revision":2}\n{"revision":3}\n');
    stream.write(`${JSON.stringify({ kind: 'change', revision: 4, upserts: [resource('a')], deletes: [] })}\n`);
    const next = await updates.take();
    assert.deepEqual([next.revision, next.resources.length], [4, 1]);
    source.close();
  });

  test('asks for pages; what is no question is passed over', async () => {
    await using api = await fakeApi();
    const asked = queue<readonly [string, string]>();
    const source = new ControlApiSource(api.url, 'reviews-1.default', () => undefined);
    source.onAsk = (id, path) => asked.put([id, path]);
    source.start(() => undefined);
    const stream = await api.stream();
    for (const bad of [{}, { id: 1, path: '/' }, { id: '../x', path: '/' }, { id: 'x', path: null }])
      stream.write(`${JSON.stringify({ kind: 'ask', ...bad })}\n`);
    stream.write('{"kind":"ask","id":"A-_z9","path":"/ready"}\n');
    assert.deepEqual(await asked.take(), ['A-_z9', '/ready']);
    assert.equal(await source.answer('A-_z9', { status: 200, type: 'application/json', body: '{"live":true}' }), true);
    assert.deepEqual(await api.report(), { live: true });
    source.close();
    assert.equal(await source.answer('A-_z9', { status: 200, type: 'text/plain', body: '' }), false);
  });

  test('is told what runs, and told again after an outage', async () => {
    await using api = await fakeApi();
    const source = new ControlApiSource(api.url, 'reviews-1.default', () => undefined);
    source.start(() => undefined);
    const stream = await api.stream();
    source.report({ revision: 7 });
    assert.deepEqual(await api.report(), { revision: 7 });
    stream.destroy();
    await api.stream();
    assert.deepEqual(await api.report(), { revision: 7 });
    source.close();
  });
});

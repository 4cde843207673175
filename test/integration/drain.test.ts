/** A proxy that is told to stop: callers are let go politely, and the application may call out until it has answered them. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, test } from 'vitest';
import { clusterName, tableName } from '#proxy/core/brand.ts';
import type { HttpListener } from '#proxy/snapshot/listener.ts';
import { cluster, endpoint, NODE, rawOrigin, route, startProxy, type TestProxy } from '../kit/proxy.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const GET = 'GET / HTTP/1.1\r\nHost: app\r\n\r\n';

const clients: Socket[] = [];
afterEach(() => {
  for (const socket of clients.splice(0)) socket.destroy();
});

/** A raw client; `until` resolves with all it has read when that holds, `closed` when the far end is done. */
function client(port: number): {
  send(text: string): void;
  until(what: RegExp): Promise<string>;
  closed: Promise<string>;
} {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  clients.push(socket);
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = '';
  let look = (): void => undefined;
  socket.on('data', (chunk: string) => ((text += chunk), look()));
  socket.on('end', () => resolve(text));
  socket.on('error', (error: NodeJS.ErrnoException) => resolve(`${text}<${error.code}>`));
  return {
    send: (bytes) => void socket.write(bytes),
    until: (what) =>
      new Promise((done) => {
        look = () => {
          if (what.test(text)) done(text);
        };
        look();
      }),
    closed: promise,
  };
}

/** A sidecar whose application answers as `app` says; `out` is where the application may call to. */
async function sidecar(app: { port: number }, out: { port: number }): Promise<TestProxy> {
  const inbound: HttpListener = {
    kind: 'http',
    name: 'inbound',
    address: NODE.ip,
    port: 0,
    direction: 'inbound',
    authz: null,
    pick: 'fixed',
    tables: {},
    fallback: tableName('in'),
    forwardProxy: null,
    captured: null,
  };
  const to = (name: string): ReturnType<typeof route> =>
    route({
      action: {
        kind: 'forward',
        split: [{ cluster: clusterName(name), weight: 1, requestHeaders: null, responseHeaders: null }],
        rewrite: null,
      },
    });
  const proxy = await startProxy({
    clusters: [cluster('origin'), cluster('app', { direction: 'inbound' })],
    endpoints: { origin: [endpoint(out.port)], app: [endpoint(app.port)] },
    listeners: [inbound],
    tables: {
      in: { name: tableName('in'), virtualHosts: [{ name: 'all', domains: ['*'], routes: [to('app')] }] },
    },
  });
  return proxy;
}

describe('a listener that goes, as that of a Gateway that was deleted', () => {
  test('lets its clients go with the next answer, and takes no more', async () => {
    await using app = await rawOrigin((socket) => void socket.on('data', () => socket.write(OK)));
    await using proxy = await sidecar(app, app);
    const port = proxy.ports['inbound']!;
    const caller = client(port);
    caller.send(GET);
    await caller.until(/ok$/);
    await proxy.apply({ listeners: [] });
    await refused(port);
    caller.send(GET);
    assert.match(await caller.closed, /ok[^]*HTTP\/1\.1 404 Not Found\r\n[^]*connection: close\r\n/i);
  });
});

describe('a sidecar that drains', () => {
  test('lets the application call out, on new connections, until callers have their answers', async () => {
    await using out = await rawOrigin((socket) => void socket.on('data', () => socket.write(OK)));
    const asked = Promise.withResolvers<Socket>();
    await using app = await rawOrigin((socket) => void socket.once('data', () => asked.resolve(socket)));
    await using proxy = await sidecar(app, out);
    const caller = client(proxy.ports['inbound']!);
    caller.send(GET);
    const answer = await asked.promise;

    const over = proxy.drain(5000);
    await refused(proxy.ports['inbound']!);
    for (let i = 0; i < 2; i++) assert.equal(await callOut(proxy.port), 200);
    answer.write(OK);

    assert.match(await caller.closed, /^HTTP\/1\.1 200 OK\r\n[^]*connection: close\r\n[^]*ok$/i);
    await over;
    await refused(proxy.port);
  });

  test('answers a request on an idle connection with Connection: close, and ends when nothing is left', async () => {
    await using app = await rawOrigin((socket) => void socket.on('data', () => socket.write(OK)));
    await using proxy = await sidecar(app, app);
    const caller = client(proxy.ports['inbound']!);
    caller.send(GET);
    assert.doesNotMatch(await caller.until(/ok$/), /connection: close/i);

    const started = performance.now();
    const over = proxy.drain(20_000);
    await refused(proxy.ports['inbound']!);
    caller.send(GET);

    assert.match(await caller.closed, /ok[^]*connection: close\r\n[^]*ok$/i);
    await over;
    assert.ok(performance.now() - started < 10_000, 'it did not wait for its deadline');
  });

  test('closes a connection on which nothing comes', async () => {
    await using app = await rawOrigin((socket) => void socket.on('data', () => socket.write(OK)));
    await using proxy = await sidecar(app, app);
    const caller = client(proxy.ports['inbound']!);
    caller.send(GET);
    await caller.until(/ok$/);
    void proxy.drain(20_000);
    assert.match(await caller.closed, /ok$/);
  });

  test('gives a tunnel until the deadline, then cuts it and reports it', async () => {
    await using app = await rawOrigin((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
        socket.on('data', (bytes) => socket.write(bytes));
      });
    });
    await using proxy = await sidecar(app, app);
    const caller = client(proxy.ports['inbound']!);
    caller.send('GET / HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
    await caller.until(/\r\n\r\n$/);
    const started = performance.now();
    const over = proxy.drain(400);
    await refused(proxy.ports['inbound']!);
    caller.send('still there');
    await caller.until(/still there$/);
    await over;
    assert.ok(performance.now() - started >= 400);
    assert.match(await caller.closed, /still there/);
    assert.equal((await proxy.log())[0]?.['response_code'], 101);
  });
});

/** Resolves when nobody listens there any more. */
async function refused(port: number): Promise<void> {
  for (;;) {
    const code = await new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('connect', () => (resolve('open'), socket.destroy()));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    });
    if (code === 'ECONNREFUSED') return;
  }
}

/** As an application does: a connection of its own to the outbound port. Resolves with the status. */
const callOut = (port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, headers: { host: 'origin' }, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    })
      .on('error', reject)
      .end();
  });

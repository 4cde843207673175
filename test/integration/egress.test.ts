import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'vitest';
import { clusterName } from '#proxy/core/brand.ts';
import type { TcpListener } from '#proxy/snapshot/listener.ts';
import { cluster, endpoint, exchange, rawOrigin, route, startProxy } from '../kit/proxy.ts';

const passthrough = cluster('PassthroughCluster', {
  discovery: { kind: 'passthrough' },
  service: null,
  balancing: { kind: 'PASSTHROUGH' },
});
const toPassthrough = route({
  action: {
    kind: 'forward',
    split: [{ cluster: clusterName('PassthroughCluster'), weight: 1, requestHeaders: null, responseHeaders: null }],
    rewrite: null,
  },
});

const tcpListener = (cluster: string): TcpListener => ({
  kind: 'tcp',
  name: 'tcp',
  address: '127.0.0.1',
  port: 0,
  direction: 'outbound',
  authz: null,
  rules: [{ destinations: [], serverNames: [], split: [{ cluster: clusterName(cluster), weight: 1 }], source: null }],
});

/** Speaks first, then echoes. */
const greeting = () =>
  rawOrigin((socket) => {
    socket.write('hello ');
    socket.on('data', (bytes) => socket.write(bytes));
    socket.on('end', () => socket.end());
  });

describe('a TCP listener', () => {
  test('joins client and server, lets the server speak first, and passes each end’s FIN on', async () => {
    await using origin = await greeting();
    await using proxy = await startProxy({
      clusters: [cluster('origin'), cluster('db', { protocol: 'tcp' })],
      endpoints: { db: [endpoint(origin.port)] },
      listeners: [tcpListener('db')],
    });
    const socket = connect(proxy.ports['tcp']!, '127.0.0.1');
    let text = '';
    const ended = Promise.withResolvers<void>();
    socket.on('data', (bytes) => {
      text += bytes.toString();
      if (text === 'hello ') socket.end('world');
    });
    socket.on('end', () => ended.resolve());
    await ended.promise;
    assert.equal(text, 'hello world');
  });

  test('resets the client when nobody is there', async () => {
    const origin = await greeting();
    await origin[Symbol.asyncDispose]();
    await using proxy = await startProxy({
      clusters: [cluster('origin'), cluster('db', { protocol: 'tcp' })],
      endpoints: { db: [endpoint(origin.port)] },
      listeners: [tcpListener('db')],
    });
    assert.deepEqual(await exchange(proxy.ports['tcp']!, 'x'), { text: '', ended: 'reset' });
  });

  test('refuses connections over the limit of its cluster', async () => {
    await using origin = await greeting();
    await using proxy = await startProxy({
      clusters: [cluster('origin'), cluster('db', { protocol: 'tcp', maxConnections: 0 })],
      endpoints: { db: [endpoint(origin.port)] },
      listeners: [tcpListener('db')],
    });
    assert.equal((await exchange(proxy.ports['tcp']!, 'x')).ended, 'reset');
  });
});

describe('the outbound proxy port', () => {
  test('tunnels CONNECT to a known TCP host, early bytes included', async () => {
    await using origin = await greeting();
    await using proxy = await startProxy({
      clusters: [cluster('origin'), cluster('db', { protocol: 'tcp' }), passthrough],
      endpoints: { db: [endpoint(origin.port)] },
      listener: {
        forwardProxy: {
          connect: { 'db.example:3306': [{ cluster: clusterName('db'), weight: 1 }] },
          unknown: 'REGISTRY_ONLY',
        },
      },
    });
    const { text } = await exchange(
      proxy.port,
      'CONNECT db.example:3306 HTTP/1.1\r\nHost: db.example:3306\r\n\r\nworld',
      'world',
    );
    assert.match(text, /^HTTP\/1\.1 200 Connection Established\r\n\r\nhello world$/);
  });

  test('lets CONNECT pass to anybody only where the policy allows it', async () => {
    await using origin = await greeting();
    const start = (unknown: 'ALLOW_ANY' | 'REGISTRY_ONLY') =>
      startProxy({ clusters: [cluster('origin'), passthrough], listener: { forwardProxy: { connect: {}, unknown } } });
    const ask = `CONNECT 127.0.0.1:${origin.port} HTTP/1.1\r\nHost: 127.0.0.1:${origin.port}\r\n\r\n`;
    await using open = await start('ALLOW_ANY');
    assert.match((await exchange(open.port, ask, 'hello')).text, /^HTTP\/1\.1 200/);
    await using closed = await start('REGISTRY_ONLY');
    const { text } = await exchange(closed.port, ask, '\r\n\r\n');
    assert.match(text, /^HTTP\/1\.1 502/);
    assert.match(
      text,
      /x-lateen-reason: 127\.0\.0\.1:\d+ is not in the registry and the outbound policy is REGISTRY_ONLY/,
    );
  });

  test('answers 503 to CONNECT when the far end refuses', async () => {
    const origin = await greeting();
    await origin[Symbol.asyncDispose]();
    await using proxy = await startProxy({
      clusters: [cluster('origin'), passthrough],
      listener: { forwardProxy: { connect: {}, unknown: 'ALLOW_ANY' } },
    });
    const ask = `CONNECT 127.0.0.1:${origin.port} HTTP/1.1\r\nHost: 127.0.0.1:${origin.port}\r\n\r\n`;
    assert.match((await exchange(proxy.port, ask, 'failure')).text, /^HTTP\/1\.1 503/);
  });

  test('refuses CONNECT where it is not served', async () => {
    await using proxy = await startProxy({});
    assert.match(
      (await exchange(proxy.port, 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', '\r\n\r\n')).text,
      /^HTTP\/1\.1 405/,
    );
  });

  test('takes absolute form, and refuses to be its own far end', async () => {
    await using origin = await rawOrigin((socket) =>
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')),
    );
    await using proxy = await startProxy({ clusters: [cluster('origin'), passthrough], routes: [toPassthrough] });
    const there = `127.0.0.1:${origin.port}`;
    const { text } = await exchange(proxy.port, `GET http://${there}/ HTTP/1.1\r\nHost: ${there}\r\n\r\n`, 'ok');
    assert.match(text, /^HTTP\/1\.1 200/);
    const self = `127.0.0.1:${proxy.port}`;
    const loop = await exchange(proxy.port, `GET http://${self}/ HTTP/1.1\r\nHost: ${self}\r\n\r\n`, 'came back');
    assert.match(loop.text, /^HTTP\/1\.1 508/);
  });
});

describe('a new configuration', () => {
  test('cuts no request that is under way, and the next one follows it', async () => {
    const first = Promise.withResolvers<() => void>();
    await using old = await rawOrigin((socket) =>
      socket.once('data', () => first.resolve(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold'))),
    );
    await using fresh = await rawOrigin((socket) =>
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew')),
    );
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(old.port)] } });
    const under = exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', /old|new/);
    const finish = await first.promise;
    await proxy.apply(
      { clusters: { origin: cluster('origin') } },
      { endpoints: { origin: [endpoint(fresh.port)] }, workloads: {} },
    );
    const next = await exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', /old|new/);
    finish();
    assert.match((await under).text, /old$/);
    assert.match(next.text, /new$/);
  });
});

describe('a field that Connection names', () => {
  test('is judged by policies, and does not go on', async () => {
    let seen = '';
    await using origin = await rawOrigin((socket) =>
      socket.on('data', (bytes) => {
        seen += bytes.toString();
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      }),
    );
    const source = { kind: 'AuthorizationPolicy', namespace: 'default', name: 'john', path: '' };
    const deny = {
      namespace: 'default',
      name: 'john',
      source,
      reply: { status: 403, body: 'RBAC: access denied' },
      rules: [
        {
          when: {
            kind: 'string',
            attribute: { of: 'request.header', name: 'x-user' },
            match: { kind: 'exact', value: 'john' },
          },
        },
      ],
    } as const;
    await using proxy = await startProxy({
      endpoints: { origin: [endpoint(origin.port)] },
      listener: { authz: { deny: [deny], allow: [], audit: [] } },
    });
    const ask = (user: string): string => `GET / HTTP/1.1\r\nHost: a\r\nX-User: ${user}\r\nConnection: x-user\r\n\r\n`;
    assert.match((await exchange(proxy.port, ask('john'), 'denied')).text, /^HTTP\/1\.1 403/);
    assert.match((await exchange(proxy.port, ask('mary'), 'ok')).text, /^HTTP\/1\.1 200/);
    assert.doesNotMatch(seen, /x-user/i);
  });
});

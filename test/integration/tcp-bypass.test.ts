/** Ways round REGISTRY_ONLY: names and addresses written otherwise than they were allowed. None of them gets out. */
import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { clusterName, tableName } from '#proxy/core/brand.ts';
import type { Captured, TcpRule } from '#proxy/snapshot/listener.ts';
import { nodeHello } from '../kit/client-hello.ts';
import { cluster, endpoint, exchange, rawOrigin, startProxy, type TestProxy } from '../kit/proxy.ts';

const PASSTHROUGH = cluster('PassthroughCluster', { discovery: { kind: 'passthrough' }, service: null });
const BLACK_HOLE = cluster('BlackHoleCluster', { service: null });
const rule = (name: string, over: Partial<TcpRule> = {}): TcpRule => ({
  destinations: [],
  serverNames: [],
  split: [{ cluster: clusterName(name), weight: 1 }],
  source: null,
  ...over,
});

/** A far end that counts who came. */
async function target() {
  let came = 0;
  const origin = await rawOrigin((socket) => {
    came++;
    socket.write('in');
    socket.on('data', () => socket.end());
  });
  return { port: origin.port, came: () => came, [Symbol.asyncDispose]: () => origin[Symbol.asyncDispose]() };
}

/** `db.example:PORT`, `*.wild.example:PORT` and 10.9.8.0/24 are allowed, all of them led to 127.0.0.1:PORT. */
function registryOnly(port: number): Promise<TestProxy> {
  const captured: Captured = {
    ports: { [port]: { rules: [rule('db', { destinations: ['10.9.8.0/24'] })], table: null, authz: null } },
    unknown: { rules: [rule('BlackHoleCluster')], table: null, authz: null },
  };
  const split = [{ cluster: clusterName('db'), weight: 1 }];
  return startProxy({
    clusters: [cluster('origin'), cluster('db', { protocol: 'tcp' }), PASSTHROUGH, BLACK_HOLE],
    endpoints: { db: [endpoint(port)] },
    tables: { test: { name: tableName('test'), virtualHosts: [] } },
    listener: {
      captured,
      forwardProxy: {
        connect: { [`db.example:${port}`]: split, [`*.wild.example:${port}`]: split },
        unknown: 'REGISTRY_ONLY',
      },
    },
  });
}

const connectTo = (proxy: TestProxy, to: string, behind = '') =>
  exchange(
    proxy.port,
    `CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n${behind}`,
    /^HTTP\/1\.1 200 [^]*in$|\r\n\r\n[^]+/,
  );

describe('CONNECT', () => {
  for (const [host, allowed] of [
    ['db.example', true],
    ['DB.Example', true],
    ['db.example.', true],
    ['x.wild.example', true],
    ['x.y.wild.example', true],
    ['10.9.8.7', true],
    ['[::ffff:10.9.8.7]', true],
    ['[::ffff:a09:807]', true],
    ['db.example..', false],
    ['wild.example', false],
    ['.wild.example', false],
    ['xwild.example', false],
    ['*.wild.example', true],
    ['x.wild.example.evil', false],
    ['127.0.0.1', false],
    ['localhost', false],
    ['127.1', false],
    ['2130706433', false],
    ['0x7f.0.0.1', false],
    ['[::ffff:127.0.0.1]', false],
    ['[::ffff:7f00:1]', false],
    ['[::1]', false],
    ['[fe80::1%25lo]', false],
    ['10.9.8.7.', true],
    ['010.9.8.7', false],
    ['10.9.2055', false],
    ['0xa090807', false],
    ['user@db.example', false],
    ['db.example:80@127.0.0.1', false],
    ['db.example\0.evil', false],
    ['db.example%00', false],
    ['db.example,127.0.0.1', false],
    ['db.example/', false],
    ['db.example#', false],
    ['', false],
  ] as const) {
    test(`to ${JSON.stringify(host)} ${allowed ? 'gets out' : 'is blocked'}`, async () => {
      await using far = await target();
      await using proxy = await registryOnly(far.port);
      const { text } = await connectTo(proxy, `${host}:${far.port}`);
      if (allowed) assert.match(text, /^HTTP\/1\.1 200 [^]*in$/);
      else assert.match(text, /^HTTP\/1\.1 (?:400|502) /);
      assert.equal(far.came(), allowed ? 1 : 0);
    });
  }

  for (const port of ['0', '65536', '-1', '+1', '00', '1e3', '99999999999', ' 1', '', '0x1']) {
    test(`to port "${port}" is a bad request`, async () => {
      await using far = await target();
      await using proxy = await registryOnly(far.port);
      const { text } = await connectTo(proxy, `db.example:${port}`);
      assert.match(text, /^HTTP\/1\.1 (?:400|502) /);
      assert.equal(far.came(), 0);
    });
  }

  test('without a port is a bad request', async () => {
    await using far = await target();
    await using proxy = await registryOnly(far.port);
    assert.match((await connectTo(proxy, 'db.example')).text, /^HTTP\/1\.1 400 /);
  });

  test('to one port does not open another', async () => {
    await using far = await target();
    await using other = await target();
    await using proxy = await registryOnly(far.port);
    for (const host of ['db.example', 'x.wild.example', '10.9.8.7']) {
      const { text } = await connectTo(proxy, `${host}:${other.port}`);
      assert.match(text, /^HTTP\/1\.1 502 /);
    }
    assert.equal(other.came(), 0);
  });

  test('is judged by its target, not by Host', async () => {
    await using far = await target();
    await using proxy = await registryOnly(far.port);
    const { text } = await exchange(
      proxy.port,
      `CONNECT 127.0.0.1:${far.port} HTTP/1.1\r\nHost: db.example:${far.port}\r\n\r\n`,
      '\r\n\r\n',
    );
    assert.match(text, /^HTTP\/1\.1 (?:400|502) /);
    assert.equal(far.came(), 0);
  });

  test('leads to the name it said, whatever the TLS behind it says', async () => {
    await using far = await target();
    await using proxy = await registryOnly(far.port);
    const hello = nodeHello({ servername: 'evil.example' }).latin1Slice();
    assert.match((await connectTo(proxy, `db.example:${far.port}`, hello)).text, /^HTTP\/1\.1 200 /);
    // The server that was allowed, and nobody else, hears of the other name.
    assert.equal(far.came(), 1);
  });
});

describe('a request in absolute form', () => {
  for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '2130706433', 'nobody.example', 'db.example']) {
    test(`to ${host}, which no route knows, is blocked`, async () => {
      await using far = await target();
      await using proxy = await registryOnly(far.port);
      const to = `${host}:${far.port}`;
      const { text } = await exchange(proxy.port, `GET http://${to}/ HTTP/1.1\r\nHost: ${to}\r\n\r\n`, /\r\n\r\n[^]*/);
      assert.match(text, /^HTTP\/1\.1 (?:400|404|502) /);
      assert.equal(far.came(), 0);
    });
  }
});

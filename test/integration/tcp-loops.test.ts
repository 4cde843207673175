/** Destinations that lead back to the proxy, in every spelling and by every way: refused, told, and never a second time round. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, test } from 'vitest';
import { clusterName } from '#proxy/core/brand.ts';
import type { TcpListener, TcpRule } from '#proxy/snapshot/listener.ts';
import {
  cluster,
  endpoint,
  exchange,
  rawOrigin,
  route,
  startProxy,
  type TestProxy,
  type TestProxyOptions,
} from '../kit/proxy.ts';

/** A way round that is not found ends here, and not at the last descriptor of the machine. */
const FEW = { maxConnections: 8, maxRequests: 8 } as const;
const PASSTHROUGH = cluster('PassthroughCluster', { discovery: { kind: 'passthrough' }, service: null, ...FEW });
const ruleTo = (name: string): TcpRule => ({
  destinations: [],
  serverNames: [],
  split: [{ cluster: clusterName(name), weight: 1 }],
  source: null,
});
const toPassthrough = route({
  action: {
    kind: 'forward',
    split: [{ cluster: clusterName('PassthroughCluster'), weight: 1, requestHeaders: null, responseHeaders: null }],
    rewrite: null,
  },
});

const TCP: TcpListener = {
  kind: 'tcp',
  name: 'tcp',
  address: '127.0.0.1',
  port: 0,
  direction: 'outbound',
  authz: null,
  rules: [ruleTo('self')],
};

const open = (over: TestProxyOptions = {}): Promise<TestProxy> =>
  startProxy({
    routes: [toPassthrough],
    ...over,
    clusters: [PASSTHROUGH, cluster('origin'), ...(over.clusters ?? [])],
    listener: { forwardProxy: { connect: {}, unknown: 'ALLOW_ANY' }, ...over.listener },
  });

/** Each is this machine to the system's resolver, or to its kernel. */
const SPELLINGS = [
  '127.0.0.1',
  'localhost',
  'LOCALHOST',
  'localhost.',
  '0.0.0.0',
  '[::]',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[0:0::ffff:127.0.0.1]',
  '[::ffff:0.0.0.0]',
  '[::1%25lo]',
  '2130706433',
  '127.1',
  '0x7f000001',
  '0177.0.0.1',
  '017700000001',
  '0',
  '0.0',
];

// `::` takes IPv4 and IPv6.
for (const address of ['0.0.0.0', '::']) {
  describe(`a proxy on ${address}`, () => {
    for (const host of SPELLINGS) {
      test(`is not led back to itself by CONNECT ${host}`, async () => {
        await using proxy = await open({ listener: { address } });
        const to = `${host}:${proxy.port}`;
        const { text } = await exchange(proxy.port, `CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n`, '\r\n\r\n');
        assert.match(text, /^HTTP\/1\.1 (?:400|50[238]) /);
        assert.equal((await proxy.log()).length, 1);
      });

      test(`is not led back to itself by GET http://${host}`, async () => {
        await using proxy = await open({ listener: { address } });
        const to = `${host}:${proxy.port}`;
        const { text } = await exchange(proxy.port, `GET http://${to}/ HTTP/1.1\r\nHost: ${to}\r\n\r\n`, '\r\n\r\n');
        assert.match(text, /^HTTP\/1\.1 (?:400|50[238]) /);
        assert.equal((await proxy.log()).length, 1);
      });
    }
  });
}

describe('a redirected connection', () => {
  for (const address of ['127.0.0.1', '0.0.0.0', '::1', '::', '127.48.9.9', '::ffff:127.0.0.1']) {
    test(`to ${address} and the proxy’s own port is refused`, async () => {
      let own = 0;
      await using proxy = await open({
        redirect: () => ({ address, port: own }),
        listener: {
          address: '::',
          captured: { ports: {}, unknown: { rules: [ruleTo('PassthroughCluster')], table: null, authz: null } },
        },
      });
      own = proxy.port;
      assert.equal((await exchange(proxy.port, 'x')).ended, 'reset');
      const lines = await proxy.log();
      assert.equal(lines.length, 1);
      assert.equal(lines[0]!['response_flags'], 'NR');
    });
  }
});

describe('a service whose endpoint is the proxy itself', () => {
  /** `why` it was refused, once. */
  async function refusedOnce(proxy: TestProxy, why = /proxy itself/): Promise<void> {
    assert.equal((await exchange(proxy.ports['tcp']!, 'x')).ended, 'reset');
    const lines = await proxy.log();
    assert.equal(lines.length, 1, `${lines.length} times round`);
    assert.match(`${String(lines[0]!['reason'])} ${String(lines[0]!['upstream_transport_failure_reason'])}`, why);
  }

  test('by its address is refused', async () => {
    await using proxy = await open({
      clusters: [cluster('self', { protocol: 'tcp', ...FEW })],
      listeners: [TCP],
    });
    await proxy.apply({}, { endpoints: { self: [endpoint(proxy.ports['tcp']!)] }, workloads: {} });
    await refusedOnce(proxy);
  });

  for (const host of ['localhost', '127.0.0.1']) {
    test(`by the name ${host} is refused`, async () => {
      await using proxy = await open({ listeners: [TCP], clusters: [cluster('self', { protocol: 'tcp', ...FEW })] });
      const hosts = [{ host, port: proxy.ports['tcp']!, weight: 1 }];
      const self = cluster('self', { protocol: 'tcp', ...FEW, discovery: { kind: 'dns', mode: 'strict', hosts } });
      await proxy.apply({ clusters: { self } });
      // The name is asked for when the cluster comes.
      while (proxy.clusters().find(({ name }) => name === 'self')?.endpoints.length !== 1)
        await new Promise((done) => setTimeout(done, 5));
      // The name may lead to ::1, where nobody is.
      await refusedOnce(proxy, host === 'localhost' ? /./ : /proxy itself/);
    });
  }

  test('is refused where it is asked for by CONNECT', async () => {
    await using proxy = await open({
      clusters: [cluster('self', { protocol: 'tcp', ...FEW })],
      listener: {
        forwardProxy: {
          connect: { 'db:3306': [{ cluster: clusterName('self'), weight: 1 }] },
          unknown: 'REGISTRY_ONLY',
        },
      },
    });
    await proxy.apply({}, { endpoints: { self: [endpoint(proxy.port)] }, workloads: {} });
    const { text } = await exchange(proxy.port, 'CONNECT db:3306 HTTP/1.1\r\nHost: db:3306\r\n\r\n', '\r\n\r\n');
    assert.match(text, /^HTTP\/1\.1 5/);
  });

  test('is refused to requests', async () => {
    await using proxy = await startProxy({ clusters: [cluster('origin', FEW)] });
    await proxy.apply({}, { endpoints: { origin: [endpoint(proxy.port)] }, workloads: {} });
    const { text } = await exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', '\r\n\r\n');
    assert.match(text, /^HTTP\/1\.1 5/);
    assert.equal((await proxy.log()).length, 1);
  });
});

describe('what only looks like the proxy itself', () => {
  test('is another address of this machine with a port of the same number', async () => {
    await using proxy = await open();
    const other = createServer((socket) => socket.end('other')).listen(proxy.port, '127.48.1.1');
    await once(other, 'listening');
    const to = `127.48.1.1:${proxy.port}`;
    const { text } = await exchange(proxy.port, `CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n`, 'other');
    other.close();
    assert.match(text, /^HTTP\/1\.1 200 [^]*other$/);
  });

  for (const host of ['127.0.0.1', 'localhost']) {
    test(`is the application behind it, which calls itself (${host})`, async () => {
      await using app = await rawOrigin((socket) => socket.end('app'));
      await using proxy = await open({
        clusters: [cluster('self', { protocol: 'tcp', ...FEW }), cluster('app', { protocol: 'tcp' })],
        endpoints: { app: [endpoint(app.port)] },
        listeners: [TCP, { ...TCP, name: 'in', direction: 'inbound', rules: [ruleTo('app')] }],
      });
      const self = [endpoint(proxy.ports['in']!, host)];
      await proxy.apply({}, { endpoints: { self, app: [endpoint(app.port)] }, workloads: {} });
      assert.equal((await exchange(proxy.ports['tcp']!, '')).text, 'app');
    });
  }
});

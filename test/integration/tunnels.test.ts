/** Long-lived streams: they outlive every change of configuration, wait for slow ends, and go only when they must (checklist F4, F6, F9, P4). */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'vitest';
import { clusterName, ms } from '#proxy/core/brand.ts';
import type { Snapshot } from '#proxy/snapshot/snapshot.ts';
import type { TcpListener } from '#proxy/snapshot/listener.ts';
import { cluster, endpoint, exchange, rawOrigin, route, startProxy, type TestProxy } from '../kit/proxy.ts';
import { settled } from '../conformance/place.ts';

const TCP: TcpListener = {
  kind: 'tcp',
  name: 'tcp',
  address: '127.0.0.1',
  port: 0,
  direction: 'outbound',
  authz: null,
  rules: [{ destinations: [], serverNames: [], split: [{ cluster: clusterName('far'), weight: 1 }], source: null }],
};
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

/** Ways to one far end that echoes: each returns a connection on which bytes come back as they went. */
const WAYS = {
  websocket: {
    head: 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    port: (proxy: TestProxy) => proxy.port,
  },
  CONNECT: { head: 'CONNECT far:1 HTTP/1.1\r\nHost: far:1\r\n\r\n', port: (proxy: TestProxy) => proxy.port },
  TCP: { head: '', port: (proxy: TestProxy) => proxy.ports['tcp']! },
} as const;
type Way = keyof typeof WAYS;
const ways = Object.keys(WAYS) as Way[];

/** Answers an upgrade once, then hands every byte to `far`. */
function farEnd(far: (socket: Socket, bytes: Buffer) => void): (socket: Socket) => void {
  return (socket) =>
    socket.on('data', (bytes: Buffer) => {
      if (bytes.toString('latin1', 0, 6) === 'GET / ') socket.write(SWITCH);
      else far(socket, bytes);
    });
}

const startWith = (port: number, over: Parameters<typeof cluster>[1] = {}, limits = {}) =>
  startProxy({
    endpoints: { origin: [endpoint(port)], far: [endpoint(port)] },
    clusters: [cluster('origin', over), cluster('far', { protocol: 'tcp', ...over })],
    listener: {
      forwardProxy: { connect: { 'far:1': [{ cluster: clusterName('far'), weight: 1 }] }, unknown: 'REGISTRY_ONLY' },
    },
    listeners: [TCP],
    limits,
  });

async function openWay(proxy: TestProxy, way: Way): Promise<Socket> {
  const { head, port } = WAYS[way];
  const socket = connect({ port: port(proxy), host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  socket.on('error', () => undefined);
  await new Promise((done) => socket.once('connect', done));
  if (head === '') return socket;
  socket.write(head);
  const bytes = await new Promise<Buffer>((done) => socket.once('data', done));
  assert.match(bytes.latin1Slice(), /^HTTP\/1\.1 (?:101|200) [^]*\r\n\r\n$/);
  return socket;
}

async function say(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  let heard = '';
  while (heard.length < text.length)
    heard += (await new Promise<Buffer>((done) => socket.once('data', done))).latin1Slice();
  return heard;
}

/** Answers a FIN with a FIN; resolves when nothing is left. */
function over(socket: Socket): Promise<unknown> {
  socket.once('end', () => socket.end());
  return new Promise((done) => socket.once('close', done).resume());
}

describe('a change of configuration', () => {
  /** Each leaves less of what the stream came by. */
  const CHANGES: Readonly<Record<string, Partial<Snapshot>>> = {
    'another route': {
      tables: {
        test: {
          name: 'test' as never,
          virtualHosts: [{ name: 'all', domains: ['*'], routes: [route({ timeout: ms(1) })] }],
        },
      },
    },
    'other settings': { clusters: { origin: cluster('origin', { idleTimeout: ms(1), maxConnections: 1 }), far: cluster('far', { maxConnections: 1 }) } }, // prettier-ignore
    'no cluster': { clusters: {} },
    'no listener': { clusters: {}, listeners: [] },
  };

  for (const way of ways) {
    test(`P4 F9 cuts no ${way}, whatever it takes away`, async () => {
      await using origin = await rawOrigin(farEnd((socket, bytes) => void socket.write(bytes)));
      await using proxy = await startWith(origin.port, {}, { sweepInterval: 5 });
      const socket = await openWay(proxy, way);
      for (const [what, change] of Object.entries(CHANGES)) {
        await proxy.apply(change, { endpoints: {}, workloads: {} });
        assert.equal(await say(socket, what), what);
      }
      const closed = over(socket);
      socket.end();
      await closed;
    });
  }

  test('P4 cuts no download that is under way, and it ends whole', async () => {
    let more: () => void = () => undefined;
    await using origin = await rawOrigin((socket) =>
      socket.on('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        let n = 0;
        more = () => void socket.write(++n > 4 ? '0\r\n\r\n' : '4\r\npart\r\n');
        more();
      }),
    );
    await using proxy = await startWith(origin.port, {}, { sweepInterval: 5 });
    const socket = connect(proxy.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += bytes.latin1Slice()));
    for (const change of Object.values(CHANGES)) {
      const before = text.length;
      await settled(() => text.length);
      await proxy.apply(change, { endpoints: {}, workloads: {} });
      more();
      while (text.length === before) await new Promise((done) => setTimeout(done, 2));
    }
    while (!text.endsWith('0\r\n\r\n')) await new Promise((done) => setTimeout(done, 2));
    assert.equal(text.split('part').length, 5);
    socket.destroy();
  });
});

describe('a tunnel', () => {
  for (const way of ways) {
    test(`F6 (${way}) whose far end does not read stops the client, and loses nothing`, async () => {
      let got = 0;
      let far: Socket | null = null;
      await using origin = await rawOrigin((socket) => {
        socket.on('data', (bytes: Buffer) => {
          if (far === null && bytes.toString('latin1', 0, 6) === 'GET / ') return void socket.write(SWITCH);
          if (far === null) socket.pause();
          far = socket;
          got += bytes.length;
        });
      });
      await using proxy = await startWith(origin.port);
      const socket = await openWay(proxy, way);
      const total = 60_000_000;
      let taken = 0;
      const block = Buffer.alloc(100_000, 'x');
      const pump = (): void => {
        while (taken < total) {
          taken += block.length;
          if (!socket.write(block)) return void socket.once('drain', pump);
        }
        socket.end();
      };
      pump();
      await settled(() => taken);
      assert.ok(taken < total, 'the client is stopped');
      far!.resume();
      await new Promise((done) => far!.once('end', done));
      assert.equal(got, total);
      socket.destroy();
    });

    test(`F6 (${way}) whose client does not read stops the far end, and loses nothing`, async () => {
      const total = 60_000_000;
      let written = 0;
      await using origin = await rawOrigin(
        farEnd((socket) => {
          const block = Buffer.alloc(100_000, 'x');
          const pump = (): void => {
            while (written < total) {
              written += block.length;
              if (!socket.write(block)) return void socket.once('drain', pump);
            }
            socket.end();
          };
          pump();
        }),
      );
      await using proxy = await startWith(origin.port);
      const socket = await openWay(proxy, way);
      socket.pause();
      socket.write('go');
      await settled(() => written);
      assert.ok(written > 0 && written < total, 'the far end is stopped');
      let got = 0;
      socket.on('data', (bytes: Buffer) => (got += bytes.length));
      socket.resume();
      await new Promise((done) => socket.once('end', done));
      assert.equal(got, total);
      socket.destroy();
    });

    test(`F4 (${way}) is over on one side within 100 ms of the other’s reset`, async () => {
      let far: Socket | null = null;
      await using origin = await rawOrigin((socket) => {
        far = socket;
        farEnd((s, bytes) => void s.write(bytes))(socket);
      });
      await using proxy = await startWith(origin.port);
      for (const who of ['client', 'far'] as const) {
        const socket = await openWay(proxy, way);
        assert.equal(await say(socket, 'hello'), 'hello');
        const [leaver, other] = who === 'client' ? [socket, far!] : [far!, socket];
        const from = performance.now();
        const closed = over(other);
        leaver.resetAndDestroy();
        await closed;
        assert.ok(performance.now() - from < 100);
      }
    });
  }

  for (const way of ['TCP', 'CONNECT'] as const) {
    test(`F9 (${way}) that is silent for its idle time is closed, and one that is not stays`, async () => {
      await using origin = await rawOrigin(farEnd((socket, bytes) => void socket.write(bytes)));
      await using proxy = await startWith(origin.port, { tcpIdleTimeout: ms(150) });
      const [silent, busy] = [await openWay(proxy, way), await openWay(proxy, way)];
      const from = performance.now();
      const closed = over(silent);
      while (!silent.destroyed) {
        assert.equal(await say(busy, 'x'), 'x');
        await new Promise((done) => setTimeout(done, 20));
      }
      await closed;
      assert.ok(performance.now() - from >= 140);
      assert.equal(await say(busy, 'still here'), 'still here');
      await over(busy);
      while (proxy.clusters().find((c) => c.name === 'far')!.connections > 0)
        await new Promise((done) => setTimeout(done, 5));
    });
  }

  test('F9 (websocket) is cut by no route’s timeout and by no idle time', async () => {
    await using origin = await rawOrigin(farEnd((socket, bytes) => void socket.write(bytes)));
    await using proxy = await startProxy({
      endpoints: { origin: [endpoint(origin.port)] },
      clusters: [cluster('origin', { idleTimeout: ms(20), tcpIdleTimeout: ms(20) })],
      routes: [route({ timeout: ms(40) })],
      limits: { idleTimeout: 20, bodyTimeout: 20, headTimeout: 20, writeTimeout: 20, sweepInterval: 5 },
    });
    const socket = await openWay(proxy, 'websocket');
    await new Promise((done) => setTimeout(done, 120));
    assert.equal(await say(socket, 'still here'), 'still here');
    socket.destroy();
  });
});

describe('CONNECT', () => {
  const ask = 'CONNECT far:1 HTTP/1.1\r\nHost: far:1\r\n\r\n';

  test('is served by no listener but that of the forward proxy', async () => {
    await using origin = await rawOrigin(() => assert.fail('nobody may come here'));
    for (const direction of ['outbound', 'inbound', 'gateway'] as const) {
      await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] }, listener: { direction } });
      assert.match((await exchange(proxy.port, ask)).text, /^HTTP\/1\.1 405 /);
    }
  });

  test('to what nobody knows is 502 under REGISTRY_ONLY', async () => {
    await using proxy = await startWith(1);
    assert.match((await exchange(proxy.port, ask.replaceAll('far:1', 'near:1'))).text, /^HTTP\/1\.1 502 /);
  });

  test('to a place that does not answer is 503, told in HTTP, and nothing is left of it', async () => {
    await using proxy = await startWith(1);
    const { text } = await exchange(proxy.port, ask);
    assert.match(text, /^HTTP\/1\.1 503 /);
    const [line, ...more] = await proxy.log();
    assert.deepEqual([line!['response_flags'], more.length], ['UF', 0]);
  });
});

/** Opaque connections while everything changes: configurations by the hundred, a drain, ends that come before the beginning is over. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'vitest';
import { clusterName, ms } from '#proxy/core/brand.ts';
import type { Cluster } from '#proxy/snapshot/cluster.ts';
import type { TcpListener } from '#proxy/snapshot/listener.ts';
import { nodeHello } from '../kit/client-hello.ts';
import { cluster, endpoint, exchange, rawOrigin, startProxy, type TestProxy } from '../kit/proxy.ts';

const listener = (to: string, port = 0): TcpListener => ({
  kind: 'tcp',
  name: 'tcp',
  address: '127.0.0.1',
  port,
  direction: 'outbound',
  authz: null,
  rules: [{ destinations: [], serverNames: [], split: [{ cluster: clusterName(to), weight: 1 }], source: null }],
});
const clusters = (over: Partial<Cluster> = {}): Record<string, Cluster> => ({
  origin: cluster('origin'),
  one: cluster('one', { protocol: 'tcp', ...over }),
  two: cluster('two', { protocol: 'tcp', ...over }),
});

/** Says its name, then echoes. */
const named = (name: string) =>
  rawOrigin((socket) => {
    socket.write(name);
    socket.on('data', (bytes) => socket.write(bytes));
    socket.on('end', () => socket.end());
  });

async function client(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

async function heard(socket: Socket, count: number): Promise<string> {
  let text = '';
  while (text.length < count) text += ((await once(socket, 'data')) as [Buffer])[0].latin1Slice();
  return text;
}

describe('a storm of connections', () => {
  test('during changes has the old or the new configuration, and no error; those that are open stay', async () => {
    await using one = await named('one');
    await using two = await named('two');
    const endpoints = { one: [endpoint(one.port)], two: [endpoint(two.port)] };
    await using proxy = await startProxy({
      clusters: Object.values(clusters()),
      endpoints,
      listeners: [listener('one')],
    });
    const port = proxy.ports['tcp']!;
    const stays = await client(port);
    assert.equal(await heard(stays, 3), 'one');
    const state = { changing: true };
    const changes = (async () => {
      for (let nth = 0; nth < 60; nth++) {
        const to = nth % 2 === 0 ? 'two' : 'one';
        // Now the rule, now its cluster's settings, now both; endpoints come and go beside it.
        await proxy.apply(
          { listeners: [listener(to, port)], clusters: clusters({ tcpIdleTimeout: ms(3_600_000 + (nth % 3)) }) },
          { endpoints: nth % 5 === 0 ? { ...endpoints, origin: [endpoint(one.port)] } : endpoints, workloads: {} },
        );
        await new Promise((done) => setTimeout(done, 10));
      }
      state.changing = false;
    })();
    const answers = { one: 0, two: 0 };
    const caller = async (): Promise<void> => {
      while (state.changing) {
        const { text } = await exchange(port, '', /one|two/);
        assert.ok(text === 'one' || text === 'two', JSON.stringify(text));
        answers[text]++;
      }
    };
    await Promise.all([changes, ...Array.from({ length: 8 }, caller)]);
    assert.ok(answers.one > 10 && answers.two > 10, JSON.stringify(answers));
    stays.write('still');
    assert.equal(await heard(stays, 5), 'still');
    stays.destroy();
  });

  test('meets a listener that goes and comes back without being left hanging', async () => {
    await using one = await named('one');
    await using proxy = await startProxy({
      clusters: Object.values(clusters()),
      endpoints: { one: [endpoint(one.port)] },
      listeners: [listener('one')],
    });
    const port = proxy.ports['tcp']!;
    const state = { changing: true };
    const changes = (async () => {
      for (let nth = 0; nth < 20; nth++) {
        await proxy.apply({ listeners: nth % 2 === 0 ? [] : [listener('one', port)] });
        await new Promise((done) => setTimeout(done, 5));
      }
      state.changing = false;
    })();
    let well = 0;
    const caller = async (): Promise<void> => {
      while (state.changing) {
        const { text, ended } = await exchange(port, '', 'one');
        assert.ok(text === 'one' || ended === 'reset', `${text} ${ended}`);
        if (text === 'one') well++;
      }
    };
    await Promise.all([changes, caller(), caller(), caller()]);
    assert.ok(well > 0);
    assert.equal((await exchange(port, '', 'one')).text, 'one');
  });
});

describe('a drain', () => {
  const start = (port: number): Promise<TestProxy> =>
    startProxy({
      clusters: Object.values(clusters()),
      endpoints: { one: [endpoint(port)] },
      listeners: [listener('one')],
    });

  test('waits for a thousand open connections, takes no new one, and ends when the last has gone', async () => {
    await using one = await named('one');
    await using proxy = await start(one.port);
    const port = proxy.ports['tcp']!;
    const sockets: Socket[] = [];
    for (let tens = 0; tens < 10; tens++)
      sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => client(port)))));
    await Promise.all(sockets.map((socket) => heard(socket, 3)));
    let over = false;
    const drained = proxy.drain(60_000).then(() => (over = true));
    // Each still works.
    const echoed = sockets.map((socket) => heard(socket, 4));
    for (const socket of sockets) socket.write('more');
    assert.ok((await Promise.all(echoed)).every((text) => text === 'more'));
    assert.equal(over, false);
    const closed = sockets.map((socket) => new Promise((done) => socket.resume().once('close', done)));
    for (const [nth, socket] of sockets.entries()) {
      if (nth % 3 === 0) socket.resetAndDestroy();
      else socket.end();
    }
    await Promise.all(closed);
    await drained;
    assert.equal((await proxy.log()).length, 1000);
  });

  test('waits for a client whose hello is on its way, and cuts one that says nothing', async () => {
    await using far = await rawOrigin((socket) => socket.on('data', (bytes) => socket.end(`got ${bytes.length}`)));
    const rules = [{ ...listener('one').rules[0]!, serverNames: ['*'] }];
    await using proxy = await startProxy({
      clusters: Object.values(clusters()),
      endpoints: { one: [endpoint(far.port)] },
      listeners: [{ ...listener('one'), rules }],
    });
    const port = proxy.ports['tcp']!;
    const hello = nodeHello({ servername: 'a.example' });
    const [late, silent] = [await client(port), await client(port)];
    late.write(hello.subarray(0, 50));
    await new Promise((done) => setTimeout(done, 50));
    const gone = new Promise((done) => silent.once('error', done).once('end', done).resume());
    let over = false;
    const drained = proxy.drain(400).then(() => (over = true));
    await new Promise((done) => setTimeout(done, 50));
    assert.equal(over, false);
    late.write(hello.subarray(50));
    assert.equal(await heard(late, 8), `got ${hello.length}`);
    await drained;
    await gone;
    late.destroy();
    silent.destroy();
  });

  test('does not wait for what the application keeps open in silence, but for what is in use', async () => {
    await using one = await named('one');
    await using proxy = await start(one.port);
    const [silent, busy] = await Promise.all([client(proxy.ports['tcp']!), client(proxy.ports['tcp']!)]);
    await Promise.all([heard(silent, 3), heard(busy, 3)]);
    const from = performance.now();
    let over = false;
    const drained = proxy.drain(60_000).then(() => (over = true));
    while (performance.now() - from < 1500) {
      const echoed = heard(busy, 1);
      busy.write('x');
      assert.equal(await echoed, 'x');
      await new Promise((done) => setTimeout(done, 50));
    }
    assert.equal(over, false);
    busy.end();
    await drained;
    assert.ok(performance.now() - from < 10_000);
    const reasons = (await proxy.log()).map((line) => line['reason']);
    assert.deepEqual(new Set(reasons), new Set([null, 'the proxy was drained']));
    silent.destroy();
  });

  test('cuts what has not gone in time, each logged once', async () => {
    await using one = await named('one');
    await using proxy = await start(one.port);
    const sockets = await Promise.all(Array.from({ length: 100 }, () => client(proxy.ports['tcp']!)));
    await Promise.all(sockets.map((socket) => heard(socket, 3)));
    const closed = sockets.map((socket) => new Promise((done) => socket.once('end', () => socket.end()).resume().once('close', done))); // prettier-ignore
    await proxy.drain(50);
    await Promise.all(closed);
    const lines = await proxy.log();
    assert.equal(lines.length, 100);
    assert.ok(lines.every((line) => line['reason'] === 'the proxy was drained'));
  });
});

describe('a client that has said its last word before the far end is there', () => {
  test('is heard whole, and answered', async () => {
    await using origin = await rawOrigin((socket) => {
      let got = '';
      socket.on('data', (bytes: Buffer) => (got += bytes.latin1Slice()));
      socket.on('end', () => socket.end(`got ${got}`));
    });
    await using proxy = await startProxy({
      clusters: Object.values(clusters()),
      endpoints: { one: [endpoint(origin.port)] },
      listeners: [listener('one')],
    });
    const all = await Promise.all(
      Array.from({ length: 50 }, async (_, nth) => {
        const socket = connect({ port: proxy.ports['tcp']!, host: '127.0.0.1', allowHalfOpen: true });
        socket.end(`word ${nth}`);
        return heard(socket, `got word ${nth}`.length);
      }),
    );
    assert.deepEqual(
      all,
      Array.from({ length: 50 }, (_, nth) => `got word ${nth}`),
    );
  });

  test('through a TLS handshake that takes its time, is refused by a reset when that fails', async () => {
    const came = Promise.withResolvers<Socket>();
    await using origin = await rawOrigin((socket) => came.resolve(socket));
    const tls = { sni: 'a.example', caFile: null, certFile: null, keyFile: null, subjectAltNames: [], insecureSkipVerify: true }; // prettier-ignore
    await using proxy = await startProxy({
      clusters: Object.values(clusters({ tls })),
      endpoints: { one: [endpoint(origin.port)] },
      listeners: [listener('one')],
    });
    const socket = connect({ port: proxy.ports['tcp']!, host: '127.0.0.1', allowHalfOpen: true });
    const over = new Promise<string>((done) =>
      socket.once('error', () => done('reset')).once('end', () => done('end')),
    );
    socket.resume().end('hello');
    (await came.promise).resetAndDestroy();
    assert.equal(await over, 'reset');
    await proxy.drain(1000);
  });
});

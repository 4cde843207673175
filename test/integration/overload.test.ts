import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'vitest';
import type { MemoryReading } from '#proxy/listener/memory-reading.ts';
import { SIDECAR_LIMITS } from '#proxy/listener/limits.ts';
import { endpoint, exchange, rawOrigin, startProxy } from '../kit/proxy.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: origin\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Answers every request, on as many connections as come. */
const answering = () => rawOrigin((socket) => socket.on('data', () => socket.write(OK)));

/** A connection on which requests can be made one after the other. */
async function client(port: number) {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  const state = { text: '', ended: false };
  socket.on('data', (text: string) => (state.text += text));
  socket.on('error', () => undefined);
  socket.on('close', () => (state.ended = true));
  await once(socket, 'connect');
  return {
    socket,
    state,
    /** The next answer, head and all. */
    async ask(request = GET): Promise<string> {
      state.text = '';
      socket.write(request);
      while (!/\r\n\r\n[^]*(ok|overloaded)/.test(state.text) && !state.ended)
        await once(socket, 'data').catch(() => undefined);
      return state.text;
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** Connects, and is cut without an answer: true. Served: false. */
async function isRefused(port: number): Promise<boolean> {
  const { text, ended } = await exchange(port, GET, 'ok');
  if (text === '') assert.notEqual(ended, 'open');
  return text === '';
}

const sweepInterval = 10;
const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise((again) => setTimeout(again, 5));
};

describe('memory', () => {
  test('at 92 % closes connections, at 95 % answers 503 as Envoy does, at 98 % refuses them, and then all is as before', async () => {
    await using origin = await answering();
    let memory: MemoryReading = { heap: 0, process: 0 };
    let reads = 0;
    await using proxy = await startProxy({
      endpoints: { origin: [endpoint(origin.port)] },
      limits: { sweepInterval },
      memory: () => (reads++, memory),
    });
    const press = async (heap: number): Promise<void> => {
      memory = { heap, process: 0 };
      const before = reads;
      await until(() => reads > before);
      // What was read is decided in the same turn.
    };
    const early = await client(proxy.port);
    assert.doesNotMatch(await early.ask(), /^connection:/im);

    await press(0.93);
    assert.match(await early.ask(), /^HTTP\/1.1 200 [^]*\r\nconnection: close\r\n/i);

    await press(0.96);
    const { text } = await exchange(proxy.port, GET, 'envoy overloaded');
    assert.match(text, /^HTTP\/1.1 503 Service Unavailable\r\n/);
    for (const line of [
      'content-length: 16',
      'content-type: text/plain',
      'x-envoy-overloaded: true',
      'x-envoy-local-overloaded: true',
      'connection: close',
      'x-lateen-reason: this proxy is overloaded: 96 % of its memory is taken',
    ])
      assert.ok(text.toLowerCase().includes(`\r\n${line.toLowerCase()}\r\n`), `${line} in ${text}`);
    assert.ok(text.endsWith('\r\n\r\nenvoy overloaded'));
    const grpc = await exchange(
      proxy.port,
      'POST /s/m HTTP/1.1\r\nHost: origin\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n',
    );
    assert.match(grpc.text, /^HTTP\/1.1 200 [^]*\r\ngrpc-status: 14\r\ngrpc-message: envoy overloaded\r\n/);

    using kept = await client(proxy.port);
    await press(0.99);
    assert.equal(await isRefused(proxy.port), true);
    assert.match(await kept.ask(), /^HTTP\/1.1 503 /);

    await press(0.3);
    assert.equal(await isRefused(proxy.port), false);
    using late = await client(proxy.port);
    assert.doesNotMatch(await late.ask(), /connection: close/i);
    assert.match(await late.ask(), /^HTTP\/1.1 200 /);

    const log = await proxy.log();
    assert.deepEqual(
      log.map((line) => line['response_code']),
      [200, 200, 503, 200, 503, 200, 200, 200],
    );
    const refused = log.filter((line) => line['response_flags'] === 'OM');
    assert.equal(refused.length, 3);
    for (const line of refused) {
      assert.equal(line['response_code_details'], 'overload');
      assert.match(String(line['reason']), /^this proxy is overloaded: 9[69] % of its memory is taken$/);
      assert.equal(line['upstream_host'], null);
    }
  });
});

describe('requests under way', () => {
  test('beyond the limit get 503 at once; their connection stays, and they are welcome when others are done', async () => {
    const held: Socket[] = [];
    let hold = true;
    await using origin = await rawOrigin((socket) =>
      socket.on('data', () => void (hold ? held.push(socket) : socket.write(OK))),
    );
    await using proxy = await startProxy({
      endpoints: { origin: [endpoint(origin.port)] },
      limits: { maxRequests: 2 },
    });
    const answers = [exchange(proxy.port, GET, 'ok'), exchange(proxy.port, GET, 'ok')];
    await until(() => held.length === 2);
    using third = await client(proxy.port);
    for (let i = 0; i < 3; i++) {
      const refused = await third.ask();
      assert.match(refused, /^HTTP\/1.1 503 /);
      assert.doesNotMatch(refused, /connection: close/i);
    }
    hold = false;
    for (const socket of held) socket.write(OK);
    await Promise.all(answers);
    assert.match(await third.ask(), /^HTTP\/1.1 200 /);
    const log = await proxy.log();
    assert.equal(log.filter((line) => line['response_flags'] === 'OM').length, 3);
    assert.equal(log.length, 6);
  });

  test('end with a tunnel, a refusal and a client that goes away, each once', async () => {
    let came = 0;
    await using origin = await rawOrigin((socket) => socket.on('data', () => void came++));
    await using proxy = await startProxy({
      endpoints: { origin: [endpoint(origin.port)] },
      limits: { maxRequests: 1 },
    });
    for (let i = 0; i < 3; i++) {
      assert.match((await exchange(proxy.port, 'GET /\x00 HTTP/1.1\r\n\r\n')).text, /^HTTP\/1.1 400 /);
      const gone = connect(proxy.port, '127.0.0.1', () => gone.write(GET));
      await until(() => came === i + 1);
      gone.destroy();
      await until(async () => {
        const { text } = await exchange(proxy.port, 'CONNECT / HTTP/1.1\r\nHost: /\r\n\r\n');
        return !text.startsWith('HTTP/1.1 503');
      });
    }
  });
});

describe('delay of the event loop', () => {
  test('refuses requests while there are more than can be served, and none before and after', async () => {
    await using origin = await answering();
    await using proxy = await startProxy({
      endpoints: { origin: [endpoint(origin.port)] },
      limits: { overload: { ...SIDECAR_LIMITS.overload, delay: [5, 10], delayFrom: 1 } },
    });
    using other = await client(proxy.port);
    assert.match(await other.ask(), /^HTTP\/1.1 200 /);
    // The test shares the thread with the proxy: work of the test is work that requests wait for.
    let overloaded = true;
    const work = (): void => {
      const to = performance.now() + 30;
      while (performance.now() < to);
      if (overloaded) setImmediate(work);
    };
    work();
    await until(async () => (await other.ask()).startsWith('HTTP/1.1 503 '));
    assert.match(
      other.state.text,
      /x-lateen-reason: this proxy is overloaded: a request waits \d+ ms for its turn\r\n/,
    );
    overloaded = false;
    await until(async () => (await other.ask()).startsWith('HTTP/1.1 200 '));
  });
});

describe('connections', () => {
  const listeners = [
    {
      kind: 'http',
      name: 'other',
      address: '127.0.0.1',
      port: 0,
      direction: 'outbound',
      authz: null,
      pick: 'fixed',
      tables: {},
      fallback: 'test',
      forwardProxy: null,
      captured: null,
    },
  ] as unknown as Parameters<typeof startProxy>[0]['listeners'] & object;

  test('beyond the limit of a listener are refused; another listener serves on', async () => {
    await using origin = await answering();
    const endpoints = { origin: [endpoint(origin.port)] };
    await using proxy = await startProxy({ endpoints, listeners, limits: { maxConnections: 2 } });
    const first = await client(proxy.port);
    using second = await client(proxy.port);
    await first.ask();
    await second.ask();
    assert.equal(await isRefused(proxy.port), true);
    assert.equal(await isRefused(proxy.ports['other']!), false);
    first.socket.destroy();
    await until(async () => !(await isRefused(proxy.port)));
  });

  test('beyond the limit of the process, or of an address, are refused until others end, tunnels too', async () => {
    await using origin = await rawOrigin((socket) =>
      socket.on('data', (bytes) =>
        socket.write(
          /upgrade/i.test(bytes.toString())
            ? 'HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nok'
            : OK,
        ),
      ),
    );
    for (const limits of [{ maxConnectionsInTotal: 2 }, { maxConnectionsPerAddress: 2 }]) {
      await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] }, listeners, limits });
      const tunnel = await client(proxy.port);
      const upgraded = await tunnel.ask(
        'GET / HTTP/1.1\r\nHost: origin\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      );
      assert.match(upgraded, /^HTTP\/1.1 101 /);
      using plain = await client(proxy.ports['other']!);
      await plain.ask();
      assert.equal(await isRefused(proxy.port), true);
      assert.equal(await isRefused(proxy.ports['other']!), true);
      assert.match(await plain.ask(), /^HTTP\/1.1 200 /);
      tunnel.socket.destroy();
      await until(async () => !(await isRefused(proxy.port)));
    }
  });
});

test('a body with a length that comes a byte at a time is answered 408, and a stream is not', async () => {
  await using origin = await rawOrigin((socket) => socket.on('data', () => undefined));
  await using proxy = await startProxy({
    endpoints: { origin: [endpoint(origin.port)] },
    limits: { sweepInterval, bodyRateWindow: 100, minBodyRate: 1000 },
  });
  const drip = async (head: string, piece: string): Promise<string> => {
    using slow = await client(proxy.port);
    slow.socket.write(`POST / HTTP/1.1\r\nHost: origin\r\n${head}\r\n\r\n`);
    const timer = setInterval(() => slow.socket.write(piece), 20);
    for (let i = 0; i < 30 && slow.state.text === ''; i++) await new Promise((wait) => setTimeout(wait, 20));
    clearInterval(timer);
    return slow.state.text;
  };
  const [withLength, stream] = await Promise.all([
    drip('Content-Length: 1000', 'x'),
    drip('Transfer-Encoding: chunked', '1\r\nx\r\n'),
  ]);
  assert.match(withLength, /^HTTP\/1.1 408 /);
  assert.equal(stream, '');
});

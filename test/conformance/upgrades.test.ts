/** Where HTTP ends and a tunnel begins, and that nobody can make the two ends disagree on it (checklist F). */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'vitest';
import { endpoint, exchange, rawOrigin, startProxy, type TestProxy } from '../kit/proxy.ts';
import { field } from './llhttp.ts';
import { settled, startPlace, talk } from './place.ts';

const ASK =
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const NEXT = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n';

/** An origin that answers `answer` to its first head and says what else it gets. */
async function tunnelTo<T>(
  answer: string,
  use: (proxy: TestProxy, got: () => string, socket: () => Socket) => Promise<T>,
): Promise<T> {
  let got = '';
  let last: Socket | null = null;
  await using origin = await rawOrigin((socket) => {
    last = socket;
    let headed = false;
    socket.on('data', (bytes: Buffer) => {
      got += bytes.latin1Slice();
      if (!headed) socket.write(answer);
      headed = true;
    });
  });
  await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
  return await use(
    proxy,
    () => got,
    () => last!,
  );
}

describe('an upgrade', () => {
  for (const [id, what, answer, status] of [
    ['CVE-2024-23326', 'answered with 200 stays HTTP', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno', 200],
    [
      'F1',
      'answered with 426 stays HTTP',
      'HTTP/1.1 426 Upgrade Required\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nno',
      426,
    ],
    ['F2', 'answered with 101 for another protocol is 502', SWITCH.replace('websocket', 'h2c'), 502],
    ['F2', 'answered with a 101 that does not name it in Connection is 502', SWITCH.replace('Connection', 'X'), 502],
    ['F2', 'answered with a 101 without Upgrade is 502', SWITCH.replace('Upgrade: websocket\r\n', ''), 502],
  ] as const) {
    test(`${id} ${what}, and what follows is the next request, decided on its own`, async () => {
      await using place = await startPlace({}, ({ target }) =>
        target === '/next' ? 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext' : answer,
      );
      const { answers, error } = await talk(place.proxy.port, [ASK + NEXT], 2);
      assert.equal(error, null);
      assert.deepEqual(
        answers.map((a) => a.status),
        [status, 200],
      );
      assert.equal(answers[1]!.body, 'next');
      assert.deepEqual(
        place.seen.map((r) => r.target),
        ['/chat', '/next'],
      );
      assert.equal(field(answers[0]!.headers, 'upgrade'), undefined);
    });
  }

  for (const upgrade of ['foo', 'websocket, foo', 'TLS/1.0', 'h2c, websocket']) {
    test(`F2 to ${upgrade} is refused, and never told upstream`, async () => {
      await using place = await startPlace();
      const { answers } = await talk(place.proxy.port, [ASK.replace('websocket', upgrade)], 1);
      assert.equal(answers[0]!.status, 403);
      assert.equal(place.seen.length, 0);
    });
  }

  test('CVE-2026-2833 F3 is no tunnel before its 101: what comes early waits, and is then delivered once and in order', () =>
    tunnelTo('', async (proxy, got, socket) => {
      const client = connect(proxy.port, '127.0.0.1');
      client.write(`${ASK}early1`);
      await settled(() => got().length);
      client.write('early2');
      await settled(() => got().length);
      assert.ok(got().endsWith('\r\n\r\n'), 'nothing follows the head before the 101');
      socket().write(`${SWITCH}hello`);
      const text = await new Promise<string>((done) => {
        let all = '';
        client.on('data', (bytes: Buffer) => {
          all += bytes.latin1Slice();
          if (all.endsWith('hello')) done(all);
        });
      });
      await settled(() => got().length);
      assert.match(text, /^HTTP\/1\.1 101 [^]*\r\n\r\nhello$/);
      assert.ok(got().endsWith('\r\n\r\nearly1early2'));
      client.destroy();
    }));

  for (const [what, break_] of [
    ['the client’s FIN', (client: Socket) => client.end()],
    ['the client’s reset', (client: Socket) => client.resetAndDestroy()],
    ['the origin’s FIN', (_: Socket, origin: Socket) => origin.end()],
    ['the origin’s reset', (_: Socket, origin: Socket) => origin.resetAndDestroy()],
  ] as const) {
    test(`F4 ends on both sides with ${what}`, () =>
      tunnelTo(SWITCH, async (proxy, _, socket) => {
        const client = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: false });
        client.on('error', () => undefined);
        client.write(ASK);
        await new Promise((done) => client.once('data', done));
        const both = Promise.all([client, socket()].map((s) => new Promise((done) => s.once('close', done))));
        client.resume();
        break_(client, socket());
        await both;
        await settled(() => proxy.clusters()[0]!.endpoints[0]!.active);
        assert.equal(proxy.clusters()[0]!.endpoints[0]!.active, 0);
      }));
  }
});

describe('CONNECT', () => {
  const proxied = { listener: { forwardProxy: { connect: {}, unknown: 'REGISTRY_ONLY' } } } as const;

  test('CVE-2025-64763 that is refused takes what came ahead of its answer with it', async () => {
    await using place = await startPlace(proxied);
    const { answers, ended } = await talk(
      place.proxy.port,
      [`CONNECT db:3306 HTTP/1.1\r\nHost: db:3306\r\n\r\n${NEXT}`],
      Infinity,
      ['CONNECT'],
    );
    assert.equal(answers.length, 1);
    assert.ok(answers[0]!.status >= 400);
    assert.equal(field(answers[0]!.headers, 'connection'), 'close');
    assert.equal(ended, 'end');
    assert.equal(place.seen.length, 0);
  });

  test('with a target that names no port is refused', async () => {
    await using place = await startPlace(proxied);
    const { text } = await exchange(place.proxy.port, 'CONNECT db HTTP/1.1\r\nHost: db\r\n\r\n');
    assert.match(text, /^HTTP\/1\.1 400 /);
  });
});

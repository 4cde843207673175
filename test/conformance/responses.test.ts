/** What an upstream may answer and what comes of it (checklist U, and the advisories named). The next request is always tried too. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'vitest';
import { cluster, endpoint, rawOrigin, startProxy, type TestProxyOptions } from '../kit/proxy.ts';
import { field, type Seen } from './llhttp.ts';
import { startPlace, talk } from './place.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const PROTOCOL_ERROR = 'upstream connect error or disconnect/reset before headers. reset reason: protocol error';

/** The first request gets `answer` and, when `ends`, a FIN; every later one gets 200 `ok`. */
async function answering<T>(
  answer: string | readonly string[],
  ends: boolean,
  use: (port: number, connections: () => number) => Promise<T>,
  options: TestProxyOptions = {},
): Promise<T> {
  let requests = 0;
  let connections = 0;
  await using origin = await rawOrigin((socket) => {
    connections++;
    socket.on('data', () => {
      if (requests++ > 0) return void socket.write(OK);
      void writeParts(socket, typeof answer === 'string' ? [answer] : answer, ends);
    });
  });
  await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] }, ...options });
  return await use(proxy.port, () => connections);
}

async function writeParts(socket: Socket, parts: readonly string[], ends: boolean): Promise<void> {
  for (const part of parts) {
    socket.write(part, 'latin1');
    await new Promise((done) => setImmediate(done));
  }
  if (ends) socket.end();
}

describe('an answer that is no answer is 502, and the connection it came on is not used again:', () => {
  for (const [id, what, answer] of [
    [
      'U3',
      'length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    ],
    ['U3', 'two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd'],
    ['U3', 'the same length twice', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc'],
    ['U3', 'a list of lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc'],
    ['U3', 'a length with a sign', 'HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc'],
    ['U3', 'an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc'],
    ['U3', 'chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['U3', 'a bad first chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n'],
    ['U3', 'a NUL in a value', 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n'],
    ['U3', 'a carriage return in a value', 'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n'],
    ['U3', 'a folded line', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n'],
    ['U3', 'a space before a colon', 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n'],
    ['U3', 'line feeds alone', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n'],
    ['U3', 'a line feed alone in its reason', 'HTTP/1.1 200 OK\nX: y\r\nContent-Length: 0\r\n\r\n'],
    ['U3', 'garbage', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['U3', 'another version', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['U3', 'a status of two digits', 'HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n'],
    ['U3', 'a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'],
    ['U3', 'a status that is none', 'HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n'],
    ['U3', 'a head of 100 kB', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(102_400)}\r\nContent-Length: 0\r\n\r\n`],
    ['U3', '200 fields', `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(200)}Content-Length: 0\r\n\r\n`],
    ['U6', '2000 early hints', `${'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(2000)}${OK}`],
    [
      'CVE-2026-2833',
      'a 101 nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
    ],
  ] as const) {
    test(`${id} ${what}`, () =>
      answering(answer, false, async (port, connections) => {
        const { answers, error } = await talk(port, [GET + GET], 2);
        assert.equal(error, null);
        const last = answers.filter((a) => a.status >= 200);
        assert.deepEqual(
          last.map((a) => [a.status, a.body]),
          [
            [502, PROTOCOL_ERROR],
            [200, 'ok'],
          ],
        );
        assert.equal(connections(), 2);
      }));
  }
});

describe('an answer that breaks off is never taken for a whole one:', () => {
  for (const [id, what, answer, ends] of [
    ['U4', 'before the end of its length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst', true],
    ['U4', 'between chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', true],
    ['U4', 'inside a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc', true],
    [
      'U4',
      'before the end of its trailers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n',
      true,
    ],
    ['U3', 'at a bad chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n-1\r\n', false],
    [
      'U3',
      'at a chunk longer than its size',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n',
      false,
    ],
  ] as const) {
    test(`${id} ${what}`, () =>
      // The head goes first, so that it is on its way to the client when the rest comes.
      answering(
        [answer.slice(0, answer.indexOf('\r\n\r\n') + 4), answer.slice(answer.indexOf('\r\n\r\n') + 4)],
        ends,
        async (port) => {
          const { answers, ended } = await talk(port, [GET], 1);
          assert.ok(answers.every((a) => a.status === 502 || !a.complete));
          if (answers[0]?.status !== 502) assert.equal(ended, 'reset');
        },
      ));
  }
});

describe('an answer that says too much is cut where it ends, and its connection is not used again:', () => {
  const surplus = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
  for (const [id, what, method, answer, wanted] of [
    ['CVE-2026-48931', 'a second answer in the same segment', 'GET', OK + surplus, 'ok'],
    ['CVE-2026-48931', 'a second answer in the next segment', 'GET', [OK, surplus], 'ok'],
    [
      'U2',
      'bytes after a chunked body',
      'GET',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${surplus}`,
      'ok',
    ],
    ['U5', 'a body to HEAD', 'HEAD', surplus, ''],
    ['U5', 'a body after 204', 'GET', `HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison`, ''],
    ['U5', 'a body after 304', 'GET', `HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison`, ''],
    [
      'U5',
      'chunks after 304',
      'GET',
      `HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n6\r\npoison\r\n0\r\n\r\n`,
      '',
    ],
  ] as const) {
    test(`${id} ${what}`, () =>
      answering(answer, false, async (port, connections) => {
        const first = await talk(port, [`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`], 1, [method]);
        assert.deepEqual([first.answers[0]!.body, first.error], [wanted, null]);
        const second = await talk(port, [GET], 1);
        assert.deepEqual([second.answers[0]!.status, second.answers[0]!.body, connections()], [200, 'ok', 2]);
      }));
  }

  test('U5 no length is told of a 204', () =>
    answering('HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\n', false, async (port) => {
      const { answers } = await talk(port, [GET + GET], 2);
      assert.equal(field(answers[0]!.headers, 'content-length'), undefined);
      assert.equal(answers[1]!.body, 'ok');
    }));
});

describe('informational answers', () => {
  test('U6 103 is passed on, 100 is not, and the final answer follows', () =>
    answering(
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\n\r\n${OK}`,
      false,
      async (port) => {
        const { answers, error } = await talk(port, [GET], 1);
        assert.equal(error, null);
        assert.deepEqual(
          answers.map((a) => [a.status, field(a.headers, 'link'), field(a.headers, 'content-length')]),
          [
            [103, '</a>', undefined],
            [200, undefined, '2'],
          ],
        );
      },
    ));

  test('U6 a client of HTTP/1.0 gets none', () =>
    answering(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}`, false, async (port) => {
      const { answers } = await talk(port, ['GET / HTTP/1.0\r\nHost: a\r\n\r\n'], Infinity);
      assert.deepEqual(
        answers.map((a) => a.status),
        [200],
      );
    }));
});

describe('an early answer', () => {
  for (const [what, framing, part] of [
    ['of a length', 'Content-Length: 10', 'abc'],
    ['in chunks', 'Transfer-Encoding: chunked', '3\r\nabc\r\n'],
  ] as const) {
    test(`U1 CVE-2025-4366 before the body ${what} is read: neither connection serves another request, and the client is told`, () =>
      answering(OK, false, async (port, connections) => {
        const early = await talk(port, [`POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${part}`], Infinity);
        assert.deepEqual([early.answers.map((a) => a.body), early.ended], [['ok'], 'end']);
        assert.equal(field(early.answers[0]!.headers, 'connection'), 'close');
        const next = await talk(port, [GET], 1);
        assert.deepEqual([next.answers[0]!.body, connections()], ['ok', 2]);
      }));
  }
});

describe('a kept connection', () => {
  test('U8 is read again after an answer whose end a slow client has not taken yet', async () => {
    // Each answer is one read of the proxy: when the client falls behind, it does so at the end of an answer.
    const body = 'x'.repeat(60_000);
    await using place = await startPlace({}, () => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const slow = connect(place.proxy.port, '127.0.0.1');
    slow.pause();
    for (let i = 0; i < 150; i++) {
      slow.write(GET);
      for (let turn = 0; turn < 8; turn++) await new Promise((done) => setImmediate(done));
      const other = await talk(place.proxy.port, [GET], 1);
      assert.equal(other.answers[0]!.body.length, body.length);
    }
    slow.destroy();
  });

  test('U7 that was reset as a POST was about to go out on it: nothing was sent, so another one takes it', async () => {
    let kept: Socket | null = null;
    let posts = 0;
    await using origin = await rawOrigin((socket) => {
      kept ??= socket;
      socket.on('data', (bytes: Buffer) => {
        if (bytes.latin1Slice().startsWith('POST')) posts++;
        socket.write(OK);
      });
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    assert.equal((await talk(proxy.port, [GET], 1)).answers[0]!.status, 200);
    const client = connect(proxy.port, '127.0.0.1');
    await new Promise((done) => client.once('connect', done));
    await new Promise((done) => setTimeout(done, 20));
    // Both are there before the proxy looks: the request first, then the reset.
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc');
    kept!.resetAndDestroy();
    const answer = await new Promise<string>((done) =>
      client.once('data', (bytes: Buffer) => done(bytes.latin1Slice())),
    );
    client.destroy();
    assert.match(answer, /^HTTP\/1\.1 200 /);
    assert.equal(posts, 1);
  });

  test('U8 of another endpoint does not keep a request waiting for ever when the cluster’s limit is reached', async () => {
    const serve = (socket: Socket): void => void socket.on('data', () => socket.write(OK));
    await using one = await rawOrigin(serve);
    await using other = await rawOrigin(serve);
    await using proxy = await startProxy({
      clusters: [cluster('origin', { maxConnections: 1 })],
      endpoints: { origin: [endpoint(one.port), endpoint(other.port)] },
    });
    for (let i = 0; i < 4; i++) assert.equal((await talk(proxy.port, [GET], 1)).answers[0]!.body, 'ok');
  });
});

describe('framing towards the client', () => {
  for (const [what, answer, ends, minor, wanted] of [
    [
      'a body until the end of the connection goes out in chunks',
      'HTTP/1.1 200 OK\r\n\r\nabc',
      true,
      1,
      ['transfer-encoding', 'chunked'],
    ],
    [
      'a body until the end of the connection goes to HTTP/1.0 as such',
      'HTTP/1.0 200 OK\r\n\r\nabc',
      true,
      0,
      ['connection', 'close'],
    ],
    [
      'chunks go to HTTP/1.0 as a body until the end of the connection',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
      false,
      0,
      ['connection', 'close'],
    ],
    ['a length stays a length', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc', false, 1, ['content-length', '3']],
    [
      'an empty chunked body is one',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      false,
      1,
      ['transfer-encoding', 'chunked'],
    ],
  ] as const) {
    test(`is the client’s: ${what}`, () =>
      answering(answer, ends, async (port) => {
        const { answers, error } = await talk(
          port,
          [`GET / HTTP/1.${minor}\r\nHost: a\r\n\r\n`],
          minor === 0 ? Infinity : 1,
        );
        const [first] = answers as [Seen];
        assert.deepEqual([first.body, first.complete, error], [what.startsWith('an empty') ? '' : 'abc', true, null]);
        assert.equal(field(first.headers, wanted[0]), wanted[1]);
      }));
  }

  test('trailers go only to who asked for them', async () => {
    await using place = await startPlace(
      {},
      () =>
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nContent-Length: 5\r\n\r\n',
    );
    const asked = await talk(place.proxy.port, ['GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n'], 1);
    assert.deepEqual(asked.answers[0]!.trailers, ['X-Sum', '1']);
    const plain = await talk(place.proxy.port, [GET], 1);
    assert.deepEqual(plain.answers[0]!.trailers, []);
  });
});

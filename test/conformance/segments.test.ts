/** However bytes are cut on their way, and wherever they break off: the same meaning, or visibly none (checklist A22, U4). */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { ms } from '#proxy/core/brand.ts';
import { route } from '../kit/proxy.ts';
import type { Seen } from './llhttp.ts';
import { echo, startPlace, talk, type Answer, type Place, type Talk } from './place.ts';

const H = 'Host: a\r\n';
const CHUNKS = '3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n';

/** Each a whole conversation of a client: what it sends, and how many answers it waits for (Infinity: until the end). */
const CONVERSATIONS: readonly (readonly [what: string, bytes: string, answers: number])[] = [
  ['a GET', `GET /a?b HTTP/1.1\r\n${H}X-A:  b c \r\n\r\n`, 1],
  ['an empty line first', `\r\nGET /a HTTP/1.1\r\n${H}\r\n`, 1],
  ['empty lines between requests', `GET /a HTTP/1.1\r\n${H}\r\n\r\nGET /b HTTP/1.1\r\n${H}\r\n`, 2],
  ['two empty lines', `\r\n\r\nGET /a HTTP/1.1\r\n${H}\r\n`, Infinity],
  ['a length', `POST /a HTTP/1.1\r\n${H}Content-Length: 5\r\n\r\nabcde`, 1],
  ['chunks', `POST /a HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n${CHUNKS}`, 1],
  [
    'three requests',
    `GET /1 HTTP/1.1\r\n${H}\r\nPOST /2 HTTP/1.1\r\n${H}Content-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\n${H}\r\n`,
    3,
  ],
  [
    'chunks and then a request',
    `PUT /1 HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n${CHUNKS}GET /2 HTTP/1.1\r\n${H}\r\n`,
    2,
  ],
  ['HTTP/1.0', `GET /a HTTP/1.0\r\n${H}\r\n`, Infinity],
  ['a good one and a bad one', `GET /a HTTP/1.1\r\n${H}\r\nGET /b HTTP/1.1\r\nHost : a\r\n\r\n`, Infinity],
  ['a bad chunk', `POST /a HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n`, Infinity],
  ['a bare line feed', `GET /a HTTP/1.1\r\nX: y\n${H}\r\n`, Infinity],
  ['an empty line of a carriage return', `\rGET /a HTTP/1.1\r\n${H}\r\n`, Infinity],
];

const meaning = ({ answers, ended }: Talk): unknown => ({
  answers: answers.map(({ status, body, complete }) => ({ status, body, complete })),
  ended,
});

/** Without what differs from request to request. */
const essence = (seen: readonly Seen[]): unknown =>
  seen
    .filter((r) => r.complete)
    .map(({ method, target, body, trailers, headers }) => [
      method,
      target,
      body,
      trailers,
      headers.filter((h) => /^x-a|^host|^content/i.test(h)),
    ]);

/** `text` cut at `cuts`. */
function pieces(text: string, cuts: readonly number[]): string[] {
  const at = [...new Set(cuts.map((c) => c % text.length))].sort((a, b) => a - b);
  return [...at, text.length].map((to, i) => text.slice(at[i - 1] ?? 0, to)).filter((piece) => piece !== '');
}

describe('A22 a request cut into segments means what it means whole:', () => {
  let place: Place;
  beforeAll(async () => void (place = await startPlace()));
  afterAll(() => place[Symbol.asyncDispose]());

  async function said(segments: readonly string[], expect: number): Promise<unknown> {
    place.forget();
    const heard = meaning(await talk(place.proxy.port, segments, expect));
    assert.deepEqual(place.broken, []);
    return [heard, essence(place.seen)];
  }

  for (const [what, bytes, answers] of CONVERSATIONS) {
    test(`${what}, byte by byte`, async () => {
      assert.deepEqual(await said(bytes.split(''), answers), await said([bytes], answers));
    });
  }

  test('any of them, cut anywhere', async () => {
    const whole = new Map<string, unknown>();
    for (const [, bytes, answers] of CONVERSATIONS) whole.set(bytes, await said([bytes], answers));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...CONVERSATIONS),
        fc.array(fc.nat(400), { maxLength: 6 }),
        async ([, bytes, answers], cuts) => {
          assert.deepEqual(await said(pieces(bytes, cuts), answers), whole.get(bytes));
        },
      ),
      { numRuns: 150, seed: 22 },
    );
  });
});

const RESPONSES: readonly (readonly [what: string, bytes: string, body: string])[] = [
  ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nright', 'right'],
  [
    'chunks',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;e=f\r\nri\r\n3\r\nght\r\n0\r\nX-Sum: 1\r\n\r\n',
    'right',
  ],
  [
    'an early hint and a length',
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright',
    'right',
  ],
  ['nothing', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
];

const finals = (answers: readonly Seen[]): Seen[] => answers.filter((a) => a.status >= 200);

describe('A22 a response cut into segments means what it means whole:', () => {
  for (const [what, bytes, body] of RESPONSES) {
    test(`${what}, byte by byte`, async () => {
      await using place = await startPlace({}, ({ target }, socket) => {
        if (target === '/next') return 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext';
        socket.setNoDelay(true);
        void (async () => {
          for (const byte of bytes) {
            socket.write(byte);
            await new Promise((done) => setImmediate(done));
          }
        })();
        return null;
      });
      const { answers, error } = await talk(
        place.proxy.port,
        [`GET / HTTP/1.1\r\n${H}\r\nGET /next HTTP/1.1\r\n${H}\r\n`],
        2,
      );
      assert.equal(error, null);
      assert.deepEqual(
        finals(answers).map((a) => a.body),
        [body, 'next'],
      );
    });
  }
});

/** Answers `/cut/N/how` with the first N bytes of `bytes`, and breaks off. */
const cutting =
  (bytes: string): Answer =>
  (request, socket) => {
    const [, cut, at, how] = request.target.split('/');
    if (cut !== 'cut') return echo(request, socket);
    socket.write(bytes.slice(0, Number(at)), 'latin1', () => breakOff(socket, how!));
    return null;
  };

function breakOff(socket: Socket, how: string): void {
  if (how === 'fin') socket.end();
  else setImmediate(() => socket.resetAndDestroy());
}

describe('U4 an answer that breaks off at any byte is right, an error, or visibly broken, and never another’s:', () => {
  for (const how of ['fin', 'reset']) {
    for (const [what, bytes, body] of RESPONSES) {
      test(`${what}, by ${how}`, async () => {
        await using place = await startPlace({}, cutting(bytes));
        for (let at = 0; at <= bytes.length; at++) {
          const both = `GET /cut/${at}/${how} HTTP/1.1\r\n${H}\r\nGET /next HTTP/1.1\r\n${H}\r\n`;
          const { answers, ended, error } = await talk(place.proxy.port, [both], 2);
          const [first, second] = finals(answers);
          const right = first?.complete === true && first.status < 500 && first.body === body;
          const failed = first?.complete === true && (first.status === 502 || first.status === 503);
          const broken = ended === 'reset' && first?.complete !== true;
          assert.ok(right || failed || broken, `after ${at} bytes: ${JSON.stringify([first, ended, error])}`);
          if (at === bytes.length) assert.ok(right);
          if (at < bytes.length - 2) assert.ok(!right, `only ${at} bytes came`);
          if (second !== undefined) assert.equal(second.body, '/next ');
          if (!broken) assert.ok(second, `after ${at} bytes the client's connection lives on`);
        }
      });
    }
  }

  test('with retries, a request that broke off is answered by another try as long as nothing was passed on', async () => {
    const [, bytes] = RESPONSES[0]!;
    let tries = 0;
    const policy = { attempts: 2, on: ['reset'], statusCodes: [], perTryTimeout: null, backoff: ms(1) };
    await using place = await startPlace({ routes: [route({ retry: policy })] }, (request, socket) => {
      if (request.target === '/next') return echo(request, socket);
      return tries++ === 0 ? cutting(bytes)(request, socket) : bytes;
    });
    const headEnd = bytes.indexOf('\r\n\r\n');
    for (let at = 0; at < bytes.length; at++) {
      tries = 0;
      const both = `GET /cut/${at}/reset HTTP/1.1\r\n${H}\r\nGET /next HTTP/1.1\r\n${H}\r\n`;
      const { answers, ended } = await talk(place.proxy.port, [both], 2);
      const [first, second] = finals(answers);
      if (at < headEnd) assert.deepEqual([tries, first?.body, second?.body], [2, 'right', '/next ']);
      else if (first?.complete === true) assert.equal(first.body, 'right');
      else assert.equal(ended, 'reset');
    }
  });
});

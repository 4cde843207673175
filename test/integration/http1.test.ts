import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, test } from 'vitest';
import { endpoint, exchange, rawOrigin, route, startProxy } from '../kit/proxy.ts';
import { ms } from '#proxy/core/brand.ts';

/** Answers each complete head with `answer`. */
const answering = (answer: string) => (socket: Socket) => {
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    text += chunk;
    for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
      text = text.slice(end + 4);
      socket.write(answer, 'latin1');
    }
  });
};

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Origin: yes\r\n\r\nok';

describe('an HTTP/1.1 exchange', () => {
  test('passes through with header names in the case they came in', async () => {
    let seen = '';
    await using origin = await rawOrigin((socket) => {
      socket.on('data', (bytes) => {
        seen += bytes.toString('latin1');
        socket.write(OK);
      });
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const { text } = await exchange(
      proxy.port,
      'GET /a?b=c HTTP/1.1\r\nHost: origin\r\nX-CamelCase: Value\r\n\r\n',
      'ok',
    );
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(text, /\r\nX-Origin: yes\r\n/);
    assert.match(text, /\r\nserver: envoy\r\n/);
    assert.match(seen, /^GET \/a\?b=c HTTP\/1\.1\r\nHost: origin\r\nX-CamelCase: Value\r\n/);
    assert.match(seen, /\r\nx-request-id: [0-9a-f-]{36}\r\n/);
  });

  test('goes on behind a body that nobody read, when all of it had come', async () => {
    await using origin = await rawOrigin((socket) => void socket.on('data', () => socket.write(OK)));
    await using proxy = await startProxy({
      endpoints: { origin: [endpoint(origin.port)] },
      routes: [
        route({
          match: { ...route().match, path: { kind: 'prefix', value: '/no' } },
          action: { kind: 'direct', status: 403, body: 'no', bodyIsBase64: false },
        }),
        route(),
      ],
    });
    const post = (path: string, length: number, body: string): string =>
      `POST ${path} HTTP/1.1\r\nHost: origin\r\nContent-Length: ${length}\r\n\r\n${body}`;
    const whole = await exchange(proxy.port, post('/no', 4, 'body') + post('/', 4, 'more'), /ok$/);
    assert.match(whole.text, /^HTTP\/1\.1 403 [^]*\r\n\r\nnoHTTP\/1\.1 200 [^]*ok$/);
    assert.doesNotMatch(whole.text, /connection: close/);
    // The rest of the body, should it come, could not be told from a request.
    const half = await exchange(proxy.port, post('/no', 4, 'bo'), /no$/);
    assert.match(half.text, /^HTTP\/1\.1 403 [^]*\r\nconnection: close\r\n/);
  });

  test('of an answer that was taken back nothing is told: its origin broke it off in the turn it came', async () => {
    // Head and bad chunk come in one read, so that nothing of it has left when it turns out to be broken.
    const broken = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\nno size\r\n';
    await using origin = await rawOrigin((socket) => void socket.on('data', () => socket.write(broken)));
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const { text } = await exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: origin\r\n\r\n', /\r\n\r\n[^]+$/);
    assert.match(text, /^HTTP\/1\.1 502 /);
    const [line] = await proxy.log();
    const body = text.slice(text.indexOf('\r\n\r\n') + 4);
    assert.deepEqual([line!['response_code'], line!['bytes_sent']], [502, body.length]);
  });

  test('answers pipelined requests in order on one connection', async () => {
    let n = 0;
    await using origin = await rawOrigin((socket) => {
      socket.on('data', (bytes) => {
        for (const _ of bytes.toString().matchAll(/\r\n\r\n/g)) {
          n++;
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${String(n).padStart(2, '0')}`);
        }
      });
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const many = 'GET / HTTP/1.1\r\nHost: origin\r\n\r\n'.repeat(50);
    const { text } = await exchange(proxy.port, many, /\r\n\r\n50$/);
    const bodies = [...text.matchAll(/\r\n\r\n(\d\d)/g)].map((m) => Number(m[1]));
    assert.deepEqual(
      bodies,
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
  });

  test('relays a chunked body as chunks, without its extensions', async () => {
    let seen = '';
    await using origin = await rawOrigin((socket) => {
      socket.on('data', (bytes) => {
        seen += bytes.toString('latin1');
        if (seen.endsWith('0\r\n\r\n'))
          socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n');
      });
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const { text } = await exchange(
      proxy.port,
      'POST / HTTP/1.1\r\nHost: origin\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nWiki\r\n0\r\n\r\n',
      '0\r\n\r\n',
    );
    assert.match(text, /\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n$/);
    assert.match(seen, /\r\n\r\n4\r\nWiki\r\n0\r\n\r\n$/);
  });

  test('answers Expect: 100-continue, and only then reads the body', async () => {
    await using origin = await rawOrigin((socket) => {
      let text = '';
      socket.on('data', (bytes) => {
        text += bytes.toString();
        if (text.endsWith('body')) socket.write(OK);
      });
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const head = 'POST / HTTP/1.1\r\nHost: origin\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n';
    const first = await exchange(proxy.port, head, '\r\n\r\n');
    assert.equal(first.text, 'HTTP/1.1 100 Continue\r\n\r\n');
    const both = await exchange(proxy.port, `${head}body`, 'ok');
    assert.match(both.text, /^HTTP\/1\.1 200/);
  });

  for (const [name, answer, request, wanted] of [
    [
      'HEAD has no body',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
      'HEAD',
      /^HTTP\/1\.1 200 OK\r\nContent-Length: 5\r\n[^]*\r\n\r\n$/,
    ],
    ['204 has no body', 'HTTP/1.1 204 No Content\r\n\r\n', 'GET', /^HTTP\/1\.1 204 No Content\r\n[^]*\r\n\r\n$/],
    [
      '304 has no body',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
      'GET',
      /^HTTP\/1\.1 304 [^]*\r\n\r\n$/,
    ],
  ] as const) {
    test(`${name}, and the connections live on`, async () => {
      await using origin = await rawOrigin(answering(answer));
      await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
      const message = `${request} / HTTP/1.1\r\nHost: origin\r\n\r\n`;
      const { text } = await exchange(proxy.port, message + message, /\r\n\r\n[^]+\r\n\r\n/);
      const [one, two] = text.split(/(?<=\r\n\r\n)/);
      assert.match(one!, wanted);
      assert.equal(two!.split('\r\n')[0], one!.split('\r\n')[0]);
    });
  }

  test('serves HTTP/1.0: closes after the answer, and keeps open when asked', async () => {
    await using origin = await rawOrigin(answering(OK));
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const closing = await exchange(proxy.port, 'GET / HTTP/1.0\r\nHost: origin\r\n\r\n');
    assert.equal(closing.ended, 'end');
    assert.match(closing.text, /\r\nconnection: close\r\n/);
    const keeping = await exchange(
      proxy.port,
      'GET / HTTP/1.0\r\nHost: origin\r\nConnection: keep-alive\r\n\r\n',
      'ok',
    );
    assert.match(keeping.text, /\r\nconnection: keep-alive\r\n/);
  });
});

describe('an upstream that fails', () => {
  test('refuses connections: 503 UF with the reason', async () => {
    const origin = await rawOrigin(() => undefined);
    await origin[Symbol.asyncDispose]();
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const { text } = await exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: origin\r\n\r\n', 'failure');
    assert.match(text, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
    assert.match(text, /x-lateen-reason: 127\.0\.0\.1:\d+ of origin could not be reached: Connection refused/);
    const [line] = await proxy.log();
    assert.equal(line!['response_flags'], 'UF');
    assert.equal(
      line!['response_code_details'],
      'upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}',
    );
  });

  test('has no endpoints: 503 UH', async () => {
    await using proxy = await startProxy({ endpoints: {} });
    const { text } = await exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: origin\r\n\r\n', 'no healthy upstream');
    assert.match(text, /^HTTP\/1\.1 503/);
    assert.equal((await proxy.log())[0]!['response_flags'], 'UH');
  });

  test('closes before its head: 503 UC', async () => {
    await using origin = await rawOrigin((socket) => socket.on('data', () => socket.end()));
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const { text } = await exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: origin\r\n\r\n', 'termination');
    assert.match(text, /^HTTP\/1\.1 503/);
    assert.equal((await proxy.log())[0]!['response_flags'], 'UC');
  });

  test('cuts its body short: the client sees a broken answer, never a clean end', async () => {
    await using origin = await rawOrigin((socket) =>
      socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this')),
    );
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const { ended } = await exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: origin\r\n\r\n');
    assert.equal(ended, 'reset');
  });

  test('closes a kept connection as it is used again: the request is repeated, the client sees nothing', async () => {
    await using origin = await rawOrigin((socket, nth) => {
      let requests = 0;
      socket.on('data', () => (++requests > 1 && nth === 0 ? socket.resetAndDestroy() : socket.write(OK)));
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    for (let i = 0; i < 3; i++) {
      const { text } = await exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: origin\r\n\r\n', 'ok');
      assert.match(text, /^HTTP\/1\.1 200/);
    }
  });

  test('never answers: 504 UT after the timeout of the route', async () => {
    await using origin = await rawOrigin((socket) => socket.resume());
    await using proxy = await startProxy({
      endpoints: { origin: [endpoint(origin.port)] },
      routes: [route({ timeout: ms(50) })],
    });
    const { text } = await exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: origin\r\n\r\n', 'upstream request timeout');
    assert.match(text, /^HTTP\/1\.1 504 Gateway Timeout\r\n/);
    assert.equal((await proxy.log())[0]!['response_flags'], 'UT');
  });

  for (const [name, answer] of [
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n'],
    [
      'length and chunking at once',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc'],
    ['a NUL in a header', 'HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n'],
    ['an unsolicited 101', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n'],
  ] as const) {
    test(`answers with ${name}: 502`, async () => {
      await using origin = await rawOrigin((socket) => socket.on('data', () => socket.write(answer, 'latin1')));
      await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
      const { text } = await exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: origin\r\n\r\n', 'protocol error');
      assert.match(text, /^HTTP\/1\.1 502/);
      assert.equal((await proxy.log())[0]!['response_flags'], 'UPE');
    });
  }
});

describe('a client that breaks the rules', () => {
  for (const [name, bytes, status] of [
    [
      'length and chunking',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc', 400],
    ['a signed length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc', 400],
    ['chunked twice', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n', 400],
    ['a folded line', 'GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n', 400],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400],
    ['a bare line feed', 'GET / HTTP/1.1\nHost: a\n\n', 400],
    ['a NUL', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n', 400],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400],
    ['userinfo in Host', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 400],
    ['a target that is not Host', 'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a fragment', 'GET /#a HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['another version', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', 505],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 405],
    ['an unknown expectation', 'GET / HTTP/1.1\r\nHost: a\r\nExpect: the-moon\r\n\r\n', 417],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 400],
    ['101 headers', `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(101)}\r\n`, 431],
    ['a head without end', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(70_000)}`, 431],
    ['a long target', `GET /${'y'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    [
      'a bad chunk size',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n',
      400,
    ],
    [
      'a chunk longer than its size',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n',
      400,
    ],
  ] as const) {
    test(`by ${name} gets ${status} and a closed connection, and the origin sees no whole request`, async () => {
      let seen = '';
      await using origin = await rawOrigin((socket) => socket.on('data', (b) => (seen += b.toString('latin1'))));
      await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
      const { text, ended } = await exchange(proxy.port, bytes);
      assert.equal(text.slice(0, 12), `HTTP/1.1 ${status}`);
      assert.notEqual(ended, 'open');
      assert.ok(!seen.endsWith('0\r\n\r\n'));
      // Envoy does not count a missing Host as a protocol error.
      assert.equal((await proxy.log())[0]!['response_flags'], name === 'no Host' ? '-' : 'DPE');
    });
  }

  test('in the middle of a pipeline gets the answers before it, then 400', async () => {
    await using origin = await rawOrigin(answering(OK));
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const { text } = await exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost : a\r\n\r\n');
    assert.deepEqual(
      [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((m) => m[1]),
      ['200', '400'],
    );
  });
});

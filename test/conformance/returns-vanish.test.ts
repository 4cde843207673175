/** A client, or an origin, that goes away at any byte of the request, and a client at any byte of its answer (checklist U1, F4). */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'vitest';
import { endpoint, exchange, rawOrigin, startProxy } from '../kit/proxy.ts';
import { settled, startPlace, talk } from './place.ts';
import { told } from './returns-told.ts';

const HOWS = ['fin', 'rst', 'close'] as const;
type How = (typeof HOWS)[number];

function leave(socket: Socket, how: How): void {
  if (how === 'fin') socket.end();
  else if (how === 'rst') socket.resetAndDestroy();
  else socket.destroy();
}

/** Resolves when the connection is over, whoever ended it. */
async function goAway(socket: Socket, how: How): Promise<void> {
  const closed = new Promise((done) => socket.once('close', done).resume());
  leave(socket, how);
  await closed;
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  await new Promise((done) => socket.once('connect', done));
  return socket;
}

const GONE = '0 DC downstream_remote_disconnect';
describe('a client that vanishes', () => {
  for (const [name, body] of [
    ['counted', 'Content-Length: 12\r\n\r\n0123456789ab'],
    ['chunked', 'Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nX-Sum: 7\r\n\r\n'],
  ] as const) {
    for (const how of HOWS) {
      test(`at any byte of its ${name} request by ${how}: nobody takes it for whole, and it is told once`, async () => {
        const request = `POST /gone HTTP/1.1\r\nHost: a\r\n${body}`;
        await using place = await startPlace();
        for (let at = 0; at < request.length; at++) {
          const socket = await dial(place.proxy.port);
          await new Promise((done) => socket.write(request.slice(0, at), 'latin1', done));
          await goAway(socket, how);
        }
        const { answers } = await talk(place.proxy.port, ['GET /canary HTTP/1.1\r\nHost: a\r\n\r\n'], 1);
        assert.equal(answers[0]!.body, '/canary ');
        await settled(() => place.proxy.clusters()[0]!.active + place.seen.length);
        assert.deepEqual(place.broken, []);
        assert.deepEqual(place.seen.filter((r) => r.complete).map((r) => r.target), ['/canary']); // prettier-ignore
        const { active, pending, endpoints } = place.proxy.clusters()[0]!;
        assert.deepEqual([active, pending, endpoints[0]!.active], [0, 0, 0]);
        const lines = (await place.proxy.log()).filter((line) => line['path'] !== '/canary');
        const heads = request.length - (request.indexOf('\r\n\r\n') + 4);
        // A head that never came whole is no request. A reset may overtake the last bytes it follows.
        assert.ok(lines.length <= heads && (how === 'rst' || lines.length === heads), `${lines.length} of ${heads}`);
        for (const line of lines) assert.equal(told(line), GONE);
      });
    }
  }

  for (const [name, response] of [
    ['counted', 'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n0123456789ab'],
    ['chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nX-Sum: 7\r\n\r\n'],
  ] as const) {
    for (const how of HOWS) {
      test(`at any byte of its ${name} answer by ${how}: the origin’s connection goes with it, and it is told once`, async () => {
        await using origin = await rawOrigin((socket) =>
          socket.on('data', (bytes: Buffer) => {
            socket.write(response.slice(0, Number(/^GET \/(\d+)/.exec(bytes.latin1Slice())![1])), 'latin1');
          }),
        );
        await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
        const head = response.indexOf('\r\n\r\n') + 4;
        for (let at = 0; at < response.length; at++) {
          const socket = await dial(proxy.port);
          socket.write(`GET /${at} HTTP/1.1\r\nHost: a\r\n\r\n`);
          // Before the head is whole nothing comes; afterwards all that the origin has sent.
          if (at >= head) await new Promise((done) => socket.once('data', done));
          else while (proxy.clusters()[0]!.active === 0) await new Promise((done) => setImmediate(done));
          await goAway(socket, how);
        }
        while (proxy.clusters()[0]!.connections > 0) await new Promise((done) => setTimeout(done, 5));
        assert.equal(proxy.clusters()[0]!.endpoints[0]!.active, 0);
        const lines = await proxy.log();
        assert.equal(lines.length, response.length);
        for (const line of lines) {
          const began = Number(String(line['path']).slice(1)) >= head;
          assert.equal(told(line), began ? GONE.replace('0', '200') : GONE, String(line['path']));
        }
      });
    }
  }
});

describe('an origin that vanishes', () => {
  for (const how of ['fin', 'rst'] as const) {
    test(`after any part of the request by ${how}: the client gets a whole 503, and the next one its answer`, async () => {
      const body = 'x'.repeat(40);
      let after = 0;
      await using origin = await rawOrigin((socket) => {
        let got = '';
        socket.on('data', (bytes: Buffer) => {
          got += bytes.latin1Slice();
          if (got.startsWith('GET '))
            return void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
          const end = got.indexOf('\r\n\r\n');
          if (end >= 0 && got.length - end - 4 >= after) leave(socket, how);
        });
      });
      await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
      for (after = 0; after <= body.length; after++) {
        const head = `POST /${after} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`;
        const { answers, error } = await talk(proxy.port, [head, ...body.match(/.{1,8}/g)!], 1);
        assert.deepEqual([answers[0]?.status, answers[0]?.complete, error], [503, true, null], `after ${after} bytes`);
        assert.match((await exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'ok')).text, /^HTTP\/1\.1 200 /);
      }
      const lines = (await proxy.log()).filter((line) => line['method'] === 'POST');
      assert.equal(lines.length, body.length + 1);
      for (const line of lines)
        assert.equal(told(line), '503 UC upstream_reset_before_response_started{connection_termination}');
    });
  }

  test('while a large upload is under way: the answer it gave before reaches the client whole (U1)', async () => {
    const refusal = 'HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!';
    await using origin = await rawOrigin((socket) => {
      socket.once('data', () => socket.end(refusal));
      socket.resume();
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const upload = Buffer.alloc(5_000_000, 'x');
    for (let i = 0; i < 10; i++) {
      const head = `POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: ${upload.length}\r\n\r\n`;
      const { answers, error } = await talk(proxy.port, [head, upload.subarray(0, 200_000)], 1);
      assert.deepEqual([answers[0]?.status, answers[0]?.body, error], [413, 'no!', null]);
    }
    for (const line of await proxy.log()) assert.equal(told(line), '413 - via_upstream');
  });
});

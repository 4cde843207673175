/** Origins that hang, and more requests than an origin may get: each wait has its own bound and its own sentence (checklist U7, U8, U9). */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, test } from 'vitest';
import { ms } from '#proxy/core/brand.ts';
import { cluster, endpoint, exchange, rawOrigin, route, startProxy } from '../kit/proxy.ts';
import { settled, talk } from './place.ts';
import { told } from './returns-told.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
describe('an origin that hangs', () => {
  const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n';
  const HANGS = {
    'before its head': ['', '504 UT response_timeout', /no complete answer/],
    'in its head': ['HTTP/1.1 200 OK\r\nX: ', '504 UT response_timeout', /no complete answer/],
    'in a counted body': [
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc',
      '200 UT response_timeout',
      /did not finish/,
    ],
    'in a chunked body': [CHUNKED, '200 UT response_timeout', /did not finish/],
    'before its trailers': [`${CHUNKED}0\r\n`, '200 UT response_timeout', /did not finish/],
    'in its trailers': [`${CHUNKED}0\r\nX-Sum: `, '200 UT response_timeout', /did not finish/],
  } as const;
  for (const [where, [text, wanted, sentence]] of Object.entries(HANGS)) {
    test(`U9 ${where} is given up when the route’s time is over`, async () => {
      await using origin = await rawOrigin((socket) => socket.on('data', () => socket.write(text)));
      await using proxy = await startProxy({
        endpoints: { origin: [endpoint(origin.port)] },
        routes: [route({ timeout: ms(80) })],
      });
      const { answers, ended } = await talk(proxy.port, [GET], 1);
      if (wanted.startsWith('504')) assert.deepEqual([answers[0]!.status, answers[0]!.complete], [504, true]);
      else assert.deepEqual([answers[0]!.complete, ended], [false, 'reset']);
      const [line, ...more] = await proxy.log();
      assert.deepEqual([told(line!), more.length], [wanted, 0]);
      assert.match(String(line!['reason']), sentence);
    });
  }

  test('U9 a wait for a free connection counts towards the route’s time', async () => {
    await using origin = await rawOrigin(() => undefined);
    await using proxy = await startProxy({
      endpoints: { origin: [endpoint(origin.port)] },
      clusters: [cluster('origin', { maxConnections: 1 })],
      routes: [route({ timeout: ms(80) })],
    });
    const all = await Promise.all([talk(proxy.port, [GET], 1), talk(proxy.port, [GET], 1)]);
    assert.deepEqual(all.map(({ answers }) => answers[0]!.status), [504, 504]); // prettier-ignore
    const { active, pending } = proxy.clusters()[0]!;
    assert.deepEqual([active, pending], [0, 0]);
  });
});

describe('more than an origin may get', () => {
  test('U8 connections are capped, who finds none waits, and who finds no place to wait gets 503 UO', async () => {
    const waiting: Socket[] = [];
    let most = 0;
    let open = 0;
    await using origin = await rawOrigin((socket) => {
      most = Math.max(most, ++open);
      socket.on('close', () => open--);
      socket.on('data', () => waiting.push(socket));
    });
    await using proxy = await startProxy({
      endpoints: { origin: [endpoint(origin.port)] },
      clusters: [cluster('origin', { maxConnections: 2, maxPendingRequests: 3 })],
    });
    const talks: Promise<{ text: string }>[] = [];
    const ask = () => void talks.push(exchange(proxy.port, GET, /\r\n\r\n/));
    for (let i = 0; i < 2; i++) ask();
    while (waiting.length < 2) await new Promise((done) => setTimeout(done, 5));
    for (let i = 0; i < 6; i++) ask();
    await settled(() => proxy.clusters()[0]!.pending);
    assert.equal(proxy.clusters()[0]!.pending, 3);
    while (talks.length > 0 && proxy.clusters()[0]!.active > 0) {
      for (const socket of waiting.splice(0)) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      await new Promise((done) => setTimeout(done, 5));
    }
    const answers = (await Promise.all(talks)).map(({ text }) => text);
    assert.deepEqual(answers.map((text) => text.slice(9, 12)).sort(), ['200', '200', '200', '200', '200', '503', '503', '503']); // prettier-ignore
    assert.ok(answers.filter((text) => text.includes('503')).every((text) => /x-envoy-overloaded: true/i.test(text)));
    assert.equal(most, 2);
    const lines = (await proxy.log()).filter((line) => line['response_flags'] === 'UO');
    assert.equal(lines.length, 3);
  });

  test('U8 a WebSocket holds its place as a request and as a connection as long as it lasts', async () => {
    const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    const sockets: Socket[] = [];
    await using origin = await rawOrigin((socket) => {
      sockets.push(socket);
      socket.once('data', () => socket.write(SWITCH));
    });
    await using proxy = await startProxy({
      endpoints: { origin: [endpoint(origin.port)] },
      clusters: [cluster('origin', { maxRequests: 1, maxConnections: 1 })],
    });
    const ask = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    const first = talk(proxy.port, [ask], Infinity);
    while (sockets.length === 0 || proxy.clusters()[0]!.connections !== 1)
      await new Promise((done) => setTimeout(done, 5));
    const refused = await talk(proxy.port, [ask], 1);
    assert.equal(refused.answers[0]!.status, 503);
    sockets[0]!.end();
    await first;
    await settled(() => proxy.clusters()[0]!.active);
    const { active, connections, endpoints } = proxy.clusters()[0]!;
    assert.deepEqual([active, connections, endpoints[0]!.active], [0, 0, 0]);
  });
});

describe('a kept connection that closes just as it is used', () => {
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
    for (const how of ['fin', 'rst'] as const) {
      test(`U7 (${how}) costs no client of ${method} an error`, async () => {
        let refused = 0;
        await using origin = await rawOrigin((socket) => {
          let served = 0;
          socket.on('data', () => {
            if (served++ === 0) return void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
            refused++;
            if (how === 'fin') socket.end();
            else socket.resetAndDestroy();
          });
        });
        await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
        const body = method === 'PUT' ? 'Content-Length: 3\r\n\r\nabc' : '\r\n';
        for (let i = 0; i < 100; i++) {
          const { answers } = await talk(proxy.port, [`${method} /${i} HTTP/1.1\r\nHost: a\r\n${body}`], 1, [method]);
          assert.equal(answers[0]?.status, 200, `${method} ${i}`);
        }
        assert.ok(refused > 20, 'the race was run');
        for (const line of await proxy.log()) assert.equal(told(line), '200 - via_upstream');
      });
    }
  }

  test('U7 a POST is never sent twice once a byte of it has left, and 503 UC says so', async () => {
    const bodies: string[] = [];
    await using origin = await rawOrigin((socket) => {
      let served = 0;
      socket.on('data', (bytes: Buffer) => {
        bodies.push(bytes.latin1Slice().split('\r\n\r\n')[1]!);
        if (served++ === 0) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        else socket.resetAndDestroy();
      });
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const statuses = new Map<string, number>();
    for (let i = 0; i < 60; i++) {
      const body = String(i).padStart(3, '0');
      const { answers } = await talk(proxy.port, [`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n${body}`], 1);
      statuses.set(body, answers[0]!.status);
    }
    assert.deepEqual([...bodies].sort(), [...new Set(bodies)].sort(), 'no body came twice');
    assert.deepEqual(new Set(statuses.values()), new Set([200, 503]));
  });

  test('U7 a POST whose connection was closed before it was written succeeds on another', async () => {
    const idle = new Set<Socket>();
    await using origin = await rawOrigin((socket) => {
      idle.add(socket);
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    for (let i = 0; i < 100; i++) {
      const { answers } = await talk(proxy.port, ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'], 1);
      assert.equal(answers[0]?.status, 200, `after ${i}`);
      // The origin closes what it kept, by turns, and the next request comes at once.
      for (const socket of idle) if (i % 2 === 0) socket.end(); else socket.resetAndDestroy(); // prettier-ignore
      idle.clear();
    }
  });
});

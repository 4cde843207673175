/** What one client may take of the proxy: time, memory, connections (checklist O1, O2, F6). While it tries, others are served. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'vitest';
import { SIDECAR_LIMITS } from '#proxy/listener/limits.ts';
import { route } from '../kit/proxy.ts';
import { field, LlhttpReader } from './llhttp.ts';
import { echo, settled, startPlace, talk, type Place } from './place.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
/** Deadlines are looked at this often here. */
const SWEEP = 10;

async function othersAreServed(place: Place): Promise<void> {
  const { answers } = await talk(place.proxy.port, ['GET /canary HTTP/1.1\r\nHost: a\r\n\r\n'], 1);
  assert.equal(answers[0]!.body, '/canary ');
}

async function opened(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  await new Promise((done) => socket.once('connect', done));
  return socket;
}

const closed = (socket: Socket): Promise<unknown> => new Promise((done) => socket.once('close', done).resume());

/** Everything that comes until the end. */
function read(socket: Socket): Promise<LlhttpReader> {
  const reader = new LlhttpReader('response');
  socket.on('data', (bytes: Buffer) => reader.feed(bytes));
  return new Promise((done) => socket.once('close', () => done(reader)).resume());
}

/** Writes one byte after the other, `every` so many ms, until the connection is closed. */
function trickle(socket: Socket, text: string, every: number): void {
  let at = 0;
  const timer = setInterval(() => (at < text.length ? socket.write(text[at++]!) : clearInterval(timer)), every);
  socket.once('close', () => clearInterval(timer));
}

describe('a slow client', () => {
  test('O1 that never ends its head gets 408 in time, however steadily it goes on', async () => {
    await using place = await startPlace({ limits: { headTimeout: 80, sweepInterval: SWEEP } });
    const socket = await opened(place.proxy.port);
    trickle(socket, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(10_000)}`, 5);
    const [heard] = await Promise.all([read(socket), othersAreServed(place)]);
    assert.deepEqual(
      heard.messages.map((m) => [m.status, field(m.headers, 'connection')]),
      [[408, 'close']],
    );
  });

  test('O1 that stops in its body gets 408, and the origin no whole request', async () => {
    await using place = await startPlace({ limits: { bodyTimeout: 80, sweepInterval: SWEEP } });
    const socket = await opened(place.proxy.port);
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    const [heard] = await Promise.all([read(socket), othersAreServed(place)]);
    assert.deepEqual(
      heard.messages.map((m) => [m.status, field(m.headers, 'connection')]),
      [[408, 'close']],
    );
    assert.deepEqual(
      place.seen.filter((r) => r.complete).map((r) => r.target),
      ['/canary'],
    );
  });

  test('O1 that does not read is cut off, and the origin’s connection with it', async () => {
    const body = 'x'.repeat(30_000_000);
    await using place = await startPlace({ limits: { writeTimeout: 150, sweepInterval: SWEEP } }, (request, socket) =>
      request.target === '/canary'
        ? echo(request, socket)
        : `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const socket = await opened(place.proxy.port);
    socket.write(GET);
    socket.pause();
    await othersAreServed(place);
    await settled(() => place.proxy.clusters()[0]!.active);
    while (place.proxy.clusters()[0]!.active > 0) await new Promise((done) => setTimeout(done, 10));
    socket.destroy();
  });

  test('O1 that is silent between requests is let go', async () => {
    await using place = await startPlace({ limits: { idleTimeout: 80, sweepInterval: SWEEP } });
    const silent = await opened(place.proxy.port);
    const kept = await opened(place.proxy.port);
    kept.write(GET);
    await Promise.all([closed(silent), closed(kept), othersAreServed(place)]);
  });

  test('that reads the last answer slowly gets all of it', async () => {
    // More than the network holds, made at once: the rest of it waits in the proxy for some sweeps.
    const body = 'x'.repeat(20_000_000);
    await using place = await startPlace({
      limits: { lingerTimeout: 20, headTimeout: 20, sweepInterval: SWEEP },
      routes: [route({ action: { kind: 'direct', status: 200, body, bodyIsBase64: false } })],
    });
    const socket = await opened(place.proxy.port);
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await new Promise((done) => setTimeout(done, 150));
    assert.equal((await read(socket)).messages[0]!.body.length, body.length);
  });

  test('that goes on sending after its last answer is cut off in the end', async () => {
    await using place = await startPlace({ limits: { lingerTimeout: 50, headTimeout: 150, sweepInterval: SWEEP } });
    const socket = connect({ port: place.proxy.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    trickle(socket, 'y'.repeat(100_000), 5);
    await closed(socket);
  });
});

describe('a greedy client', () => {
  test('O1 that pipelines and does not read gets no more answers made than fit on the way', async () => {
    await using place = await startPlace(
      {},
      () => `HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(1000)}`,
    );
    const socket = await opened(place.proxy.port);
    socket.pause();
    const batch = GET.repeat(1000);
    for (let i = 0; i < 20; i++) socket.write(batch);
    await settled(() => place.seen.length);
    const made = place.seen.length;
    assert.ok(made < 20_000, `${made} answers were made for a client that reads none`);
    const reader = new LlhttpReader('response');
    await new Promise<void>((done) => {
      socket.on('data', (bytes: Buffer) => {
        reader.feed(bytes);
        if (reader.finals === 20_000) done();
      });
      socket.resume();
    });
    socket.destroy();
  });

  test('O1 the same with answers of our own', async () => {
    await using place = await startPlace({ routes: [] });
    const socket = await opened(place.proxy.port);
    socket.pause();
    const batch = GET.repeat(2000);
    let taken = 0;
    const pump = (): void => void socket.write(batch, () => ((taken += batch.length), taken < 100_000_000 && pump()));
    pump();
    await settled(() => taken);
    assert.ok(taken < 100_000_000, 'the proxy goes on reading requests whose answers nobody reads');
    socket.destroy();
  });

  test('O1 what is sent behind a request that waits for its answer stays with the client', async () => {
    await using place = await startPlace({}, () => null);
    const socket = await opened(place.proxy.port);
    let taken = 0;
    const batch = GET.repeat(2000);
    const pump = (): void => void socket.write(batch, () => ((taken += batch.length), taken < 100_000_000 && pump()));
    pump();
    await settled(() => taken);
    assert.ok(taken < 100_000_000);
    assert.equal(place.seen.length, 1);
    socket.destroy();
  });

  test('O2 connections beyond the limit are refused, and room is made by those that go', async () => {
    await using place = await startPlace({ limits: { maxConnections: 3 } });
    // A connection that is refused may be reset before its client has heard that it was made.
    const come = (): Socket => connect(place.proxy.port, '127.0.0.1').on('error', () => undefined);
    const all = Array.from({ length: 4 }, come);
    // Which of them is accepted last is not told by who connected first.
    const refused = await Promise.race(all.map(async (socket) => (await closed(socket), socket)));
    const held = all.filter((socket) => socket !== refused);
    held.pop()!.destroy();
    // The room is there when the proxy has heard of it, which a client cannot see: it asks until it is let in.
    for (let answer = ''; !answer.startsWith('HTTP/1.1 200 ');) {
      const socket = come();
      const over = closed(socket);
      socket.once('data', (bytes: Buffer) => {
        answer = bytes.toString('latin1');
        socket.destroy();
      });
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await over;
    }
    for (const socket of held) socket.destroy();
  });

  const files = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 0);
  test.skipIf(files < 12_000)('O1 5,000 idle connections keep nobody from being served', async () => {
    await using place = await startPlace();
    const sockets: Socket[] = [];
    while (sockets.length < 5000)
      sockets.push(...(await Promise.all(Array.from({ length: 250 }, () => opened(place.proxy.port)))));
    const start = performance.now();
    await othersAreServed(place);
    assert.ok(performance.now() - start < 1000);
    await Promise.all(sockets.map((socket) => (socket.destroy(), closed(socket))));
    await othersAreServed(place);
  });

  test('the limits of a sidecar are those the documentation names', () => {
    const { head, headTimeout, bodyTimeout, writeTimeout, idleTimeout, pipelineBytes } = SIDECAR_LIMITS;
    assert.deepEqual(
      { head, headTimeout, bodyTimeout, writeTimeout, idleTimeout, pipelineBytes },
      {
        head: { maxBytes: 61_440, maxFields: 100, maxTarget: 16_384 },
        headTimeout: 10_000,
        bodyTimeout: 60_000,
        writeTimeout: 60_000,
        idleTimeout: 3_600_000,
        pipelineBytes: 65_536,
      },
    );
  });
});

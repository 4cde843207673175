/** After all is over nothing is left: no socket, no request in a counter (checklist F5). */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'vitest';
import { ms } from '#proxy/core/brand.ts';
import { cluster } from '../kit/proxy.ts';
import { echo, startPlace, talk } from './place.ts';

/** How far a client gets before it goes away. */
const BREAKS = [
  'GET /nev',
  'GET /never HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /large HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /reset HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nabc',
  'POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
  'POST /never HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc',
  `${'GET /ok HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5)}GET /never HTTP/1.1\r\nHost: a\r\n\r\n`,
  'GET / HTTP/1.1\r\nbad\r\n\r\n',
  'POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nbad',
];

/** Sends `text`, waits `turns` turns of the loop, and goes away: by reset, by closing, or by a FIN. */
async function breakOff(port: number, text: string, turns: number, how: number): Promise<void> {
  const socket: Socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await new Promise((done) => socket.once('connect', done));
  socket.write(text);
  for (let turn = turns; turn > 0; turn--) await new Promise((done) => setImmediate(done));
  const closed = new Promise((done) => socket.once('close', done).resume());
  if (how === 0) socket.resetAndDestroy();
  else if (how === 1) socket.destroy();
  else socket.end();
  await closed;
}

describe('after the storm', () => {
  /** TCP sockets of this process: the proxy's, the origin's, the clients'. */
  const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

  test('F5 10,000 requests and 1,000 that were broken off later, every counter is at zero and no socket is left', async () => {
    const before = sockets();
    const large = 'x'.repeat(300_000);
    const options = { clusters: [cluster('origin', { idleTimeout: ms(50) })], limits: { sweepInterval: 10 } };
    await using place = await startPlace(options, (request, socket) => {
      switch (request.target) {
        case '/large':
          return `HTTP/1.1 200 OK\r\nContent-Length: ${large.length}\r\n\r\n${large}`;
        case '/never':
          return null;
        case '/reset':
          socket.resetAndDestroy();
          return null;
        default:
          return echo(request, socket);
      }
    });
    const { port } = place.proxy;
    const some =
      'GET /ok HTTP/1.1\r\nHost: a\r\n\r\nPOST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'.repeat(50);
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        for (let i = 0; i < 10; i++) assert.equal((await talk(port, [some], 100)).answers.length, 100);
      }),
    );
    for (let i = 0; i < 1000; i += 20) {
      await Promise.all(
        Array.from({ length: 20 }, (_, n) => breakOff(port, BREAKS[(i + n) % BREAKS.length]!, n % 7, n % 3)),
      );
    }
    const busy = (): number => {
      const { active, pending, connections, endpoints } = place.proxy.clusters()[0]!;
      return active + pending + connections + endpoints.reduce((sum, e) => sum + e.active, 0) + (sockets() - before);
    };
    // Idle connections to the origin are let go after 50 ms here; everything else should be gone already.
    while (busy() > 0) await new Promise((done) => setTimeout(done, 10));
    const { active, pending, connections, endpoints } = place.proxy.clusters()[0]!;
    assert.deepEqual([active, pending, connections, endpoints[0]!.active, sockets()], [0, 0, 0, 0, before]);
  });
});

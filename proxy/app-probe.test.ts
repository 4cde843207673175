import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import { afterEach, describe, test } from 'vitest';
import { AppProbe, probe, type ProbeTarget } from './app-probe.ts';

const open: (Server | TcpServer)[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) {
    if ('closeAllConnections' in server) server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listening(server: Server | TcpServer): Promise<number> {
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const at = (port: number, path: string | null = '/health'): ProbeTarget => ({ host: '127.0.0.1', port, path });

/** A port on which nobody listens. */
async function nobody(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('one probe', () => {
  for (const [status, well] of [
    [200, true],
    [204, true],
    [302, true],
    [399, true],
    [400, false],
    [404, false],
    [503, false],
  ] as const) {
    test(`by HTTP that is answered ${status} ${well ? 'succeeds' : 'fails'}`, async () => {
      const asked: (string | undefined)[] = [];
      const port = await listening(
        createServer((request, response) => {
          asked.push(`${request.method} ${request.url} ${request.headers['user-agent']}`);
          response.writeHead(status, { location: '/elsewhere' }).end('x'.repeat(100_000));
        }),
      );
      const found = await probe(at(port, '/health?deep=1'), 2000);
      assert.equal(found, well ? null : `HTTP probe failed with statuscode: ${status}`);
      assert.deepEqual(asked, ['GET /health?deep=1 kube-probe/lateen']);
    });
  }

  test('by HTTP has one limit for all of it, however the bytes drip', async () => {
    const port = await listening(
      createTcpServer((socket) => {
        socket.on('error', () => undefined);
        const drip = setInterval(() => socket.write('H'), 5);
        socket.on('close', () => clearInterval(drip));
      }),
    );
    // A byte that is no HTTP ends it sooner; either way it is no success.
    assert.match((await probe(at(port), 100)) ?? 'well', /^Get "http:\/\/127\.0\.0\.1:\d+\/health": /);
  });

  test('by HTTP of who accepts and says nothing ends at its limit', async () => {
    const port = await listening(createTcpServer((socket) => void socket.on('error', () => undefined).resume()));
    assert.match((await probe(at(port), 30)) ?? 'well', /: no answer within 30 ms$/);
  });

  test('where nobody listens says so', async () => {
    const port = await nobody();
    assert.match((await probe(at(port), 2000)) ?? 'well', /^Get .*ECONNREFUSED/);
    assert.match((await probe(at(port, null), 2000)) ?? 'well', /^dial tcp 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
  });

  test('by TCP succeeds with a connection, and closes it', async () => {
    const closed = Promise.withResolvers<void>();
    const port = await listening(createTcpServer((socket) => void socket.resume().on('close', () => closed.resolve())));
    assert.equal(await probe(at(port, null), 2000), null);
    await closed.promise;
  });
});

describe('the application', () => {
  /** Answers each probe with the next of these; then `asked` resolves, and the last one stays. */
  async function answering(statuses: readonly number[]) {
    let asked = 0;
    const changes: [number, string | null][] = [];
    const all = Promise.withResolvers<void>();
    const port = await listening(
      createServer((_, response) => {
        response.writeHead(statuses[Math.min(asked, statuses.length - 1)]!).end();
        // The answer before the last one has been taken by then.
        if (++asked > statuses.length) all.resolve();
      }),
    );
    const app = new AppProbe(at(port), () => changes.push([asked, app.why]), { period: 2 });
    assert.equal(app.why, 'it has not answered its probe yet');
    app.start();
    await all.promise;
    app.close();
    return changes;
  }
  const failed = (status: number): string => `HTTP probe failed with statuscode: ${status}`;

  test('is ready at its first success, and not ready after two failures in a row', async () => {
    assert.deepEqual(await answering([503, 200, 503, 200, 503, 503, 503, 200]), [
      [1, failed(503)],
      [2, null],
      [6, failed(503)],
      [8, null],
    ]);
  });

  test('that fails in another way is not ready for another reason', async () => {
    assert.deepEqual(await answering([500, 500, 503]), [
      [1, failed(500)],
      [3, failed(503)],
    ]);
  });

  test('is asked no more after the end', async () => {
    let asked = 0;
    const first = Promise.withResolvers<void>();
    const port = await listening(
      createServer((_, response) => {
        asked++;
        first.resolve();
        response.end();
      }),
    );
    const app = new AppProbe(at(port), () => assert.fail('it is over'), { period: 0 });
    app.start();
    app.close();
    await Promise.race([first.promise, probe(at(port), 2000)]);
    assert.ok(asked <= 2, 'the one under way at the end, and ours');
  });
});

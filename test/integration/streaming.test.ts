import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'vitest';
import { endpoint, exchange, rawOrigin, route, startProxy } from '../kit/proxy.ts';

const CHUNK = Buffer.alloc(65_536, 'x');

describe('backpressure', () => {
  test('a client that does not read stops the origin, and gets every byte once it does', async () => {
    const total = 512 * CHUNK.length;
    let written = 0;
    await using origin = await rawOrigin((socket) => {
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
        const pump = (): void => {
          while (written < total) {
            written += CHUNK.length;
            if (!socket.write(CHUNK)) return void socket.once('drain', pump);
          }
        };
        pump();
      });
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const socket = connect(proxy.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: origin\r\n\r\n');
    socket.pause();
    await settled(() => written);
    assert.ok(written < total, `the origin wrote ${written} of ${total} bytes to a client that reads nothing`);
    let got = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.on('data', (bytes) => {
      got += bytes.length;
      if (got > total) resolve();
    });
    socket.resume();
    await promise;
    socket.destroy();
    assert.ok(got > total && got < total + 1000);
  });

  test('an origin that does not read stops the client, and gets every byte once it does', async () => {
    const total = 512 * CHUNK.length;
    let release: () => void = () => undefined;
    let got = 0;
    await using origin = await rawOrigin((socket) => {
      socket.pause();
      release = () => {
        socket.on('data', (bytes) => {
          got += bytes.length;
          if (got > total) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        });
        socket.resume();
      };
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const socket = connect(proxy.port, '127.0.0.1');
    socket.write(`POST / HTTP/1.1\r\nHost: origin\r\nContent-Length: ${total}\r\n\r\n`);
    let sent = 0;
    const pump = (): void => {
      while (sent < total) {
        sent += CHUNK.length;
        if (!socket.write(CHUNK)) return void socket.once('drain', pump);
      }
    };
    pump();
    await settled(() => sent);
    assert.ok(sent < total, `the client wrote ${sent} of ${total} bytes to an origin that reads nothing`);
    release();
    const { promise, resolve } = Promise.withResolvers<string>();
    socket.once('data', (bytes) => resolve(bytes.toString()));
    assert.match(await promise, /^HTTP\/1\.1 200/);
    socket.destroy();
  });
});

describe('an end that goes away', () => {
  test('the client in the middle of its answer: the origin’s connection is closed, the log says DC', async () => {
    const gone = Promise.withResolvers<void>();
    await using origin = await rawOrigin((socket) => {
      socket.on('close', () => gone.resolve());
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst'));
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    await exchange(proxy.port, 'GET / HTTP/1.1\r\nHost: origin\r\n\r\n', 'first');
    await gone.promise;
    const [line] = await proxy.log();
    assert.equal(line!['response_flags'], 'DC');
    assert.equal(line!['response_code_details'], 'downstream_remote_disconnect');
  });

  test('the client in the middle of its request: the origin never sees a whole one', async () => {
    const gone = Promise.withResolvers<string>();
    await using origin = await rawOrigin((socket) => {
      let text = '';
      socket.on('data', (bytes) => (text += bytes.toString()));
      socket.on('close', () => gone.resolve(text));
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const socket = connect(proxy.port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: origin\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', () =>
      setImmediate(() => socket.resetAndDestroy()),
    );
    assert.ok(!(await gone.promise).includes('0\r\n\r\n'));
  });

  test('the origin answers before the body has come: the client gets the answer, and no later request hears of the rest', async () => {
    await using origin = await rawOrigin((socket) => {
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly'));
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const { text, ended } = await exchange(
      proxy.port,
      'POST / HTTP/1.1\r\nHost: origin\r\nContent-Length: 10\r\n\r\nabc',
    );
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*early$/);
    assert.equal(ended, 'end');
  });
});

describe('tunnels', () => {
  test('a WebSocket upgrade joins both ends after its 101, early bytes included', async () => {
    await using origin = await rawOrigin((socket: Socket) => {
      let head = '';
      socket.on('data', (bytes) => {
        if (head.includes('\r\n\r\n')) return void socket.write(`echo:${bytes.toString()}`);
        head += bytes.toString();
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly');
      });
    });
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] } });
    const socket = connect(proxy.port, '127.0.0.1');
    let text = '';
    const echoed = Promise.withResolvers<void>();
    socket.on('data', (bytes) => {
      text += bytes.toString();
      if (text.endsWith('early')) socket.write('hello');
      if (text.endsWith('echo:hello')) echoed.resolve();
    });
    socket.write('GET / HTTP/1.1\r\nHost: origin\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await echoed.promise;
    assert.match(text, /^HTTP\/1\.1 101 Switching Protocols\r\n[^]*upgrade: websocket\r\n[^]*\r\n\r\nearlyecho:hello$/);
    const closed = Promise.withResolvers<void>();
    socket.on('close', () => closed.resolve());
    socket.end();
    await closed.promise;
  });

  test('an upgrade that the origin answers with 200 stays HTTP', async () => {
    await using origin = await rawOrigin((socket) =>
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno')),
    );
    await using proxy = await startProxy({ endpoints: { origin: [endpoint(origin.port)] }, routes: [route()] });
    const ask = 'GET / HTTP/1.1\r\nHost: origin\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    const { text } = await exchange(proxy.port, ask + ask, /no[^]*no$/);
    assert.equal([...text.matchAll(/HTTP\/1\.1 200/g)].length, 2);
  });
});

/** Resolves when a value has not changed over twenty turns of the event loop with I/O in them. */
async function settled(value: () => number): Promise<void> {
  let last = -1;
  for (let same = 0; same < 20;) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    same = value() === last ? same + 1 : 0;
    last = value();
  }
}

import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Reads } from '../wire/lent-reads.ts';
import { readProxyHeader } from '../wire/proxy-protocol.ts';
import { dial, type Dial } from './connect.ts';
import type { OnAddresses } from './names.ts';

const HOST = '127.42.1.1';

let open: Socket[];
let servers: Server[];

beforeEach(() => {
  open = [];
  servers = [];
});

afterEach(() => {
  for (const socket of open) socket.destroy();
  for (const server of servers) server.close();
});

async function serve(onConnection: (socket: Socket) => void, host = HOST, port = 0): Promise<number> {
  const server = createServer((socket) => {
    open.push(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return (server.address() as AddressInfo).port;
}

/** A port of `HOST` where nobody listens. */
async function closedPort(): Promise<number> {
  const port = await serve(() => undefined);
  await new Promise((resolve) => servers.pop()!.close(resolve));
  return port;
}

type Outcome = {
  socket: Socket | null;
  early: string | null;
  cause: string;
  timedOut: boolean;
  reads: Reads;
  got: () => string;
};

const BASE = { host: HOST, from: '', tls: null, timeout: 2000 } as const;

function reach(to: Partial<Dial> & { port: number }): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  let text = '';
  const reads = new Reads();
  reads.onBytes = (bytes) => {
    text += bytes.latin1Slice();
  };
  const told = { reads, got: () => text };
  dial(
    { ...BASE, reads, ...to },
    {
      onConnected(socket, early) {
        open.push(socket);
        socket.on('error', () => undefined);
        reads.onBytes = (bytes) => {
          text += bytes.latin1Slice();
        };
        resolve({ socket, early: early?.latin1Slice() ?? null, cause: '', timedOut: false, ...told });
      },
      onDialFailed: (cause, timedOut) => resolve({ socket: null, early: null, cause, timedOut, ...told }),
    },
  );
  return promise;
}

const named =
  (addresses: readonly string[], cause = '') =>
  (_host: string, done: OnAddresses): (() => void) => {
    const later = setImmediate(done, addresses, cause);
    return () => clearImmediate(later);
  };

/** Reads until `until` is in what came. */
function readUntil(socket: Socket, until: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = '';
  socket.on('data', (bytes: Buffer) => {
    text += bytes.latin1Slice();
    if (text.includes(until)) resolve(text);
  });
  return promise;
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
};

describe('a name', () => {
  test('leads to its first address', async () => {
    const port = await serve(() => undefined);
    const { socket } = await reach({ host: 'db.example', port, resolve: named([HOST, '127.42.1.2']) });
    expect(socket!.remoteAddress).toBe(HOST);
  });

  test('leads to the next address when the first refuses', async () => {
    const port = await serve(() => undefined, '127.42.1.3');
    const { socket } = await reach({ host: 'db.example', port, resolve: named([HOST, '127.42.1.2', '127.42.1.3']) });
    expect(socket!.remoteAddress).toBe('127.42.1.3');
  });

  test('leads to the next address when the first cannot be had from here', async () => {
    const port = await serve(() => undefined);
    const resolve = named(['2001:db8::1', '255.255.255.255', HOST]);
    expect((await reach({ host: 'db.example', port, resolve })).socket!.remoteAddress).toBe(HOST);
  });

  test('of which all addresses refuse is refused', async () => {
    const port = await closedPort();
    const { cause, timedOut } = await reach({ host: 'db.example', port, resolve: named([HOST, '127.42.1.2']) });
    expect([cause, timedOut]).toEqual(['Connection refused', false]);
  });

  test('without addresses says why', async () => {
    const { cause } = await reach({
      host: 'db.example',
      port: 1,
      resolve: named([], 'DNS answer points inside the mesh'),
    });
    expect(cause).toBe('DNS answer points inside the mesh');
  });

  test('that DNS never answers takes no longer than the limit', async () => {
    const { cause, timedOut } = await reach({ port: 1, timeout: 30, resolve: () => () => undefined });
    expect([cause, timedOut]).toEqual(['connection timeout', true]);
  });

  test('without a resolver is looked up by the system', async () => {
    const port = await serve(() => undefined, '127.0.0.1');
    expect((await reach({ host: 'localhost', port })).socket!.remotePort).toBe(port);
  });
});

describe.runIf(process.platform === 'linux')('an address that does not answer', () => {
  let worker: Worker;
  let port: number;

  /** A thread that listens, and then stands still: nobody accepts, so that the kernel drops every SYN once its queue is full. */
  const BLACK_HOLE = `
    const { parentPort } = require('node:worker_threads');
    const server = require('node:net').createServer().listen({ host: '127.42.1.9', port: 0, backlog: 1 }, () => {
      parentPort.postMessage(server.address().port);
      setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
    });`;

  beforeAll(async () => {
    worker = new Worker(BLACK_HOLE, { eval: true });
    [port] = (await once(worker, 'message')) as [number];
    // A queue of 1 takes two, and holds them when they are gone.
    for (let i = 0; i < 2; i++) {
      const filler = connect(port, '127.42.1.9');
      await once(filler, 'connect');
      filler.on('error', () => undefined).destroy();
    }
  });

  afterAll(async () => void (await worker.terminate()));

  test('is given up after the limit', async () => {
    const { cause, timedOut } = await reach({ host: '127.42.1.9', port, timeout: 50 });
    expect([cause, timedOut]).toEqual(['connection timeout', true]);
  });

  test('takes its share of the time, and leaves the others theirs', async () => {
    await serve(() => undefined, '127.42.1.4', port);
    const started = performance.now();
    const { socket } = await reach({ port, timeout: 800, resolve: named(['127.42.1.9', '127.42.1.4']) });
    const took = performance.now() - started;
    expect(socket!.remoteAddress).toBe('127.42.1.4');
    expect(took).toBeGreaterThan(390);
    expect(took).toBeLessThan(800);
  });

  test('does so as the last one, too', async () => {
    const resolve = named(['127.42.1.4', '127.42.1.9']);
    const { cause, timedOut } = await reach({ port, timeout: 50, resolve });
    expect([cause, timedOut]).toEqual(['connection timeout', true]);
  });
});

describe('what the system says', () => {
  test('refused', async () => expect((await reach({ port: await closedPort() })).cause).toBe('Connection refused'));

  test('a port that is none', async () => expect((await reach({ port: 70_000 })).cause).toBe('ERR_SOCKET_BAD_PORT'));

  test('a source address that this machine does not have', async () => {
    const port = await serve(() => undefined);
    const { cause } = await reach({ port, sourceAddress: '192.0.2.77' });
    expect(cause).toBe('Cannot assign requested address');
  });

  test('network unreachable', async () => {
    const { cause } = await reach({ host: '255.255.255.255', port: 9 });
    expect(['Network is unreachable', 'Permission denied']).toContain(cause);
  });
});

describe('where a connection comes from', () => {
  test("the source address of the cluster, else the workload's", async () => {
    const port = await serve(() => undefined);
    expect((await reach({ port, from: '127.42.1.7' })).socket!.localAddress).toBe('127.42.1.7');
    const { socket } = await reach({ port, from: '127.42.1.7', sourceAddress: '127.0.0.6' });
    expect(socket!.localAddress).toBe('127.0.0.6');
  });
});

describe('a PROXY header', () => {
  const client = { sourceAddress: '10.0.0.1', sourcePort: 4711, destinationAddress: '10.0.0.2', destinationPort: 3306 };

  test('says whose connection it is, before everything else, and once', async () => {
    const heard = Promise.withResolvers<string>();
    const port = await serve((socket) => void readUntil(socket, 'hello').then(heard.resolve));
    const { socket } = await reach({ port, proxyProtocol: 'V1', client });
    socket!.write('hello');
    expect(await heard.promise).toBe('PROXY TCP4 10.0.0.1 10.0.0.2 4711 3306\r\nhello');
  });

  for (const version of ['V1', 'V2'] as const)
    test(`${version} names nobody on connections that serve many`, async () => {
      const heard = Promise.withResolvers<string>();
      const port = await serve((socket) => void readUntil(socket, 'hello').then(heard.resolve));
      const { socket } = await reach({ port, proxyProtocol: version });
      socket!.write('hello');
      expect(readProxyHeader(Buffer.from(await heard.promise, 'latin1'))).toMatchObject({
        kind: 'header',
        addresses: null,
      });
    });
});

describe('a tunnel', () => {
  const tunnel = { method: 'CONNECT', host: 'db.example', port: 3306 } as const;

  async function proxy(answer: string): Promise<{ port: number; head: Promise<string> }> {
    const heard = Promise.withResolvers<string>();
    const port = await serve((socket) => {
      void readUntil(socket, '\r\n\r\n').then((head) => {
        heard.resolve(head);
        if (answer === '') socket.end();
        else socket.write(answer, 'latin1');
      });
    });
    return { port, head: heard.promise };
  }

  test('is asked for, and what the far end says early is not lost', async () => {
    const { port, head } = await proxy('HTTP/1.1 200 Connection established\r\nvia: a\r\n\r\n\x0a5.7 MySQL');
    const { socket, early } = await reach({ port, tunnel });
    expect(await head).toBe('CONNECT db.example:3306 HTTP/1.1\r\nhost: db.example:3306\r\n\r\n');
    expect([socket !== null, early]).toEqual([true, '\x0a5.7 MySQL']);
  });

  test('is asked for behind the PROXY header; IPv6 in brackets', async () => {
    const { port, head } = await proxy('HTTP/1.1 200 OK\r\n\r\n');
    const { early } = await reach({ port, tunnel: { ...tunnel, host: '2001:db8::1' }, proxyProtocol: 'V1' });
    expect(await head).toBe('PROXY UNKNOWN\r\nCONNECT [2001:db8::1]:3306 HTTP/1.1\r\nhost: [2001:db8::1]:3306\r\n\r\n');
    expect(early).toBeNull();
  });

  test('may be announced, and its answer come byte by byte', async () => {
    const port = await serve((socket) => {
      void readUntil(socket, '\r\n\r\n').then(async () => {
        for (const byte of 'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello') {
          await new Promise((sent) => socket.write(byte, sent));
        }
      });
    });
    const { socket, early, got } = await reach({ port, tunnel });
    expect(socket).not.toBeNull();
    await until(() => (early ?? '') + got() === 'hello');
  });

  for (const [answer, cause] of [
    ['HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n', 'tunnel refused: 403'],
    ['HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', 'tunnel refused: 407'],
    ['HTTP/1.1 302 Found\r\n\r\n', 'tunnel refused: 302'],
    ['HTTP/1.1 101 Switching Protocols\r\n\r\n', 'tunnel refused: 101'],
    ['HTTP/1.1 100 Continue\r\n\r\n'.repeat(17), 'tunnel refused: 100'],
    ['SSH-2.0-OpenSSH_9.6\r\n\r\n', 'tunnel refused: not HTTP (http1.invalid_status_line)'],
    ['HTTP/1.1 200 OK\r\nx: y\r\n z\r\n\r\n', /^tunnel refused: not HTTP/],
    [`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`, 'tunnel refused: the answer is too long'],
    ['', 'tunnel refused: the proxy closed the connection'],
  ] as const)
    test(`is refused by ${JSON.stringify(answer.slice(0, 40))}`, async () => {
      const { port } = await proxy(answer);
      const outcome = await reach({ port, tunnel });
      expect(outcome.socket).toBeNull();
      if (typeof cause === 'string') expect(outcome.cause).toBe(cause);
      else expect(outcome.cause).toMatch(cause);
      await until(() => open.every((socket) => socket.destroyed));
    });

  test('is refused by a reset', async () => {
    const port = await serve((socket) => socket.once('data', () => socket.resetAndDestroy()));
    expect((await reach({ port, tunnel })).cause).toBe('tunnel refused: Connection reset by peer');
  });

  test('that is never answered takes no longer than the limit', async () => {
    const port = await serve((socket) => socket.resume());
    const { cause, timedOut } = await reach({ port, tunnel, timeout: 50 });
    expect([cause, timedOut]).toEqual(['connection timeout', true]);
  });

  test('by POST goes in chunks, both ways, to the end', async () => {
    const sent = Promise.withResolvers<string>();
    const port = await serve((socket) => {
      void readUntil(socket, '0\r\n\r\n').then(sent.resolve);
      socket.once('data', () =>
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nearly\r\n', 'latin1'),
      );
    });
    const { socket, early, got } = await reach({ port, tunnel: { ...tunnel, method: 'POST' } });
    expect(early).toBeNull();
    const ended = new Promise((resolve) => socket!.on('end', resolve));
    const closed = new Promise((resolve) => socket!.on('close', resolve));
    socket!.resume();
    socket!.write('hello');
    socket!.end();
    expect(await sent.promise).toBe(
      'POST / HTTP/1.1\r\nhost: db.example:3306\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    );
    open[0]!.write('3\r\nbye\r\n0\r\n\r\n');
    await ended;
    expect(got()).toBe('earlybye');
    await closed;
    expect(socket!.remoteAddress).toBeUndefined();
  });

  test('by POST whose response breaks off ends in an error, not as if all had come', async () => {
    const port = await serve((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel', 'latin1'));
    });
    const { socket } = await reach({ port, tunnel: { ...tunnel, method: 'POST' } });
    const error = new Promise<Error>((resolve) => socket!.on('error', resolve));
    socket!.resume();
    expect((await error).message).toBe('the body of the tunnel broke off');
  });
});

describe('nothing is left', () => {
  const descriptors = (): number => readdirSync('/proc/self/fd').length;

  test.runIf(process.platform === 'linux')('of 20,000 connections that are refused, one after the other', async () => {
    const port = await closedPort();
    await reach({ port });
    const before = descriptors();
    let refused = 0;
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        for (let i = 0; i < 400; i++) if ((await reach({ port })).cause === 'Connection refused') refused++;
      }),
    );
    expect(refused).toBe(20_000);
    await until(() => descriptors() <= before);
  });

  test.runIf(process.platform === 'linux')('of attempts that are given up, at whatever point', async () => {
    const silent = await serve((socket) => socket.resume());
    const before = descriptors();
    const cancels = Array.from({ length: 60 }, (_, i) =>
      dial(
        {
          ...BASE,
          host: i % 2 === 0 ? HOST : 'db.example',
          port: silent,
          reads: new Reads(),
          tunnel: { method: 'CONNECT', host: 'a', port: 1 },
          ...(i % 2 === 0 ? {} : { resolve: named([HOST]) }),
        },
        { onConnected: () => expect.unreachable(), onDialFailed: () => expect.unreachable() },
      ),
    );
    for (const [i, cancel] of cancels.entries()) {
      if (i % 3 === 0) await until(() => open.length > i / 6);
      cancel();
      cancel();
    }
    await until(() => open.every((socket) => socket.destroyed));
    await until(() => descriptors() <= before);
  });
});

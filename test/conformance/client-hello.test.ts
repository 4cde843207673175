import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { MAX_CLIENT_HELLO, readClientHello, type HelloReading } from '#proxy/wire/client-hello.ts';
import { speaks } from '#proxy/wire/first-bytes.ts';
import { findBinary } from '../../bench/targets/binary.ts';
import { alpn, message, nodeHello, nodeReads, records, serverName, withExtensions } from '../kit/client-hello.ts';
import { ofSize, PARTS, REAL } from './hello-parts.ts';
import { ODD_FRAMES } from './odd-frames.ts';
import { ODD_NAMES } from './odd-names.ts';

const HELLOS = [...ODD_FRAMES, ...ODD_NAMES];

const inWords = (reading: HelloReading): string =>
  reading.kind === 'hello' ? `"${reading.serverName}"` : reading.kind === 'broken' ? reading.why : reading.kind;

describe('a ClientHello with', () => {
  for (const { what, bytes, ours, node } of HELLOS) {
    test(`${what} is read as the table says, by Node too`, async () => {
      assert.equal(inWords(readClientHello(bytes)), ours);
      const told = await nodeReads(bytes);
      assert.equal(told === null ? 'waits' : 'name' in told ? `"${told.name}"` : 'refuses', node);
    });
  }
});

/** Fails unless every beginning of `bytes` is `more` up to some point, and from there on what the whole is. */
function holdsAtEveryCut(bytes: Buffer, step = 1): void {
  const whole = readClientHello(bytes);
  let decided = false;
  for (let cut = 0; cut <= bytes.length; cut += step) {
    const part = readClientHello(bytes.subarray(0, cut));
    decided ||= part.kind !== 'more';
    assert.deepEqual(part, decided ? whole : { kind: 'more' }, `${cut} of ${bytes.length} bytes`);
  }
}

describe('a ClientHello that comes in pieces', () => {
  test('is more until it is what it is', () => {
    for (const { bytes } of HELLOS) holdsAtEveryCut(bytes, bytes.length > 8000 ? 97 : 1);
  });

  test('is more until its last byte when it is right', () => {
    for (const bytes of [REAL, records(message(PARTS), 100), records(message(PARTS), 30)]) {
      for (let cut = 0; cut < bytes.length; cut++) assert.equal(readClientHello(bytes.subarray(0, cut)).kind, 'more');
      assert.equal(readClientHello(bytes).kind, 'hello');
    }
  });

  test('is never more when there are as many bytes as a hello may have', () => {
    for (const size of [300, 1000, 16_384]) {
      const bytes = records(ofSize(16_384), size).subarray(0, MAX_CLIENT_HELLO);
      assert.deepEqual(readClientHello(bytes), { kind: 'broken', why: 'the hello is too long' });
    }
  });
});

const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
const dnsName = fc
  .array(label, { minLength: 1, maxLength: 6 })
  .map((labels) => labels.join('.'))
  .filter((name) => /[a-z_-]/i.test(name));
const protocols = fc.array(fc.string({ minLength: 1, maxLength: 20, unit: 'binary-ascii' }), {
  minLength: 1,
  maxLength: 5,
});

test('a name and protocols come out as they went in, whatever the records', () => {
  fc.assert(
    fc.property(dnsName, protocols, fc.integer({ min: 60, max: 3000 }), fc.nat(500), (name, ids, size, padding) => {
      const parts = withExtensions(PARTS, serverName(name), alpn(...ids), [21, Buffer.alloc(padding)]);
      const bytes = records(message(parts), size);
      // What a client sends behind its hello, such as early data, is not looked at.
      const read = readClientHello(Buffer.concat([bytes, Buffer.from('\x14\x03\x03\0\x01\x01')]));
      assert.deepEqual(read, { kind: 'hello', serverName: name.toLowerCase(), alpn: ids });
      assert.deepEqual(readClientHello(bytes), read);
      assert.equal(speaks(bytes), 'tls');
    }),
  );
});

test('any bytes are read without an exception, in pieces as in one, and are TLS to both readers or to none', () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.tuple(fc.uint8Array({ maxLength: 60 }), fc.nat(REAL.length)).map(([bytes, at]) => {
      const changed = Buffer.from(REAL);
      changed.set(bytes.subarray(0, REAL.length - at), at);
      return changed;
    }),
  );
  fc.assert(
    fc.property(anything, (array) => {
      const bytes = Buffer.from(array);
      holdsAtEveryCut(bytes, 7);
      if (bytes.length > 1) assert.equal(readClientHello(bytes).kind !== 'not-tls', speaks(bytes) === 'tls');
    }),
    { numRuns: 1000 },
  );
});

describe('the hello of', () => {
  const host = `127.43.${process.pid % 250}.3`;

  /** The first hello that reaches a port, which `client` is told. */
  async function firstHello(client: (port: number) => void): Promise<HelloReading> {
    const { promise, resolve } = Promise.withResolvers<HelloReading>();
    const server = createServer((socket) => {
      let bytes = Buffer.alloc(0);
      socket.on('error', () => {});
      socket.on('data', (data: Buffer) => {
        bytes = Buffer.concat([bytes, data]);
        const read = readClientHello(bytes);
        if (read.kind === 'more') return;
        resolve(read);
        socket.destroy();
      });
    });
    await once(server.listen(0, host), 'listening');
    client((server.address() as AddressInfo).port);
    const read = await promise;
    server.close();
    return read;
  }

  const run = (program: string, ...args: readonly string[]): void =>
    void execFile(program, args, { timeout: 10_000 }, () => {}).stdin?.end();
  const PYTHON = `import socket, ssl, sys
context = ssl.create_default_context()
context.set_alpn_protocols(['h2', 'http/1.1'])
context.wrap_socket(socket.create_connection((sys.argv[1], int(sys.argv[2]))), server_hostname='Python.example')`;

  const CLIENTS: readonly [string, string, (port: number) => void][] = [
    ['curl', 'curl.example', (p) => run('curl', '-sk', '--connect-to', `::${host}:${p}`, 'https://Curl.example./')],
    [
      'openssl',
      'openssl.example',
      (p) => run('openssl', 's_client', '-servername', 'openssl.example', '-alpn', 'h2,http/1.1', `${host}:${p}`),
    ],
    ['python3', 'python.example', (p) => run('python3', '-c', PYTHON, host, String(p))],
  ];
  for (const [program, name, start] of CLIENTS) {
    test.skipIf(findBinary(program) === null)(`${program} is understood`, async () => {
      assert.deepEqual(await firstHello(start), { kind: 'hello', serverName: name, alpn: ['h2', 'http/1.1'] });
    });
  }

  test('Node is understood, with and without what it may leave out', async () => {
    const read = await firstHello((port) => {
      connect({ host, port, servername: 'Node.example', ALPNProtocols: ['postgresql'] }).on('error', () => {});
    });
    assert.deepEqual(read, { kind: 'hello', serverName: 'node.example', alpn: ['postgresql'] });
    const none = { kind: 'hello', serverName: '', alpn: [] };
    const ciphers = 'DEFAULT@SECLEVEL=0';
    for (const maxVersion of ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const)
      assert.deepEqual(readClientHello(nodeHello({ minVersion: 'TLSv1', maxVersion, ciphers })), none);
  });
});

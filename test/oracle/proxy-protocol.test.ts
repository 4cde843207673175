/** The PROXY protocol with HAProxy at the other end: what it writes is read, what we write it reads. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { proxyHeader, readProxyHeader, type ProxyHeaderReading } from '#proxy/wire/proxy-protocol.ts';
import { findBinary } from '../../bench/targets/binary.ts';

const haproxy = findBinary('haproxy');
const address = `127.43.${process.pid % 250}.4`;

/** What each front end of HAProxy takes and what it sends. They listen on Unix sockets: no port has to be found. */
const FRONTS = {
  v1: { bind: '', server: 'send-proxy' },
  v2: { bind: '', server: 'send-proxy-v2' },
  // What it was told of the client goes on to the server.
  relay: { bind: 'accept-proxy', server: 'send-proxy-v2 proxy-v2-options crc32c' },
};

describe.skipIf(haproxy === null)('HAProxy', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-haproxy-'));
  let child: ReturnType<typeof spawn>;
  let reading = Promise.withResolvers<ProxyHeaderReading>();
  const origin = createServer((socket) => {
    let bytes = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => {
      bytes = Buffer.concat([bytes, data]);
      const read = readProxyHeader(bytes);
      if (read.kind === 'more') return;
      reading.resolve(read);
      socket.destroy();
    });
  });

  beforeAll(async () => {
    await once(origin.listen(0, address), 'listening');
    const { port } = origin.address() as AddressInfo;
    const fronts = Object.entries(FRONTS).map(
      ([name, { bind, server }]) =>
        `listen ${name}\n bind ${join(dir, name)} ${bind}\n server origin ${address}:${port} ${server}\n`,
    );
    const file = join(dir, 'haproxy.cfg');
    writeFileSync(
      file,
      `defaults\n mode tcp\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n${fronts.join('')}`,
    );
    child = spawn(haproxy!, ['-db', '-f', file], { stdio: 'ignore' });
  });
  afterAll(async () => {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    origin.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** What reaches the origin of a connection to `front` that sends `bytes`. Waits for HAProxy to come up. */
  async function through(front: keyof typeof FRONTS, bytes: Buffer): Promise<ProxyHeaderReading> {
    reading = Promise.withResolvers();
    let client: Socket | null = null;
    for (let tries = 0; client === null; tries++) {
      const socket = connect(join(dir, front));
      client = await once(socket, 'connect').then(
        () => socket,
        () => null,
      );
      if (client === null && tries > 300) throw new Error('HAProxy was not ready');
      if (client === null) await new Promise((done) => setTimeout(done, 20));
    }
    client.on('error', () => {}).write(bytes);
    const read = await reading.promise;
    client.destroy();
    return read;
  }

  for (const front of ['v1', 'v2'] as const) {
    test(`writes a header that is read: ${front}`, async () => {
      const read = await through(front, Buffer.from('hello'));
      assert.equal(read.kind, 'header', JSON.stringify(read));
    });
  }

  const CLIENTS = [
    ['10.0.0.1', 80, '10.0.0.2', 65_535],
    ['2001:db8::1', 1, '::1', 443],
  ] as const;
  for (const version of ['V1', 'V2'] as const) {
    test(`passes on what we write: ${version}`, async () => {
      for (const [sourceAddress, sourcePort, destinationAddress, destinationPort] of CLIENTS) {
        const addresses = { sourceAddress, sourcePort, destinationAddress, destinationPort };
        const read = await through('relay', Buffer.concat([proxyHeader(version, addresses), Buffer.from('hello')]));
        // Behind the addresses, a checksum.
        const length = sourceAddress.includes(':') ? 59 : 35;
        assert.deepEqual(read, { kind: 'header', length, addresses });
      }
    });
  }
});

/** What a cluster counts of its connections, whoever breaks off when: never more than it may, and nothing is left over. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { clusterName, ms } from '#proxy/core/brand.ts';
import type { ClientTls, Cluster } from '#proxy/snapshot/cluster.ts';
import type { TcpListener } from '#proxy/snapshot/listener.ts';
import { cluster, endpoint, exchange, rawOrigin, startProxy, type TestProxy } from '../kit/proxy.ts';
import { startBlackhole } from '../oracle/places.ts';

const TCP: TcpListener = {
  kind: 'tcp',
  name: 'tcp',
  address: '127.0.0.1',
  port: 0,
  direction: 'outbound',
  authz: null,
  rules: [{ destinations: [], serverNames: [], split: [{ cluster: clusterName('far'), weight: 1 }], source: null }],
};
const NAMED: TcpListener = { ...TCP, name: 'named', rules: [{ ...TCP.rules[0]!, serverNames: ['*'] }, TCP.rules[0]!] };

const start = (port: number, over: Partial<Cluster> = {}, host = '127.0.0.1'): Promise<TestProxy> =>
  startProxy({
    clusters: [cluster('origin'), cluster('far', { protocol: 'tcp', ...over })],
    endpoints: { far: [endpoint(port, host)] },
    listeners: [TCP, NAMED],
  });

const far = (proxy: TestProxy) => proxy.clusters().find(({ name }) => name === 'far')!;

/** Resolves when the proxy holds nothing any more. */
async function atRest(proxy: TestProxy): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    const { connections, active } = far(proxy);
    assert.ok(connections >= 0 && active >= 0, `${connections} connections, ${active} active`);
    if (connections === 0 && active === 0) return;
    await new Promise((done) => setTimeout(done, 5));
  }
  assert.fail(`left over: ${JSON.stringify(far(proxy))}`);
}

async function client(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((done) => setImmediate(done));
};

describe('the limit of connections', () => {
  test('is exact when a hundred come at once, and free again when they go', async () => {
    let most = 0;
    let now = 0;
    await using origin = await rawOrigin((socket) => {
      most = Math.max(most, ++now);
      socket.write('.');
      socket.on('close', () => now--);
    });
    await using proxy = await start(origin.port, { maxConnections: 10 });
    for (let round = 0; round < 3; round++) {
      const sockets = await Promise.all(Array.from({ length: 100 }, () => client(proxy.ports['tcp']!)));
      const answers = await Promise.all(
        sockets.map(async (socket) => {
          const { promise, resolve } = Promise.withResolvers<string>();
          socket.once('data', () => resolve('in')).once('close', () => resolve('out'));
          return promise;
        }),
      );
      assert.equal(answers.filter((answer) => answer === 'in').length, 10);
      for (const [i, socket] of sockets.entries()) if (i % 2 === 0) socket.destroy();
        else socket.resetAndDestroy(); // prettier-ignore
      await atRest(proxy);
    }
    assert.equal(most, 10);
  });

  test('leaks nothing, whenever clients break off', async () => {
    await using origin = await rawOrigin((socket) => {
      socket.write('.');
      socket.on('data', () => socket.end('.'));
    });
    await using proxy = await start(origin.port, { maxConnections: 20 });
    const HELLO = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);
    for (let nth = 0; nth < 400; nth++) {
      const socket = await client(proxy.ports[nth % 2 === 0 ? 'tcp' : 'named']!);
      if (nth % 3 !== 0) socket.write(nth % 5 === 0 ? HELLO : 'other');
      if (nth % 7 === 0) socket.end();
      await turns(nth % 9);
      if (nth % 4 === 0) socket.destroy();
      else socket.resetAndDestroy();
    }
    await atRest(proxy);
    // And each of the twenty places is there.
    const sockets = await Promise.all(Array.from({ length: 20 }, () => client(proxy.ports['tcp']!)));
    await Promise.all(sockets.map((socket) => once(socket, 'data')));
    for (const socket of sockets) socket.destroy();
  });
});

describe('a far end that is silent', () => {
  test('is given up in time, and who waits for it counts until then', async () => {
    await using hole = await startBlackhole('127.48.3.1');
    const { port, host } = hole.place;
    await using proxy = await start(port, { maxConnections: 5, connectTimeout: ms(300) }, host);
    const from = performance.now();
    const ended = await Promise.all(Array.from({ length: 8 }, () => exchange(proxy.ports['tcp']!, 'x')));
    const took = performance.now() - from;
    assert.ok(ended.every((one) => one.ended === 'reset' && one.text === ''));
    assert.ok(took >= 290 && took < 2000, `${took} ms`);
    await atRest(proxy);
    const lines = await proxy.log();
    const flags = lines.map((line) => line['response_flags']);
    assert.deepEqual(
      ['UF', 'UO'].map((flag) => flags.filter((one) => one === flag).length),
      [5, 3],
    );
  });

  test('leaves nothing behind when clients go first', async () => {
    await using hole = await startBlackhole('127.48.3.2');
    const { port, host } = hole.place;
    await using proxy = await start(port, { connectTimeout: ms(400) }, host);
    for (let nth = 0; nth < 20; nth++) {
      const socket = await client(proxy.ports['tcp']!);
      await turns(nth % 4);
      if (nth % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    }
    await atRest(proxy);
  });

  for (const address of ['255.255.255.255', '224.0.0.1', 'ff02::1', '0.0.0.0']) {
    test(`or cannot be reached (${address}) ends in time, with a cause`, async () => {
      await using proxy = await start(1, { connectTimeout: ms(300) }, address);
      assert.deepEqual(await exchange(proxy.ports['tcp']!, 'x'), { text: '', ended: 'reset' });
      await atRest(proxy);
      const [line] = await proxy.log();
      assert.equal(line!['response_flags'], 'UF');
      assert.notEqual(line!['upstream_transport_failure_reason'], null);
    });
  }
});

describe('TLS that the proxy adds', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-tcp-tls-'));
  const at = (name: string): string => join(dir, name);
  const hasOpenssl = ((): boolean => {
    try {
      execFileSync('openssl', ['version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  })();
  const tls = (over: Partial<ClientTls> = {}): ClientTls => ({
    sni: 'db.example',
    caFile: at('ca.pem'),
    certFile: null,
    keyFile: null,
    subjectAltNames: [],
    insecureSkipVerify: false,
    ...over,
  });
  const make = (name: string, ca: string | null, host: string): void => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', at(`${name}.key`)];
    const signer = ca === null ? [] : ['-CA', at(`${ca}.pem`), '-CAkey', at(`${ca}.key`)];
    const rest = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${host}`, '-out', at(`${name}.pem`)];
    execFileSync('openssl', ['req', '-x509', ...key, ...signer, ...rest, '-days', '2'], { stdio: 'pipe' });
  };
  beforeAll(() => {
    if (!hasOpenssl) return;
    make('ca', null, 'ca.example');
    make('good', 'ca', 'db.example');
    make('other', 'ca', 'other.example');
    make('self', null, 'db.example');
    // Signed again, by the same key, until yesterday.
    make('old', 'ca', 'db.example');
    const ca = [
      '-CA',
      at('ca.pem'),
      '-CAkey',
      at('ca.key'),
      '-CAcreateserial',
      '-days',
      '-1',
      '-copy_extensions',
      'copyall',
    ];
    execFileSync('openssl', ['x509', '-x509toreq', '-in', at('old.pem'), '-signkey', at('old.key'), '-copy_extensions', 'copyall', '-out', at('old.csr')]); // prettier-ignore
    execFileSync('openssl', ['x509', '-req', '-in', at('old.csr'), ...ca, '-out', at('old.pem')], { stdio: 'pipe' });
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  async function server(name: string, onConnection: (socket: Socket) => void) {
    const sockets = new Set<Socket>();
    const resets: string[] = [];
    const tlsServer = createTlsServer(
      { key: readFileSync(at(`${name}.key`)), cert: readFileSync(at(`${name}.pem`)), allowHalfOpen: true },
      (socket) => {
        socket.on('error', (error: NodeJS.ErrnoException) => resets.push(error.code ?? ''));
        onConnection(socket);
      },
    );
    // Also those that never come through the handshake.
    tlsServer.on('connection', (socket: Socket) => void sockets.add(socket)).on('tlsClientError', () => undefined);
    tlsServer.listen(0, '127.0.0.1');
    await once(tlsServer, 'listening');
    return {
      port: (tlsServer.address() as { port: number }).port,
      /** What the server's ends were told of. */
      resets,
      /** By the server, as TCP has it. */
      reset() {
        for (const socket of sockets) socket.resetAndDestroy();
        sockets.clear();
      },
      async [Symbol.asyncDispose]() {
        for (const socket of sockets) socket.destroy();
        await new Promise((done) => tlsServer.close(done));
      },
    };
  }

  for (const [name, cause] of [
    ['other', /other\.example|does not match/],
    ['self', /self-signed/],
    ['old', /expired/],
  ] as const) {
    test.skipIf(!hasOpenssl)(
      `is refused by whoever shows a certificate that is ${name}, and the cause is told`,
      async () => {
        await using origin = await server(name, (socket) => socket.end('secret'));
        await using proxy = await start(origin.port, { tls: tls() });
        assert.deepEqual(await exchange(proxy.ports['tcp']!, 'x'), { text: '', ended: 'reset' });
        await atRest(proxy);
        const [line] = await proxy.log();
        assert.match(String(line!['upstream_transport_failure_reason']), cause);
        assert.equal(line!['response_flags'], 'UF');
      },
    );
  }

  test.skipIf(!hasOpenssl)('passes both ways, half-closed ends too', async () => {
    await using origin = await server('good', (socket) => {
      let got = 0;
      socket.on('data', (bytes: Buffer) => (got += bytes.length));
      socket.on('end', () => socket.end(`got ${got}`));
    });
    await using proxy = await start(origin.port, { tls: tls() });
    const socket = await client(proxy.ports['tcp']!);
    socket.end(Buffer.alloc(3_000_000, 'x'));
    let text = '';
    socket.setEncoding('latin1').on('data', (more: string) => (text += more));
    await once(socket, 'end');
    assert.equal(text, 'got 3000000');
    await atRest(proxy);
  });

  test.skipIf(!hasOpenssl)('survives a client that resets, at any time, and the server is told', async () => {
    await using origin = await server('good', (socket) => void socket.write('.'));
    await using proxy = await start(origin.port, { tls: tls(), maxConnections: 3 });
    for (let nth = 0; nth < 30; nth++) {
      const socket = await client(proxy.ports['tcp']!);
      socket.write('hello');
      if (nth % 3 === 0) await once(socket, 'data');
      else await turns(nth);
      const before = origin.resets.length;
      socket.resetAndDestroy();
      await atRest(proxy);
      if (nth % 3 !== 0) continue;
      while (origin.resets.length === before) await turns(1);
      assert.equal(origin.resets[before], 'ECONNRESET');
    }
  });

  test.skipIf(!hasOpenssl)('survives a server that resets, and the client is told', async () => {
    await using origin = await server('good', (socket) => void socket.once('data', () => origin.reset()));
    await using proxy = await start(origin.port, { tls: tls() });
    for (let nth = 0; nth < 10; nth++) assert.equal((await exchange(proxy.ports['tcp']!, 'x')).ended, 'reset');
    await atRest(proxy);
  });

  test.skipIf(!hasOpenssl)('is given up in time when the server never answers the handshake', async () => {
    await using origin = await rawOrigin((socket) => socket.resume());
    await using proxy = await start(origin.port, { tls: tls(), connectTimeout: ms(200) });
    assert.equal((await exchange(proxy.ports['tcp']!, 'x')).ended, 'reset');
    await atRest(proxy);
    assert.match(String((await proxy.log())[0]!['upstream_transport_failure_reason']), /timeout/);
  });

  test.skipIf(!hasOpenssl)('is refused when the server goes, or talks something else, in the handshake', async () => {
    for (const [say, cause] of [
      [(socket: Socket) => void socket.end(), /closed|socket hang up|disconnected/],
      [(socket: Socket) => void socket.once('data', () => socket.resetAndDestroy()), /closed the connection/],
      [(socket: Socket) => void socket.write('SSH-2.0-OpenSSH_9\r\n'), /does not speak TLS/],
    ] as const) {
      await using origin = await rawOrigin(say);
      await using proxy = await start(origin.port, { tls: tls() });
      assert.equal((await exchange(proxy.ports['tcp']!, 'x')).ended, 'reset');
      await atRest(proxy);
      assert.match(String((await proxy.log())[0]!['upstream_transport_failure_reason']), cause);
    }
  });
});

/** What clients say, or do not say, while nothing is known of them: cut hellos, odd server names, PROXY headers that lie. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, test } from 'vitest';
import { clusterName } from '#proxy/core/brand.ts';
import { manualClock } from '#proxy/core/manual-clock.ts';
import type { Held } from '#proxy/listener/first-bytes.ts';
import { firstLook, type Seen } from '#proxy/listener/first-look.ts';
import { lendReads } from '#proxy/listener/lent-socket.ts';
import { readProxied } from '#proxy/listener/proxy-header.ts';
import type { Connection } from '#proxy/live/connection.ts';
import type { TcpListener, TcpRule } from '#proxy/snapshot/listener.ts';
import { Reads } from '#proxy/wire/lent-reads.ts';
import { PARTS, whole, without } from '../conformance/hello-parts.ts';
import { nodeHello, serverName, withExtensions } from '../kit/client-hello.ts';
import { cluster, endpoint, exchange, NODE, rawOrigin, startProxy, type TestProxy } from '../kit/proxy.ts';

const HELLO = nodeHello({ servername: 'a.example' });
const named = (name: string): Buffer => whole(withExtensions(PARTS, serverName(name)));

const rule = (name: string, serverNames: readonly string[] = []): TcpRule => ({
  destinations: [],
  serverNames,
  split: [{ cluster: clusterName(name), weight: 1 }],
  source: null,
});
const tcp = (rules: readonly TcpRule[]): TcpListener => ({
  kind: 'tcp',
  name: 'tcp',
  address: '127.0.0.1',
  port: 0,
  direction: 'outbound',
  authz: null,
  rules,
});

/** Takes whatever comes, and counts it. */
async function counting() {
  const got = { connections: 0, bytes: 0 };
  const origin = await rawOrigin((socket) => {
    got.connections++;
    socket.on('data', (bytes: Buffer) => (got.bytes += bytes.length));
    socket.on('end', () => socket.end(`got`));
  });
  return { got, port: origin.port, [Symbol.asyncDispose]: () => origin[Symbol.asyncDispose]() };
}

const start = (far: number, rules: readonly TcpRule[]): Promise<TestProxy> =>
  startProxy({
    clusters: [cluster('origin'), cluster('far', { protocol: 'tcp' }), cluster('other', { protocol: 'tcp' })],
    endpoints: { far: [endpoint(far)], other: [endpoint(far)] },
    listeners: [tcp(rules)],
  });

const OTHER = { ...NODE, name: 'other-0', ip: '127.48.2.2' };

async function client(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

describe('a hello that is cut', () => {
  const cuts = [2, 3, 5, 6, 9, 11, 43, 44, 76, 100, HELLO.length >> 1, HELLO.length - 1];

  test('and ended reaches nobody, not even who takes everything', async () => {
    await using far = await counting();
    await using proxy = await start(far.port, [rule('far', ['a.example']), rule('other')]);
    for (const cut of cuts) {
      const socket = await client(proxy.ports['tcp']!);
      socket.end(HELLO.subarray(0, cut));
      await new Promise((done) => socket.resume().once('close', done));
    }
    const lines = await proxy.log();
    assert.deepEqual(far.got, { connections: 0, bytes: 0 });
    assert.deepEqual(
      lines.map((line) => line['response_flags']),
      cuts.map(() => 'DPE'),
    );
    assert.match(String(lines.at(-1)!['reason']), /hello/);
  });

  test('and reset leaves nothing behind', async () => {
    await using far = await counting();
    await using proxy = await start(far.port, [rule('far', ['a.example']), rule('other')]);
    for (const cut of [0, ...cuts]) {
      const socket = await client(proxy.ports['tcp']!);
      socket.write(HELLO.subarray(0, cut));
      await new Promise((done) => setImmediate(done));
      socket.resetAndDestroy();
    }
    await proxy.drain(2000);
    assert.deepEqual(far.got, { connections: 0, bytes: 0 });
  });
});

describe('a server name', () => {
  const LONGEST = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
  const RULES = [rule('far', ['a.example', '*.wild.example', LONGEST]), rule('other')];

  async function cameTo(bytes: Buffer): Promise<string> {
    const say = (name: string) => rawOrigin((socket) => void socket.once('data', (b: Buffer) => socket.end(`${name} ${b.length}`))); // prettier-ignore
    await using far = await say('far');
    await using other = await say('other');
    await using proxy = await startProxy({
      clusters: [cluster('origin'), cluster('far', { protocol: 'tcp' }), cluster('other', { protocol: 'tcp' })],
      endpoints: { far: [endpoint(far.port)], other: [endpoint(other.port)] },
      listeners: [tcp(RULES)],
    });
    const { text } = await exchange(proxy.ports['tcp']!, bytes.latin1Slice());
    const [line] = await proxy.log();
    return text === '' ? String(line!['response_flags']) : text.replace(` ${bytes.length}`, '');
  }

  for (const [what, bytes, want] of [
    ['in upper case', named('A.EXAMPLE'), 'far'],
    ['with the dot of the root', named('a.example.'), 'far other DPE'],
    ['of the wildcard’s own suffix', named('wild.example'), 'other'],
    ['of two labels under a wildcard', named('x.y.wild.example'), 'far'],
    ['with an empty label under a wildcard', named('.wild.example'), 'other DPE'],
    ['of 253 bytes', named(LONGEST), 'far'],
    ['of 255 bytes', named('a'.repeat(255)), 'other DPE'],
    ['that is an address', named('127.0.0.1'), 'other DPE'],
    ['that is an address in brackets', named('[::1]'), 'other DPE'],
    ['with NUL', named('a.example\0.evil'), 'DPE'],
    ['with NUL before it', named('\0a.example'), 'DPE'],
    ['with a blank', named('a.example .evil'), 'other DPE'],
    ['with a line break', named('a.example\r\nx: y'), 'other DPE'],
    ['with bytes beyond ASCII', named('a.ex\u00e4mple'), 'other DPE'],
    ['that is a wildcard', named('*.wild.example'), 'other DPE'],
    ['that is only a star', named('*'), 'other DPE'],
    ['that is not there', whole(without(0)), 'other'],
  ] as const) {
    test(what, async () => {
      const came = await cameTo(bytes);
      assert.ok(want.split(' ').includes(came), came);
    });
  }
});

/** One accepted connection, and its client. */
async function accepted(): Promise<{ held: Held; client: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const came = once(server, 'connection');
  const socket = await client((server.address() as AddressInfo).port);
  const [taken] = (await came) as [Socket];
  server.close();
  const reads = new Reads();
  const mine = lendReads(taken, reads);
  mine.pause();
  return { held: { socket: mine, reads, early: null }, client: socket };
}

const CONNECTION: Connection = {
  id: 1,
  remoteAddress: '127.0.0.1',
  remotePort: 1,
  localAddress: '127.0.0.1',
  localPort: 2,
  redirected: false,
  peer: null,
  serverName: '',
};

describe('silence', () => {
  for (const cut of [0, 3, 60, HELLO.length - 1]) {
    test(`after ${cut} bytes of a hello ends in time`, async () => {
      const { held, client: socket } = await accepted();
      const clock = manualClock();
      const { promise, resolve } = Promise.withResolvers<Seen | null>();
      firstLook(held, clock, (seen) => resolve(seen));
      if (cut > 0) {
        socket.write(HELLO.subarray(0, cut));
        while (held.socket.bytesRead < cut) await new Promise((done) => setImmediate(done));
      }
      clock.advance(14_999);
      assert.equal(clock.pending, 1);
      clock.advance(1);
      const seen = await promise;
      assert.equal(clock.pending, 0);
      assert.equal(seen!.broken === '', cut === 0);
      socket.destroy();
      held.socket.destroy();
    });
  }

  test('after a part of a PROXY header ends in time, and does not pass for a client', async () => {
    const { held, client: socket } = await accepted();
    const clock = manualClock();
    const { promise, resolve } = Promise.withResolvers<string>();
    readProxied(held, CONNECTION, clock, (brought) => resolve(brought?.why ?? 'gone'));
    socket.write('PROXY TCP4 1.2.3.4');
    while (held.socket.bytesRead < 18) await new Promise((done) => setImmediate(done));
    clock.advance(15_000);
    assert.match(await promise, /did not come whole/);
    socket.destroy();
    held.socket.destroy();
  });

  test('a byte at a time does not make it longer', async () => {
    const { held, client: socket } = await accepted();
    const clock = manualClock();
    let answered = false;
    firstLook(held, clock, () => (answered = true));
    for (let i = 0; i < 15; i++) {
      socket.write(HELLO.subarray(i, i + 1));
      while (held.socket.bytesRead < i + 1) await new Promise((done) => setImmediate(done));
      clock.advance(1000);
    }
    assert.ok(answered);
    socket.destroy();
    held.socket.destroy();
  });
});

describe('a PROXY header', () => {
  const V1 = 'PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n';
  const V2 = (rest: Buffer): string =>
    Buffer.concat([
      Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11', 'latin1'),
      Buffer.from([(12 + rest.length) >> 8, (12 + rest.length) & 255]),
      Buffer.from([203, 0, 113, 9, 198, 51, 100, 1, 0x12, 0x67, 1, 187]),
      rest,
    ]).latin1Slice();
  /** A TLV of a type for own use. */
  const tlv = (size: number): Buffer => Buffer.concat([Buffer.from([0xe0, size >> 8, size & 255]), Buffer.alloc(size)]);

  async function said(bytes: string, from: readonly string[], pieces = false) {
    let heard = '';
    await using far = await rawOrigin((socket) => {
      socket.on('data', (more: Buffer) => {
        heard += more.latin1Slice();
        if (heard.endsWith('.')) socket.end('ok');
      });
    });
    await using proxy = await startProxy({
      clusters: [cluster('origin'), cluster('far', { protocol: 'tcp' })],
      endpoints: { far: [endpoint(far.port)] },
      listeners: [{ ...tcp([rule('far')]), direction: 'gateway' }],
      limits: { proxyProtocolFrom: from },
    });
    let text = '';
    if (pieces) {
      const socket = await client(proxy.ports['tcp']!);
      socket.setEncoding('latin1').on('data', (more: string) => (text += more));
      const over = new Promise((done) => socket.once('close', done));
      for (const byte of Buffer.from(bytes, 'latin1')) {
        await new Promise((done) => socket.write(Buffer.from([byte]), done));
        await new Promise((done) => setImmediate(done));
      }
      await over;
    } else ({ text } = await exchange(proxy.ports['tcp']!, bytes));
    const [line] = await proxy.log();
    return { text, heard, from: String(line!['downstream_remote_address']), flag: String(line!['response_flags']) };
  }

  const OURS = ['127.0.0.0/8'];

  test('is believed of who is trusted, whole, in pieces, and with much behind it', async () => {
    const want = { text: 'ok', heard: 'hi.', from: '203.0.113.9:4711', flag: '-' };
    assert.deepEqual(await said(`${V1}hi.`, OURS), want);
    assert.deepEqual(await said(`${V1}hi.`, OURS, true), want);
    assert.deepEqual(await said(`${V2(Buffer.alloc(0))}hi.`, OURS, true), want);
    assert.deepEqual(await said(`${V2(tlv(10_000))}hi.`, OURS), want);
  });

  test('is just bytes of who is not trusted', async () => {
    const { heard, from } = await said(`${V1}hi.`, ['10.0.0.0/8']);
    assert.equal(heard, `${V1}hi.`);
    assert.match(from, /^127\.0\.0\.1:/);
  });

  test('is told once: the second is just bytes', async () => {
    const again = 'PROXY TCP4 203.0.113.200 198.51.100.1 4711 443\r\n';
    const { heard, from } = await said(`${V1}${again}.`, OURS);
    assert.equal(heard, `${again}.`);
    assert.equal(from, '203.0.113.9:4711');
  });

  for (const [what, bytes] of [
    ['after other bytes', `hi${V1}.`],
    ['of 10 kB in one line', `PROXY TCP4 ${'1'.repeat(10_000)} 1.2.3.4 1 2\r\n.`],
    ['that says a length of 64 kB', `\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff${'\0'.repeat(20_000)}.`],
    ['of version 3', '\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c............'],
    ['with leading zeros', 'PROXY TCP4 010.0.0.1 198.51.100.1 4711 443\r\n.'],
    ['with two blanks', 'PROXY TCP4  10.0.0.1 198.51.100.1 4711 443\r\n.'],
    ['with port 65536', 'PROXY TCP4 10.0.0.1 198.51.100.1 65536 443\r\n.'],
    ['with NUL', 'PROXY TCP4 10.0.0.1\0 198.51.100.1 4711 443\r\n.'],
    ['in lower case', 'proxy tcp4 10.0.0.1 198.51.100.1 4711 443\r\n.'],
  ] as const) {
    test(`${what} is refused, and nothing goes on`, async () => {
      const { text, heard, flag, from } = await said(bytes, OURS);
      assert.deepEqual([text, heard, flag], ['', '', 'DPE']);
      assert.match(from, /^127\.0\.0\.1:/);
    });
  }
});

test('whoever is not the workload itself is refused, and the log says who', async () => {
  await using far = await counting();
  await using proxy = await start(far.port, [rule('far')]);
  // The workload has 127.0.0.1; this one is another workload's.
  await proxy.apply({}, { endpoints: { far: [endpoint(far.port)] }, workloads: { '127.48.2.2': OTHER } });
  const socket = connect({ port: proxy.ports['tcp']!, host: '127.0.0.1', localAddress: '127.48.2.2' });
  socket.on('error', () => undefined);
  await new Promise((done) => socket.once('close', done));
  const [line] = await proxy.log();
  assert.equal(far.got.connections, 0);
  assert.match(String(line!['downstream_remote_address']), /^127\.48\.2\.2:/);
  assert.match(String(line!['reason']), /sends in the name of test-0, and the caller is other-0/);
});

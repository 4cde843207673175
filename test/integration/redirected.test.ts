/** Connections that the kernel has redirected: the test says where each was going, everything else is as with iptables. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, test } from 'vitest';
import { clusterName, tableName } from '#proxy/core/brand.ts';
import type { Authz } from '#proxy/snapshot/authz.ts';
import type { Captured, CapturedPort, TcpRule } from '#proxy/snapshot/listener.ts';
import { cluster, endpoint, exchange, rawOrigin, startProxy, type TestProxyOptions } from '../kit/proxy.ts';

const rule = (name: string, over: Partial<TcpRule> = {}): TcpRule => ({
  destinations: [],
  serverNames: [],
  split: [{ cluster: clusterName(name), weight: 1 }],
  source: null,
  ...over,
});
const port = (over: Partial<CapturedPort>): CapturedPort => ({ rules: [], table: null, authz: null, ...over });
const BLACK_HOLE = cluster('BlackHoleCluster', { service: null });
const PASSTHROUGH = cluster('PassthroughCluster', { discovery: { kind: 'passthrough' }, service: null });

/** A far end that says its name first. */
const named = (name: string) =>
  rawOrigin((socket) => {
    socket.write(`${name}:`);
    socket.on('data', (bytes) => socket.write(bytes));
    socket.on('end', () => socket.end());
  });

/** A far end that says its name when it was told something. */
const shy = (name: string) =>
  rawOrigin((socket) => {
    socket.once('data', (bytes) => socket.end(`${name} got ${bytes.length}`));
  });

const http = () =>
  rawOrigin((socket) => {
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhttp'));
  });

type Going = { readonly address: string; readonly port: number };

/** Every connection was going to `to`. */
function start(
  to: Going,
  ports: Captured['ports'],
  far: Readonly<Record<string, number>>,
  over: Omit<TestProxyOptions, 'clusters' | 'endpoints'> & { readonly unknown?: CapturedPort } = {},
) {
  const { unknown = port({ rules: [rule('BlackHoleCluster')] }), ...rest } = over;
  return startProxy({
    redirect: () => to,
    ...rest,
    clusters: [
      BLACK_HOLE,
      PASSTHROUGH,
      cluster('origin'),
      ...Object.keys(far).map((name) => cluster(name, { protocol: 'tcp' })),
    ],
    endpoints: Object.fromEntries(Object.entries(far).map(([name, at]) => [name, [endpoint(at)]])),
    listener: { ...rest.listener, captured: { ports, unknown } },
  });
}

const DB = { address: '10.9.8.7', port: 3306 };
const WEB = { address: '10.9.8.7', port: 443 };

/** The first bytes of a real TLS client. */
async function hello(servername: string): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const taker = await rawOrigin((socket) => void socket.once('data', (bytes: Buffer) => resolve(bytes)));
  const client = connectTls({ port: taker.port, host: '127.0.0.1', ...(servername === '' ? {} : { servername }) });
  client.on('error', () => undefined);
  const bytes = await promise;
  client.destroy();
  await taker[Symbol.asyncDispose]();
  return bytes;
}

/** Sends each piece when the one before has arrived at the proxy (there is nothing that would tell so: a turn of the loop later). */
async function inPieces(at: number, pieces: readonly Buffer[]): Promise<{ text: string; ended: string }> {
  const socket = connect({ port: at, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  let text = '';
  const over = Promise.withResolvers<string>();
  socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
  socket.on('end', () => over.resolve('end')).on('error', () => over.resolve('reset'));
  for (const piece of pieces) {
    await new Promise((next) => socket.write(piece, next));
    await new Promise((next) => setImmediate(next));
  }
  const ended = await over.promise;
  socket.destroy();
  return { text, ended };
}

describe('a redirected connection', () => {
  test('to a port of TCP reaches a server that speaks first, before the client says a byte', async () => {
    await using db = await named('db');
    await using proxy = await start(DB, { 3306: port({ rules: [rule('db')] }) }, { db: db.port });
    assert.deepEqual(await exchange(proxy.port, '', 'db:'), { text: 'db:', ended: 'open' });
    const [line] = await proxy.log();
    assert.equal(line!['downstream_local_address'], '10.9.8.7:3306');
    assert.equal(line!['upstream_cluster'], 'db');
    assert.equal(line!['upstream_host'], `127.0.0.1:${db.port}`);
    assert.equal(line!['bytes_sent'], 3);
    assert.equal(line!['method'], null);
    assert.equal(line!['protocol'], null);
  });

  test('goes by the address it was made to, the narrower range first', async () => {
    await using one = await named('one');
    await using two = await named('two');
    const rules = [rule('one', { destinations: ['10.9.8.0/24'] }), rule('two', { destinations: ['10.0.0.0/8'] })];
    for (const [address, said] of [
      ['10.9.8.7', 'one:'],
      ['10.9.9.7', 'two:'],
    ] as const) {
      await using proxy = await start(
        { address, port: 3306 },
        { 3306: port({ rules }) },
        { one: one.port, two: two.port },
      );
      assert.equal((await exchange(proxy.port, '', ':')).text, said);
    }
  });

  test('is split by weight, exactly', async () => {
    await using one = await named('one');
    await using two = await named('two');
    const split = [
      { cluster: clusterName('one'), weight: 90 },
      { cluster: clusterName('two'), weight: 10 },
    ];
    await using proxy = await start(
      DB,
      { 3306: port({ rules: [rule('one', { split })] }) },
      { one: one.port, two: two.port },
    );
    const all: string[] = [];
    for (let i = 0; i < 100; i++) all.push((await exchange(proxy.port, '', ':')).text);
    assert.equal(all.filter((text) => text === 'two:').length, 10);
  });

  test('to an unknown port is blocked, and told with its address', async () => {
    await using proxy = await start(DB, {}, {});
    assert.equal((await exchange(proxy.port, 'x')).ended, 'reset');
    const [line] = await proxy.log();
    assert.equal(line!['response_flags'], 'UH');
    assert.equal(line!['upstream_cluster'], 'BlackHoleCluster');
    assert.equal(line!['downstream_local_address'], '10.9.8.7:3306');
    assert.match(String(line!['reason']), /REGISTRY_ONLY/);
  });

  test('to an unknown port passes to where it was going', async () => {
    await using far = await named('far');
    const to = { address: '127.0.0.1', port: far.port };
    await using proxy = await start(to, {}, {}, { unknown: port({ rules: [rule('PassthroughCluster')] }) });
    assert.equal((await exchange(proxy.port, '', 'far:')).text, 'far:');
    assert.equal((await proxy.log())[0]!['upstream_cluster'], 'PassthroughCluster');
  });

  test('to the proxy itself is refused: it would come round for ever', async () => {
    let own = 0;
    await using proxy = await start(
      DB,
      {},
      {},
      {
        redirect: () => ({ address: '127.0.0.1', port: own }),
        unknown: port({ rules: [rule('PassthroughCluster')] }),
      },
    );
    own = proxy.port;
    // To the kernel this is no redirection; a rule that is made wrongly could make it one all the same.
    assert.equal((await exchange(proxy.port, 'x')).ended, 'reset');
    assert.equal((await proxy.log())[0]!['response_flags'], 'NR');
  });

  test('of the proxy’s own is refused, as rules that leave the wrong user alone would have it', async () => {
    await using far = await named('far');
    // The far end is the proxy itself, under an address it does not know as its own: what it connects to comes back to it.
    const listener = { address: '::ffff:127.0.0.1' };
    let back: Going | null = null;
    const redirect = (): Going => {
      const to = back ?? DB;
      back = { address: '127.0.0.1', port: proxy.port };
      return to;
    };
    const ports = { 3306: port({ rules: [rule('back')] }) };
    await using proxy = await start(DB, ports, { back: far.port }, { listener, redirect });
    await proxy.apply({}, { endpoints: { back: [endpoint(proxy.port)] }, workloads: {} });
    assert.equal((await exchange(proxy.port, 'x')).ended, 'reset');
    const lines = await proxy.log();
    assert.deepEqual(
      lines.map((line) => line['response_flags']),
      ['NR', 'UR'],
    );
    assert.match(String(lines[0]!['reason']), /own connections are redirected/);
  });

  test('whose client goes while nothing is known of it leaves nothing behind', async () => {
    await using proxy = await start(
      WEB,
      { 443: port({ rules: [rule('db', { serverNames: ['a.example'] })] }) },
      { db: 1 },
    );
    const socket = connect(proxy.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(Buffer.from([22, 3, 1]));
    socket.resetAndDestroy();
    await once(socket, 'close');
    await proxy.drain(2000);
    assert.deepEqual(await proxy.log(), []);
  });

  test('keeps its way when the configuration changes; the next one has the new one', async () => {
    await using db = await named('db');
    await using proxy = await start(DB, { 3306: port({ rules: [rule('db')] }) }, { db: db.port });
    const socket = connect(proxy.port, '127.0.0.1').setEncoding('latin1');
    assert.deepEqual(await once(socket, 'data'), ['db:']);
    await proxy.apply({ listeners: [] });
    socket.write('still');
    assert.deepEqual(await once(socket, 'data'), ['still']);
    socket.destroy();
  });
});

describe('TLS that is not ended here', () => {
  const rules = [
    rule('exact', { serverNames: ['a.example'] }),
    rule('below', { serverNames: ['*.example'] }),
    rule('any', { serverNames: ['*'] }),
  ];

  async function reached(bytes: readonly Buffer[], chain = rules): Promise<string> {
    await using exact = await shy('exact');
    await using below = await shy('below');
    await using any = await shy('any');
    const far = { exact: exact.port, below: below.port, any: any.port };
    await using proxy = await start(WEB, { 443: port({ rules: chain }) }, far);
    const { text, ended } = await inPieces(proxy.port, bytes);
    const [line] = await proxy.log();
    return text === ''
      ? `${ended} ${String(line?.['response_flags'])}`
      : `${text} ${String(line!['requested_server_name'])}`;
  }

  for (const [name, cluster, shown] of [
    ['a.example', 'exact', 'a.example'],
    ['A.EXAMPLE', 'exact', 'a.example'],
    ['b.a.example', 'below', 'b.a.example'],
    ['example', 'any', 'example'],
    ['a.example.evil', 'any', 'a.example.evil'],
    ['', 'any', 'null'],
  ] as const) {
    test(`to "${name}" goes to ${cluster}, whole`, async () => {
      const bytes = await hello(name);
      assert.equal(await reached([bytes]), `${cluster} got ${bytes.length} ${shown}`);
    });
  }

  test('is known when its hello comes byte by byte', async () => {
    const bytes = await hello('a.example');
    const pieces = Array.from({ length: 300 }, (_, i) => bytes.subarray(i, i + 1));
    // The far end hears the whole hello at once, as it was held back.
    assert.match(await reached([...pieces, bytes.subarray(300)]), /^exact got \d+ a\.example$/);
  });

  test('whose name no rule has is for what is unknown', async () => {
    const bytes = await hello('c.test');
    assert.equal(await reached([bytes], rules.slice(0, 2)), 'reset UH');
  });

  test('whose hello cannot be read is refused', async () => {
    const bytes = Buffer.from(await hello('a.example'));
    bytes.writeUInt16BE(0xffff, bytes.indexOf('a.example') - 2);
    assert.equal(await reached([bytes]), 'reset DPE');
  });

  test('is not waited for where it was a plain client that said something else', async () => {
    assert.equal(await reached([Buffer.from('\0\0\0hello')], rules), 'reset UH');
  });
});

describe('a port that several share', () => {
  async function shared(bytes: string | Buffer, rules: readonly TcpRule[], until?: string) {
    await using web = await http();
    await using other = await shy('other');
    await using proxy = await startProxy({
      redirect: () => WEB,
      clusters: [BLACK_HOLE, cluster('origin'), cluster('other', { protocol: 'tcp' })],
      endpoints: { origin: [endpoint(web.port)], other: [endpoint(other.port)] },
      listener: {
        captured: {
          ports: { 443: port({ rules, table: tableName('test') }) },
          unknown: port({ rules: [rule('BlackHoleCluster')] }),
        },
      },
    });
    const answer = await exchange(proxy.port, bytes.toString('latin1'), until);
    return { ...answer, lines: await proxy.log() };
  }
  const GET = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';

  test('HTTP finds the routes', async () => {
    const { text } = await shared(GET, [], 'http');
    assert.match(text, /^HTTP\/1\.1 200 /);
  });

  test('HTTP finds them also beside a service that would take anything', async () => {
    assert.match((await shared(GET, [rule('other')], 'http')).text, /^HTTP\/1\.1 200 /);
  });

  test('and what is no HTTP goes to that service', async () => {
    assert.equal((await shared('\x01\x02\x03', [rule('other')])).text, 'other got 3');
  });

  test('an address of a service’s own is not looked into', async () => {
    const { text } = await shared(GET, [rule('other', { destinations: ['10.9.8.7'] })]);
    assert.equal(text, `other got ${GET.length}`);
  });

  test('TLS on a port of HTTP is for somebody unknown, and no bad request', async () => {
    const { ended, lines } = await shared(await hello('x.test'), []);
    assert.equal(ended, 'reset');
    assert.equal(lines[0]!['upstream_cluster'], 'BlackHoleCluster');
    assert.equal(lines[0]!['requested_server_name'], 'x.test');
  });

  test('what is neither is a bad request, where nobody else is', async () => {
    assert.match((await shared('\x01\x02\x03\r\n\r\n', [])).text, /^HTTP\/1\.1 400 /);
  });
});

describe('policies of a redirected port', () => {
  const onPort = (number: number): Authz => ({
    deny: [],
    audit: [],
    allow: [
      {
        namespace: 'default',
        name: 'only',
        rules: [{ when: { kind: 'port', port: number } }],
        reply: { status: 403, body: '' },
        source: { kind: 'AuthorizationPolicy', namespace: 'default', name: 'only', path: 'spec' },
      },
    ],
  });
  const bySni: Authz = {
    ...onPort(0),
    allow: [
      {
        ...onPort(0).allow[0]!,
        rules: [
          {
            when: { kind: 'string', attribute: { of: 'connection.sni' }, match: { kind: 'exact', value: 'a.example' } },
          },
        ],
      },
    ],
  };

  test('judge by the port that was meant, not by the one it came to', async () => {
    await using db = await named('db');
    for (const [number, text] of [
      [3306, 'db:'],
      [3307, ''],
    ] as const) {
      const ports = { 3306: port({ rules: [rule('db')], authz: onPort(number) }) };
      await using proxy = await start(DB, ports, { db: db.port }, { listener: { direction: 'inbound' } });
      assert.equal((await exchange(proxy.port, '', ':')).text, text);
      const [line] = await proxy.log();
      const details = number === 3306 ? null : 'rbac_access_denied_matched_policy[none]';
      assert.equal(line!['connection_termination_details'], details);
      if (number !== 3306) assert.match(String(line!['decided_by']), /^AuthorizationPolicy\/default\/only/);
    }
  });

  test('judge by the server name', async () => {
    await using far = await shy('far');
    const ports = { 443: port({ rules: [rule('far', { serverNames: ['*'] })], authz: bySni }) };
    for (const [name, text] of [
      ['a.example', /^far got/],
      ['b.example', /^$/],
      ['', /^$/],
    ] as const) {
      await using proxy = await start(WEB, ports, { far: far.port });
      assert.match((await exchange(proxy.port, (await hello(name)).toString('latin1'))).text, text);
    }
  });
});

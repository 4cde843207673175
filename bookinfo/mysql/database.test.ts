import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import '../../test/kit/seed.ts';
import type { Env } from '../service.ts';
import { unusedPort } from '../stand-in.ts';
import { LIMITS, mysqlDatabase, type Limits } from './database.ts';
import { startMysqlServer, type MysqlServer } from './server/server.ts';
import { mysqlSettings } from './settings.ts';

const HOST = '127.45.1.1';
const SHORT: Limits = { ...LIMITS, connectMs: 150, statementMs: 250 };

describe('the database module', () => {
  for (const [who, greet] of [
    ['says nothing', () => {}],
    ['ends at once', (socket: Socket) => socket.end()],
    ['resets', (socket: Socket) => socket.resetAndDestroy()],
    ['is a web server', (socket: Socket) => socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')],
    ['is no MySQL', (socket: Socket) => socket.write('SSH-2.0-OpenSSH_9.6\r\n')],
    [
      'sends packets without sense',
      (socket: Socket) => socket.write(Buffer.concat([Buffer.from([64, 0, 0, 0]), Buffer.alloc(64, 0x0a)])),
    ],
    ['sends a packet without end', (socket: Socket) => socket.write(Buffer.alloc(300_000, 0xff))],
    [
      'is too busy',
      (socket: Socket) => socket.end(Buffer.from('\x17\0\0\0\xff\x10\x04#08004Too many conn.', 'latin1')),
    ],
  ] as const) {
    test(`answers in time, with a reason, when the server ${who}`, async () => {
      await using server = await listen((socket) => greet(socket));
      const database = mysqlDatabase(settings(server.port), SHORT);
      const started = performance.now();
      expect(await database.read('SELECT 1', [])).toMatchObject({
        ok: false,
        stage: 'connect',
        reason: expect.stringMatching(/./) as string,
      });
      expect(performance.now() - started).toBeLessThan(2_000);
    });
  }

  test('outlives whatever a server says', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 120 }), fc.boolean(), async (bytes, honest) => {
        // Half of them look like a packet, and get further.
        const said = Buffer.from(honest ? [bytes.length, 0, 0, 0, 10, ...bytes.subarray(1)] : bytes);
        await using server = await listen((socket) => socket.end(said));
        const database = mysqlDatabase(settings(server.port), SHORT);
        expect(await database.read('SELECT 1', [])).toMatchObject({ ok: false });
      }),
      { numRuns: 60 },
    );
  });

  test('tries anew for each statement: nothing is remembered of a database that was away', async () => {
    const port = await unusedPort(HOST);
    const database = mysqlDatabase(settings(port));
    expect(await database.read('SELECT 1', [])).toMatchObject({
      ok: false,
      reason: expect.stringContaining('ECONNREFUSED') as string,
    });
    await using server = await mysqlOn(port);
    expect(await database.read('SELECT 1 AS one', [])).toEqual({ ok: true, rows: [{ one: 1 }], affected: 0 });
    expect(server.port).toBe(port);
    database.close();
  });

  test('sends a read again when the connection it kept had died, and a write at most once', async () => {
    await using server = await mysqlOn(0);
    await using relay = await relayTo(server);
    const database = mysqlDatabase(settings(relay.port));
    await database.read('SELECT 1', []);
    relay.cutAtNextByte();
    expect(await database.read('SELECT 2 AS two', [])).toMatchObject({ ok: true, rows: [{ two: 2 }] });
    relay.cutAtNextByte();
    expect(await database.write('DELETE FROM reviews WHERE BookID = ?', [9])).toMatchObject({ ok: false, errno: null });
    expect(await database.write('DELETE FROM reviews WHERE BookID = ?', [9])).toMatchObject({ ok: true });
    database.close();
  });

  test('has few connections however many ask, a line behind them, and refuses what is more', async () => {
    await using server = await mysqlOn(0);
    await using relay = await relayTo(server);
    const database = mysqlDatabase(settings(relay.port), { ...LIMITS, connections: 3, waiting: 10 });
    const results = await Promise.all(Array.from({ length: 20 }, () => database.read('SELECT 1', [])));
    expect(results.filter(({ ok }) => ok)).toHaveLength(13);
    expect(results.filter((r) => !r.ok && r.reason === 'too many requests wait for the database')).toHaveLength(7);
    expect(relay.opened()).toBe(3);
    database.close();
  });

  test('gives idle connections up', async () => {
    await using server = await mysqlOn(0);
    await using relay = await relayTo(server);
    const database = mysqlDatabase(settings(relay.port), { ...LIMITS, idleMs: 20 });
    await database.read('SELECT 1', []);
    await relay.allClosed();
    expect(await database.read('SELECT 1', [])).toMatchObject({ ok: true });
    expect(relay.opened()).toBe(2);
    database.close();
  });

  test('gives a connection up that has grown old, also when it is used all the time', async () => {
    await using server = await mysqlOn(0);
    await using relay = await relayTo(server);
    const database = mysqlDatabase(settings(relay.port), { ...LIMITS, ageMs: 0 });
    for (let i = 0; i < 3; i++) expect(await database.read('SELECT 1', [])).toMatchObject({ ok: true });
    expect(relay.opened()).toBe(3);
    await relay.allClosed();
  });

  test('gives a server up that stops answering in the middle', async () => {
    await using server = await mysqlOn(0);
    await using relay = await relayTo(server);
    const database = mysqlDatabase(settings(relay.port), SHORT);
    await database.read('SELECT 1', []);
    relay.hang();
    const started = performance.now();
    expect(await database.read('SELECT 1', [])).toMatchObject({ ok: false, reason: 'no answer in time' });
    expect(performance.now() - started).toBeLessThan(2_000);
    await relay.allClosed();
  });

  test('keeps a connection on which the server refused a statement', async () => {
    await using server = await mysqlOn(0);
    await using relay = await relayTo(server);
    const database = mysqlDatabase(settings(relay.port));
    expect(await database.read('SELECT nope FROM reviews', [])).toMatchObject({
      ok: false,
      stage: 'query',
      errno: 1054,
    });
    expect(await database.read('SELECT 1', [])).toMatchObject({ ok: true });
    expect(relay.opened()).toBe(1);
    database.close();
  });
});

describe('the settings of the database', () => {
  const read = (env: Env) => mysqlSettings(env, 'bookinfo_db');

  test('are none without a host', () => expect(read({ MYSQL_DB_PORT: '1' })).toBeNull());

  test('forgive the line feed of `echo`, and default to port 3306', () => {
    const env = { MYSQL_DB_HOST: 'db\n', MYSQL_DB_USER: 'ann\n', MYSQL_DB_PASSWORD: ' s p \n' };
    expect(read(env)).toMatchObject({
      host: 'db',
      port: 3306,
      user: 'ann',
      password: ' s p ',
      database: 'bookinfo_db',
      proxy: null,
    });
  });

  test('lead through the proxy, unless no_proxy says otherwise', () => {
    const env = { MYSQL_DB_HOST: 'db.example', http_proxy: 'http://127.1.0.1:15001' };
    expect(read(env)?.proxy?.host).toBe('127.1.0.1:15001');
    expect(read({ ...env, no_proxy: '.example' })?.proxy).toBeNull();
  });

  test.each([
    ['MYSQL_DB_PORT', 'x'],
    ['MYSQL_DB_SSL', 'maybe'],
    ['http_proxy', 'socks5://x:1'],
  ])('name %s when it makes no sense', (name, value) =>
    expect(() => read({ MYSQL_DB_HOST: 'db', [name]: value })).toThrow(`${name}: expected`),
  );
});

const settings = (port: number) =>
  mysqlSettings(
    { MYSQL_DB_HOST: HOST, MYSQL_DB_PORT: String(port), MYSQL_DB_USER: 'root', MYSQL_DB_PASSWORD: 'p' },
    'bookinfo_db',
  )!;

const mysqlOn = (port: number): Promise<MysqlServer> =>
  startMysqlServer({ host: HOST, port, data: ':memory:', users: new Map([['root', 'p']]) });

async function listen(
  serve: (socket: Socket) => void,
): Promise<AsyncDisposable & { readonly port: number; readonly server: Server }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket.on('error', () => {}));
    serve(socket);
  });
  await once(server.listen(0, HOST), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    server,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Stands between, to count connections and to break them. */
async function relayTo({ host, port }: MysqlServer) {
  const { connect } = await import('node:net');
  const open = new Set<Socket>();
  let opened = 0;
  let mode: 'pass' | 'cut' | 'hang' = 'pass';
  const closed = Promise.withResolvers<void>();
  const base = await listen((client) => {
    opened++;
    open.add(client);
    const upstream = connect(port, host).on('error', () => {});
    client.on('data', (bytes) => {
      if (mode === 'hang') return;
      if (mode === 'pass') return void upstream.write(bytes);
      mode = 'pass';
      client.destroy();
    });
    upstream.on('data', (bytes) => client.write(bytes));
    upstream.on('close', () => client.destroy());
    client.on('close', () => {
      open.delete(client);
      upstream.destroy();
      if (open.size === 0) closed.resolve();
    });
  });
  return {
    port: base.port,
    opened: () => opened,
    cutAtNextByte: () => void (mode = 'cut'),
    hang: () => void (mode = 'hang'),
    allClosed: () => closed.promise,
    [Symbol.asyncDispose]: base[Symbol.asyncDispose],
  };
}

import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { mysqlDatabase } from './database.ts';
import { startMysqlServer } from './server/server.ts';
import { mysqlSettings, type MysqlSettings } from './settings.ts';
import { openSocket } from './socket.ts';

const HOST = '127.45.2.1';

describe('a connection through a proxy', () => {
  test('asks by CONNECT, and hands on what came with the answer: MySQL speaks first', async () => {
    await using proxy = await proxyThat((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'));
    const socket = await openSocket(through(proxy.port), 1_000);
    expect(proxy.heads).toEqual(['CONNECT db.example:3306 HTTP/1.1\r\nHost: db.example:3306\r\n\r\n']);
    socket.resume();
    expect(String((await once(socket, 'data'))[0])).toBe('hello');
    socket.destroy();
  });

  test('takes a head that comes byte by byte, after an interim answer', async () => {
    await using proxy = await proxyThat(async (socket) => {
      for (const byte of 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200\r\nX: y\r\n\r\nhi')
        await new Promise((sent) => socket.write(byte, sent));
    });
    const socket = await openSocket(through(proxy.port), 1_000);
    let said = '';
    socket.on('data', (bytes: Buffer) => {
      said += String(bytes);
      if (said === 'hi') socket.destroy();
    });
    socket.resume();
    await once(socket, 'close');
    expect(said).toBe('hi');
  });

  test('writes an IPv6 address in brackets, and the credentials of the proxy', async () => {
    await using proxy = await proxyThat((socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    const settings = through(proxy.port, 'fd00::1');
    settings.proxy!.username = 'ann';
    settings.proxy!.password = 's:e';
    (await openSocket(settings, 1_000)).destroy();
    expect(proxy.heads[0]).toMatch(
      /^CONNECT \[fd00::1\]:3306 HTTP\/1\.1\r\nHost: \[fd00::1\]:3306\r\nProxy-Authorization: Basic YW5uOnM6ZQ==\r\n\r\n$/,
    );
  });

  const long = 'x'.repeat(70_000);
  for (const [what, answer, says] of [
    [
      'a refusal with a reason of ours',
      'HTTP/1.1 502 Bad Gateway\r\nx-lateen-reason: no service entry\r\ncontent-length: 9\r\n\r\n',
      'the proxy answered 502: no service entry',
    ],
    [
      'a refusal with a body',
      'HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nNo\x00 way',
      'the proxy answered 403: No way',
    ],
    ['a refusal that ends its connection', 'HTTP/1.1 503 Busy\r\n\r\n', 'the proxy answered 503'],
    ['no HTTP', '220 smtp.example ESMTP\r\n', 'the proxy speaks no HTTP'],
    ['another version', 'HTTP/2.0 200 OK\r\n\r\n', 'the proxy speaks no HTTP'],
    ['a status that is none', 'HTTP/1.1 2000 OK\r\n\r\n', 'the proxy speaks no HTTP'],
    ['a head without end', `HTTP/1.1 200 OK\r\nX: ${long}`, 'no end within 65536 bytes'],
    ['an end in the head', 'HTTP/1.1 200 O', 'the proxy ended the connection'],
    ['nothing', '', 'the proxy ended the connection'],
  ] as const) {
    test(`says what was wrong with ${what}`, async () => {
      await using proxy = await proxyThat((socket) => socket.end(answer));
      await expect(openSocket(through(proxy.port), 1_000)).rejects.toThrow(says);
    });
  }

  test('waits no longer than it may', async () => {
    await using proxy = await proxyThat(() => {});
    await expect(openSocket(through(proxy.port), 50)).rejects.toThrow('no connection within 50 ms');
  });

  test('what the mesh allows helps at once; what it forbids leaves open connections alone, and fails new ones', async () => {
    await using server = await startMysqlServer({
      host: HOST,
      port: 0,
      data: ':memory:',
      users: new Map([['root', 'p']]),
    });
    let allowed = false;
    await using proxy = await proxyThat((socket) => {
      if (!allowed)
        return void socket.end(
          'HTTP/1.1 502 Bad Gateway\r\nx-lateen-reason: db.example is not in the registry\r\n\r\n',
        );
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      void tunnel(socket, server.port);
    });
    const env = {
      MYSQL_DB_HOST: 'db.example',
      MYSQL_DB_USER: 'root',
      MYSQL_DB_PASSWORD: 'p',
      http_proxy: `http://${HOST}:${proxy.port}`,
    };
    const [first, second] = [0, 1].map(() => mysqlDatabase(mysqlSettings(env, 'bookinfo_db')!)) as [
      ReturnType<typeof mysqlDatabase>,
      ReturnType<typeof mysqlDatabase>,
    ];
    const blocked = {
      ok: false,
      stage: 'connect',
      reason: expect.stringContaining('502: db.example is not in the registry') as string,
    };
    expect(await first.read('SELECT 1', [])).toMatchObject(blocked);
    allowed = true;
    expect(await first.read('SELECT 1', [])).toMatchObject({ ok: true });
    allowed = false;
    expect(await first.read('SELECT 1', [])).toMatchObject({ ok: true });
    expect(await second.read('SELECT 1', [])).toMatchObject(blocked);
    first.close();
  });
});

const through = (port: number, host = 'db.example'): MysqlSettings =>
  mysqlSettings({ MYSQL_DB_HOST: host, http_proxy: `http://${HOST}:${port}` }, '')!;

async function proxyThat(answer: (socket: Socket) => unknown) {
  const heads: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (head) => {
      heads.push(String(head));
      answer(socket);
    });
  });
  await once(server.listen(0, HOST), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    heads,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

async function tunnel(client: Socket, port: number): Promise<void> {
  const { connect } = await import('node:net');
  const upstream = connect(port, HOST).on('error', () => {});
  client.pipe(upstream).pipe(client);
}

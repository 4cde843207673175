import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import '../../../test/kit/seed.ts';
import { framed } from './packet.ts';
import { startMysqlServer, type MysqlServer, type ServerOptions } from './server.ts';

const HOST = '127.45.3.1';
const CLIENT = installed('mysql');
const USERS = new Map([['root', 'sécret']]);
const PATIENCE = { signInMs: 10_000, idleMs: 60_000 };

describe('the embedded MySQL server', () => {
  let server: MysqlServer;
  let client: Connection;
  beforeAll(async () => {
    server = await start();
    client = await signIn(server);
  });
  afterAll(async () => {
    client.destroy();
    await server.close();
  });
  beforeEach(async () => {
    await client.query('DROP TABLE IF EXISTS things');
    await client.query(
      "CREATE TABLE IF NOT EXISTS `things` (`id` int(11) NOT NULL AUTO_INCREMENT, `name` varchar(5) DEFAULT 'x', `size` double, `data` blob, big bigint, UNIQUE KEY u (`name`), KEY k (`size`), PRIMARY KEY (`id`)) ENGINE=InnoDB AUTO_INCREMENT=43 DEFAULT CHARSET=latin1",
    );
  });

  test('gives text and prepared statements the same rows, of the same types', async () => {
    const values = ['é😀', 1.5, Buffer.from([0, 255]), 2 ** 40];
    const [done] = await client.execute('INSERT INTO things (name, size, data, big) VALUES (?, ?, ?, ?)', values);
    expect(done).toMatchObject({ affectedRows: 1, insertId: 43 });
    await client.execute('INSERT INTO things (name) VALUES (?)', [null]);
    const expected = [
      { id: 43, name: 'é😀', size: 1.5, data: Buffer.from([0, 255]), big: 2 ** 40 },
      { id: 44, name: null, size: null, data: null, big: null },
    ];
    expect((await client.query('SELECT * FROM things'))[0]).toEqual(expected);
    expect((await client.execute('SELECT * FROM bookinfo_db.things'))[0]).toEqual(expected);
    expect((await client.execute('SELECT things.name FROM things WHERE id = ? LIMIT ?', ['43', 1]))[0]).toEqual([
      { name: 'é😀' },
    ]);
  });

  test('knows strings, comments, names and operators as MySQL writes them', async () => {
    const sql =
      "SELECT 'it''s' a, \"say \\\"hi\\\"\" b, 'a\\\\b\\n\\0c' AS `d e`, 1 || 0 AS o, _utf8mb4'x' COLLATE utf8mb4_bin AS u, 0x41 AS h, COUNT(*) -- end\n FROM dual # more\n /* and more */;";
    expect((await client.query(sql))[0]).toEqual([
      { a: "it's", b: 'say "hi"', 'd e': 'a\\b\n\0c', o: 1, u: 'x', h: Buffer.from('A'), 'COUNT(*)': 1 },
    ]);
  });

  test('shows its databases, tables, columns and variables', async () => {
    const show = async (sql: string): Promise<unknown> =>
      (await client.query<RowDataPacket[]>(sql))[0].map((row) => Object.values(row)[0] as unknown);
    expect(await show('SHOW DATABASES')).toEqual(['bookinfo_db', 'test']);
    expect(await show('show tables')).toEqual(['books', 'reviews', 'things']);
    expect(await show("SHOW TABLES FROM bookinfo_db LIKE 're%'")).toEqual(['reviews']);
    expect(await show('DESCRIBE reviews')).toEqual(['ReviewID', 'BookID', 'Reviewer', 'Review', 'Rating']);
    expect(await show("SHOW VARIABLES LIKE 'auto%'")).toEqual(['auto_increment_increment', 'autocommit']);
    expect(await show('SELECT DATABASE()')).toEqual(['bookinfo_db']);
    expect(await show('SELECT @@session.autocommit')).toEqual([1]);
    for (const sql of ['SET NAMES utf8mb4', 'START TRANSACTION', 'COMMIT', '/* nothing */']) await client.query(sql);
  });

  test.each([
    ['SELECT nope FROM things', 'ER_BAD_FIELD_ERROR'],
    ['SELECT * FROM nope', 'ER_NO_SUCH_TABLE'],
    ['SELECT * FROM nope.things', 'ER_BAD_DB_ERROR'],
    ['SELEC 1', 'ER_PARSE_ERROR'],
    ['SELECT 1; SELECT 2', 'ER_PARSE_ERROR'],
    ["SELECT 'open", 'ER_PARSE_ERROR'],
    ['CREATE TABLE things (a int)', 'ER_TABLE_EXISTS_ERROR'],
    ['CREATE DATABASE bookinfo_db', 'ER_DB_CREATE_EXISTS'],
    ['CREATE DATABASE `../evil`', 'ER_WRONG_DB_NAME'],
    ['DROP DATABASE nope', 'ER_DB_DROP_EXISTS'],
    ["INSERT INTO things (name) VALUES ('toolong')", 'ER_DATA_TOO_LONG'],
    ["INSERT INTO things (id, name) VALUES (1, 'a'), (1, 'b')", 'ER_DUP_ENTRY'],
    ["INSERT INTO things (name) VALUES ('same'), ('SAME')", 'ER_DUP_ENTRY'],
    ['SELECT @@nope', 'ER_UNKNOWN_SYSTEM_VARIABLE'],
    ['SELECT ?', 'ER_WRONG_ARGUMENTS'],
    // What SQLite could do to this machine.
    ["ATTACH DATABASE '/tmp/x' AS x", 'ER_PARSE_ERROR'],
    ["PRAGMA journal_mode = 'off'", 'ER_PARSE_ERROR'],
    ['SELECT * FROM pragma_database_list', 'ER_PARSE_ERROR'],
    ['SELECT * FROM `sqlite_master`', 'ER_PARSE_ERROR'],
    ["SELECT load_extension('x')", 'ER_PARSE_ERROR'],
    ['SELECT hex(zeroblob(999999999))', 'ER_PARSE_ERROR'],
    ['SELECT * FROM (WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT * FROM n)', 'ER_PARSE_ERROR'],
    ["SELECT * INTO OUTFILE '/tmp/x' FROM things", 'ER_PARSE_ERROR'],
    ['VACUUM INTO "/tmp/x"', 'ER_PARSE_ERROR'],
  ])('answers %s with %s, and goes on', async (sql, code) => {
    await expect(client.query(sql)).rejects.toMatchObject({ code });
    expect((await client.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
  });

  test('bounds rows, prepared statements and connections', async () => {
    await client.query('DELETE FROM things');
    const many = Array.from({ length: 110 }, () => '(NULL)').join(',');
    await client.query(`INSERT INTO things (name) VALUES ${many}`);
    await expect(client.query('SELECT a.id FROM things a, things b')).rejects.toMatchObject({ errno: 1104 });
    const wide = `SELECT '${'x'.repeat(400_000)}' FROM things`;
    await expect(client.query(wide)).rejects.toMatchObject({ errno: 1153 });
    await using small = await start({ maxConnections: 2 });
    const first = await signIn(small);
    const second = await signIn(small);
    await expect(signIn(small)).rejects.toMatchObject({ code: 'ER_CON_COUNT_ERROR' });
    for (let i = 0; i < 200; i++) await first.prepare(`SELECT ${i}`);
    await expect(first.prepare('SELECT 200')).rejects.toMatchObject({ errno: 1461 });
    first.destroy();
    second.destroy();
  });

  test.each([
    ['a wrong password', { password: 'secret' }, 'ER_ACCESS_DENIED_ERROR'],
    ['no password', { password: '' }, 'ER_ACCESS_DENIED_ERROR'],
    ['nobody', { user: 'nobody' }, 'ER_ACCESS_DENIED_ERROR'],
    ['a database that is not there', { database: 'nope' }, 'ER_BAD_DB_ERROR'],
  ])('refuses %s', async (_, more, code) => {
    await expect(signIn(server, more)).rejects.toMatchObject({ code });
  });

  test.skipIf(!CLIENT)('serves the mysql client (skipped where it is not installed)', () => {
    const words = [
      '--no-defaults',
      '--protocol=tcp',
      `-h${HOST}`,
      `-P${server.port}`,
      '-uroot',
      '-psécret',
      '-N',
      'bookinfo_db',
    ];
    const sql = "SHOW TABLES LIKE 'b%'; USE test; SELECT * FROM ratings; SELECT Publisher FROM bookinfo_db.books;";
    return new Promise<void>((resolve, reject) => {
      execFile('mysql', [...words, '-e', sql], (error, out) => {
        if (error !== null) return reject(error);
        expect(out).toBe('books\n1\t5\n2\t4\nSimon and Schuster\n');
        resolve();
      });
    });
  });

  test('keeps what was written in its directory, and fills it only once', async () => {
    const data = mkdtempSync(join(tmpdir(), 'lateen-mysql-'));
    for (const [before, after] of [
      [2, 1],
      [1, 0],
    ]) {
      await using kept = await start({ data });
      const one = await signIn(kept);
      expect((await one.query<RowDataPacket[]>('SELECT * FROM reviews'))[0]).toHaveLength(before!);
      await one.query('DELETE FROM reviews WHERE ReviewID = (SELECT MIN(ReviewID) FROM reviews)');
      expect((await one.query<RowDataPacket[]>('SELECT * FROM reviews'))[0]).toHaveLength(after!);
      one.destroy();
    }
    rmSync(data, { recursive: true });
  });
});

describe('a hostile client of the embedded MySQL server', () => {
  let server: MysqlServer;
  beforeAll(async () => {
    server = await start({ patience: { signInMs: 300, idleMs: 60_000 } });
  });
  afterAll(() => server.close());
  const lives = async (): Promise<void> => {
    const client = await signIn(server);
    expect((await client.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
    client.destroy();
  };

  test.each([
    ['nothing at all', Buffer.alloc(0)],
    ['an empty packet', framed(1)],
    ['a packet of 16 MiB', Buffer.from([255, 255, 255, 1])],
    ['a wish for TLS', framed(1, Buffer.from([0x85, 0xae, 0xff, 0, 0, 0, 0, 1, 45]), Buffer.alloc(23))],
    ['a client of MySQL 3', framed(1, Buffer.from([1, 0, 0, 0, 0]), Buffer.from('root\0'))],
    [
      'lengths that lie',
      framed(
        1,
        Buffer.from([0x85, 0xa2, 0x2f, 0, 0, 0, 0, 1, 45]),
        Buffer.alloc(23),
        Buffer.from('root\0\xfe\xff\xff'),
      ),
    ],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
  ])('that says %s instead of signing in is sent away', async (_, bytes) => {
    const socket = await open(server);
    socket.write(bytes);
    await once(socket.resume(), 'close');
    await lives();
  });

  test('that says anything at all does no harm to the others', async () => {
    const other = await signIn(server);
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 60 }),
        fc.constantFrom(0x03, 0x16, 0x17, 0x04, 0x18, 0x99, -1),
        async (bytes, command) => {
          const client = await signIn(server);
          const socket = (client as unknown as { connection: { stream: Socket } }).connection.stream;
          socket.removeAllListeners('data');
          const payload = Buffer.from(command === -1 ? bytes : [command, ...bytes]);
          socket.end(command === -1 ? payload : framed(0, payload));
          await once(socket.resume(), 'close');
          expect((await other.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
        },
      ),
      { numRuns: 60 },
    );
    other.destroy();
    await lives();
  });

  test('that asks and does not read is not served further', async () => {
    const client = await signIn(server);
    const socket = (client as unknown as { connection: { stream: Socket } }).connection.stream;
    socket.removeAllListeners('data').pause();
    const question = framed(0, Buffer.from([3]), Buffer.from(`SELECT '${'x'.repeat(500_000)}'`));
    let waits = false;
    for (let i = 0; i < 100 && !waits; i++) waits = !socket.write(question) && socket.writableLength > 10_000_000;
    expect(waits).toBe(true);
    socket.destroy();
    await lives();
  });
});

const start = (more: Partial<ServerOptions> = {}): Promise<MysqlServer> =>
  startMysqlServer({ host: HOST, port: 0, data: ':memory:', users: USERS, patience: PATIENCE, ...more });

const signIn = ({ port }: MysqlServer, more: object = {}): Promise<Connection> =>
  mysql.createConnection({ host: HOST, port, user: 'root', password: 'sécret', database: 'bookinfo_db', ...more });

async function open({ port }: MysqlServer): Promise<Socket> {
  const socket = connect(port, HOST).on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

function installed(tool: string): boolean {
  try {
    execFileSync('/bin/sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { unusedPort } from '../stand-in.ts';
import { mysqlDatabase } from './database.ts';
import { startMysqlServer } from './server/server.ts';
import { mysqlSettings } from './settings.ts';

const CLI = new URL('../../cli/main.ts', import.meta.url).pathname;
const ENV = { PATH: process.env['PATH'], LATEEN_PARENT_PIPE: '1' };

describe('lateen bookinfo mysql', () => {
  for (const [how, stop] of [
    ['SIGTERM', (child: ReturnType<typeof launch>) => child.kill('SIGTERM')],
    ['the end of the pipe from its parent', (child: ReturnType<typeof launch>) => child.stdin.destroy()],
  ] as const) {
    test(`says where it listens, serves the book, and ends on ${how} with clients still there`, async () => {
      const port = await unusedPort('127.45.4.1');
      const child = launch(['mysql', '--listen', `127.45.4.1:${port}`, '--data', ':memory:']);
      const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
      expect(JSON.parse(line)).toEqual({ service: 'mysql', listening: `127.45.4.1:${port}` });
      const env = {
        MYSQL_DB_HOST: '127.45.4.1',
        MYSQL_DB_PORT: `${port}`,
        MYSQL_DB_USER: 'book_user',
        MYSQL_DB_PASSWORD: 'password',
      };
      const database = mysqlDatabase(mysqlSettings(env, 'bookinfo_db')!);
      expect(await database.read('SELECT Paperback FROM books', [])).toMatchObject({
        rows: [{ Paperback: '272 pages' }],
      });
      stop(child);
      expect((await once(child, 'exit'))[0]).toBe(0);
      expect(await database.read('SELECT 1', [])).toMatchObject({ ok: false, stage: 'connect' });
    });
  }

  test.each([
    [['mysql', '--listen', 'nowhere'], 'Expected HOST:PORT'],
    [['details', '--data', 'x'], 'are options of mysql, not of details'],
  ])('refuses %j', async (words, says) => {
    const child = launch(words);
    const [said] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect(said).toContain(says);
    expect(child.exitCode).not.toBe(0);
  });

  test('a service that keeps connections ends when it is told to', async () => {
    await using server = await startMysqlServer({
      host: '127.45.4.2',
      port: 0,
      data: ':memory:',
      users: new Map([['ann', 'p']]),
    });
    const mysql = {
      MYSQL_DB_HOST: server.host,
      MYSQL_DB_PORT: `${server.port}`,
      MYSQL_DB_USER: 'ann',
      MYSQL_DB_PASSWORD: 'p',
    };
    const child = launch(['details', '0'], mysql);
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const { listening } = JSON.parse(line) as { listening: string };
    expect(await (await fetch(`${listening}/details/0`)).json()).toMatchObject({ pages: 272 });
    child.kill('SIGTERM');
    expect((await once(child, 'exit'))[0]).toBe(0);
  });

  test('mysql-setup without its environment says so, and fails', async () => {
    const [code, out] = await new Promise<[unknown, string]>((resolve) => {
      execFile(process.execPath, [CLI, 'bookinfo', 'mysql-setup'], { env: ENV }, (error, stdout) =>
        resolve([error?.code, stdout]),
      );
    });
    expect([code, out]).toEqual([1, 'Environment variables not found.\n']);
  });
});

const launch = (words: readonly string[], more: Record<string, string> = {}) =>
  spawn(process.execPath, [CLI, 'bookinfo', ...words], { env: { ...ENV, ...more }, stdio: ['pipe', 'pipe', 'pipe'] });

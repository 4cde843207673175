import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { credentials, mysqlUrl, startMysql } from './mysql.ts';

/** Listens as it is told, says so, notes its number, and ends when its parent has gone or wants it to. */
const SERVER = `
import { createServer } from 'node:net';
import { writeFileSync } from 'node:fs';
const [host, port] = process.argv[process.argv.indexOf('--listen') + 1].split(':');
const data = process.argv[process.argv.indexOf('--data') + 1];
createServer((socket) => socket.destroy()).listen(Number(port), host, () => {
  writeFileSync(data + '/pid', String(process.pid));
  process.stdout.write('{"listening":true}\\n');
});
process.stdin.resume().on('end', () => process.exit(0));`;

async function reached(host: string, port: number): Promise<void> {
  const socket = connect(port, host).on('error', () => {});
  await once(socket, 'connect');
  socket.destroy();
}

describe('the database outside the mesh', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'lateen-mysql-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  const server = (program: string): string[] => {
    writeFileSync(join(dir, 'server.mjs'), program);
    return [process.execPath, join(dir, 'server.mjs')];
  };
  const pid = (): number => Number(readFileSync(join(dir, 'mysql/pid'), 'utf8'));

  test('listens when it has started, is started again when it dies, and ends when it is told to', async () => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const mysql = await startMysql(server(SERVER), dir);
    const { host, port } = mysql.place;
    await reached(host, port);
    const first = pid();
    process.kill(first, 'SIGKILL');
    await vi.waitFor(() => expect(pid()).not.toBe(first), { timeout: 5000 });
    await reached(host, port);
    await mysql.stop();
    expect(() => process.kill(pid(), 0)).toThrow('ESRCH');
    expect(said).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('ended (SIGKILL); it is started again'));
    said.mockRestore();
  });

  test('that does not start is an error that says so', async () => {
    await expect(startMysql(server('process.exit(7)'), dir)).rejects.toThrow(
      'the MySQL server of BookInfo did not start: it ended with exit code 7.',
    );
  });
});

describe('the URL of a database', () => {
  test.each([
    ['mysql://ann:s%40fe@db.example.com:59454/books', ['ann', 's@fe', 'db.example.com', 59454, 'books']],
    ['mysql://ann:x@[fd00::1]', ['ann', 'x', 'fd00::1', 3306, null]],
    ['mysql://ann@127.0.0.1/', ['ann', '', '127.0.0.1', 3306, null]],
  ])('%s', (text, [user, password, host, port, database]) => {
    vi.stubEnv('MYSQL_PWD', '');
    expect(mysqlUrl(text)).toEqual({ user, password, host, port, database });
  });

  test('may leave its password to MYSQL_PWD', () => {
    vi.stubEnv('MYSQL_PWD', 'pässwort');
    expect(mysqlUrl('mysql://ann@h').password).toBe('pässwort');
    vi.unstubAllEnvs();
  });

  test.each([
    'http://ann:topsecret@h',
    'mysql://h:3306',
    'topsecret',
    'mysql://ann:topsecret@h/a/b',
    'mysql://a:topsecret%zz@h',
  ])('%s is refused, and the message does not repeat a password', (text) => {
    expect(() => mysqlUrl(text)).toThrow(/^Expected (?!.*topsecret)/);
  });

  test('becomes the Secret that the services of BookInfo read', () => {
    const secret = credentials({ user: 'ann', password: 'pässwort', host: 'h', port: 3306, database: null });
    const data = Object.entries(secret['data'] as Record<string, string>);
    expect(secret).toMatchObject({ kind: 'Secret', metadata: { name: 'demo-credentials', namespace: 'default' } });
    expect(Object.fromEntries(data.map(([k, v]) => [k, Buffer.from(v, 'base64').toString()]))).toEqual({
      username: 'ann',
      password: 'pässwort',
      host: 'h',
      port: '3306',
    });
  });
});

/** The databases the tests of BookInfo on MySQL run against: the embedded server, and a real MariaDB where it is installed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MARIADB, startMariadb } from '../../test/kit/mariadb.ts';
import type { Env } from '../service.ts';
import { startMysqlServer, type MysqlServer } from './server/server.ts';

export type TestServer = AsyncDisposable & {
  readonly host: string;
  readonly port: number;
  /** MYSQL_DB_* of its clients. */
  readonly env: Env;
  /** Cuts every connection and listens no more. */
  kill(): Promise<void>;
  /** Listens again, with what was written before. */
  start(): Promise<void>;
};

export type Kind = {
  readonly name: string;
  readonly available: boolean;
  readonly launch: (host: string) => Promise<TestServer>;
};

const PASSWORD = 'password';

export const SERVERS: readonly Kind[] = [
  { name: 'the embedded server', available: true, launch: embedded },
  { name: MARIADB ? 'MariaDB' : 'MariaDB, which is not installed here', available: MARIADB, launch: mariadb },
];

const envOf = (host: string, port: number): Env => ({
  MYSQL_DB_HOST: host,
  MYSQL_DB_PORT: String(port),
  MYSQL_DB_USER: 'root',
  MYSQL_DB_PASSWORD: PASSWORD,
});

async function embedded(host: string): Promise<TestServer> {
  const data = mkdtempSync(join(tmpdir(), 'lateen-mysql-'));
  const users = new Map([['root', PASSWORD]]);
  let server: MysqlServer = await startMysqlServer({ host, port: 0, data, users });
  const { port } = server;
  return {
    host,
    port,
    env: envOf(host, port),
    kill: () => server.close(),
    start: async () => {
      server = await startMysqlServer({ host, port, data, users });
    },
    [Symbol.asyncDispose]: async () => {
      await server.close().catch(() => {});
      rmSync(data, { recursive: true, force: true });
    },
  };
}

async function mariadb(host: string): Promise<TestServer> {
  const server = await startMariadb(host);
  const { port } = server;
  return {
    host,
    port,
    env: envOf(host, port),
    kill: () => server.signal('SIGKILL'),
    start: () => server.start(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

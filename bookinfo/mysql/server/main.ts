/** `lateen bookinfo mysql`: the embedded database as a process. */
import { stopSignal } from '../../run.ts';
import type { Env } from '../../service.ts';
import { wholeNumber } from '../../whole-number.ts';
import { startMysqlServer } from './server.ts';

/**
 * Serves until it is told to stop, as `run` does; resolves with the exit code. PORT (3306) and LISTEN_HOST; MYSQL_DATA, a directory or `:memory:`;
 * users as MySQL's images have them: MYSQL_ROOT_PASSWORD, MYSQL_USER and MYSQL_PASSWORD (`root` and `book_user`, with `password`), or as its
 * clients have them, MYSQL_DB_USER and MYSQL_DB_PASSWORD.
 */
export async function main(env: Env, argv: readonly string[]): Promise<number> {
  const stop = stopSignal(env);
  process.stdout.on('error', () => {});
  const server = await startMysqlServer({
    host: env['LISTEN_HOST'] || '127.0.0.1',
    port: wholeNumber(argv[0] === undefined ? 'PORT' : 'port', argv[0] ?? env['PORT'], 3306, 65_535),
    data: env['MYSQL_DATA'] || ':memory:',
    users: new Map([
      ['root', env['MYSQL_ROOT_PASSWORD'] || 'password'],
      [
        env['MYSQL_USER'] || env['MYSQL_DB_USER'] || 'book_user',
        env['MYSQL_PASSWORD'] || env['MYSQL_DB_PASSWORD'] || 'password',
      ],
    ]),
  });
  process.stdout.write(`${JSON.stringify({ service: 'mysql', listening: place(server) })}\n`);
  await stop.requested;
  await server.close();
  stop.forget();
  return 0;
}

const place = ({ host, port }: { host: string; port: number }): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

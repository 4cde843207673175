/**
 * The database behind ratings v2, reached by TCP and asked for its greeting. No driver is on board yet, so the best answer
 * is the original's for a query that fails; when the database cannot be reached, it is the original's for that.
 */
import { connect } from 'node:net';
import { json, type Env, type Reply } from '../service.ts';
import { wholeNumber } from '../whole-number.ts';

export type Database = { readonly kind: 'mysql' | 'mongo'; readonly host: string; readonly port: number };

const CONNECT_TIMEOUT_MS = 10_000;

/** DB_TYPE=mysql takes MYSQL_DB_HOST and MYSQL_DB_PORT; anything else is Mongo at MONGO_DB_URL. Throws on a URL or port that is none. */
export function databaseOf(env: Env): Database {
  if (env['DB_TYPE'] === 'mysql') {
    const port = wholeNumber('MYSQL_DB_PORT', env['MYSQL_DB_PORT'], 3306, 65_535);
    return { kind: 'mysql', host: env['MYSQL_DB_HOST'] || 'mysqldb', port };
  }
  const text = env['MONGO_DB_URL'] || 'mongodb://mongodb:27017/test';
  const url = URL.parse(text);
  if (url?.protocol !== 'mongodb:' || url.hostname === '')
    throw new RangeError(`MONGO_DB_URL: expected mongodb://host:port/database, got ${JSON.stringify(text)}`);
  return { kind: 'mongo', host: url.hostname, port: wholeNumber('MONGO_DB_URL', url.port, 27_017, 65_535) };
}

export async function readRatings(database: Database): Promise<Reply> {
  const reached = await greets(database);
  if (database.kind === 'mongo') {
    return json(500, {
      error: reached ? 'could not load ratings from database' : 'could not connect to ratings database',
    });
  }
  if (reached) return json(500, { error: 'could not perform select' });
  // The original forgets to write a head here: status 200 and no content type.
  return { status: 200, body: JSON.stringify({ error: 'could not connect to ratings database' }) };
}

/** MySQL's server speaks first, so a connection that only opens proves no more than that a proxy accepted it. Mongo's waits to be asked. */
function greets({ kind, host, port }: Database): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    const done = (reached: boolean): void => {
      resolve(reached);
      socket.destroy();
    };
    if (kind === 'mongo') socket.on('connect', () => done(true));
    socket.on('data', () => done(true)).on('error', () => done(false));
    socket.on('timeout', () => done(false)).on('close', () => done(false));
  });
}

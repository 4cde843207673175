/**
 * The Mongo database behind ratings v2, reached by TCP. No driver is on board, so the best answer is the original's for a query that fails; when the
 * database cannot be reached, it is the original's for that.
 */
import { connect } from 'node:net';
import { json, type Env, type Reply } from '../service.ts';
import { wholeNumber } from '../whole-number.ts';

export type Mongo = { readonly host: string; readonly port: number };

const CONNECT_TIMEOUT_MS = 10_000;

/** MONGO_DB_URL. Throws on a URL or port that is none. */
export function mongoOf(env: Env): Mongo {
  const text = env['MONGO_DB_URL'] || 'mongodb://mongodb:27017/test';
  const url = URL.parse(text);
  if (url?.protocol !== 'mongodb:' || url.hostname === '')
    throw new RangeError(`MONGO_DB_URL: expected mongodb://host:port/database, got ${JSON.stringify(text)}`);
  return { host: url.hostname, port: wholeNumber('MONGO_DB_URL', url.port, 27_017, 65_535) };
}

export async function readRatings(mongo: Mongo): Promise<Reply> {
  const error = (await accepts(mongo))
    ? 'could not load ratings from database'
    : 'could not connect to ratings database';
  return json(500, { error });
}

function accepts({ host, port }: Mongo): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    const done = (reached: boolean): void => {
      resolve(reached);
      socket.destroy();
    };
    socket.on('connect', () => done(true)).on('error', () => done(false));
    socket.on('timeout', () => done(false)).on('close', () => done(false));
  });
}

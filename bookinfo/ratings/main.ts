/**
 * Ratings: the stars each reviewer gave. Version v1 keeps them in memory or, with MYSQL_DB_HOST, reads the pattern's reviews; v2 asks Istio's
 * databases; the others misbehave on purpose.
 */
import type { Database } from '../mysql/database.ts';
import { databaseOf as mysqlOf } from '../mysql/of-env.ts';
import { ISTIO_DB } from '../mysql/schema.ts';
import { run } from '../run.ts';
import { json, type Env, type Handler, type Reply } from '../service.ts';
import { wholeNumber } from '../whole-number.ts';
import { mongoOf, readRatings } from './database.ts';
import { ratingsOfIstio, ratingsOfReviews } from './from-mysql.ts';
import { moodOf, type Chance } from './mood.ts';

export const KEEP_ALIVE_MS = 5_000;

/** Products whose posted ratings are kept; the oldest goes first, so that a client cannot fill the memory. */
const MAX_PRODUCTS = 1_000;

/** Serves until it is told to stop; resolves with the exit code. See `run` for PORT and its companions. */
export function main(env: Env, argv: readonly string[]): Promise<number> {
  const database = mysqlFor(env);
  const handle = ratings(env, Math.random, () => performance.now(), database);
  return run({ name: 'ratings', handle, keepAliveMs: KEEP_ALIVE_MS, close: () => database?.close() }, env, argv);
}

/** The pattern's database for MYSQL_DB_HOST; for v2 with DB_TYPE=mysql Istio's `test`, at `mysqldb` unless it is told otherwise. Null: neither. */
export function mysqlFor(env: Env): Database | null {
  if (env['SERVICE_VERSION'] !== 'v2') return mysqlOf(env);
  if (env['DB_TYPE'] !== 'mysql') return null;
  return mysqlOf({ ...env, MYSQL_DB_HOST: env['MYSQL_DB_HOST'] || 'mysqldb' }, ISTIO_DB);
}

/** SERVICE_VERSION picks the behaviour; DB_TYPE (mysql, else Mongo) the database of v2. */
export function ratings(
  env: Env,
  chance: Chance = Math.random,
  now: () => number = () => performance.now(),
  mysql: Database | null = mysqlFor(env),
): Handler {
  const version = env['SERVICE_VERSION'] || 'v1';
  const istio = version === 'v2';
  const mood = moodOf(version, chance, now, wholeNumber('DELAY_MS', env['DELAY_MS'], 7_000, 600_000));
  const mongo = istio && mysql === null ? mongoOf(env) : null;
  const posted = new Map<number, object>();

  return async (request) => {
    if (request.path === '/health') {
      return mood.healthy()
        ? json(200, { status: 'Ratings is healthy' })
        : json(500, { status: 'Ratings is not healthy' });
    }
    const segment = /^\/ratings\/([^/]*)$/.exec(request.path)?.[1];
    if (segment === undefined) return json(404, { error: 'not found' });
    const id = Number.parseInt(segment, 10);
    if (Number.isNaN(id)) return json(400, { error: 'please provide numeric product ID' });
    switch (request.method) {
      case 'POST':
        return mongo === null && mysql === null ? put(id, await request.body()) : json(501, NO_POST);
      case 'GET':
      case 'HEAD':
        await mood.delay();
        if (!mood.available()) return json(503, { error: 'Service unavailable' });
        if (mongo !== null) return readRatings(mongo);
        if (mysql === null) return json(200, rated(id));
        return istio ? ratingsOfIstio(mysql, id) : ratingsOfReviews(mysql, id);
      default:
        return { ...json(405, { error: 'please GET or POST' }), headers: { allow: 'GET, HEAD, POST' } };
    }
  };

  function rated(id: number): object {
    return { id, ratings: posted.get(id) ?? { Reviewer1: 5, Reviewer2: 4 } };
  }

  function put(id: number, body: string): Reply {
    const given = parsed(body);
    if (given === null) return json(400, { error: 'please provide valid ratings JSON' });
    posted.delete(id);
    posted.set(id, given);
    const oldest = posted.keys().next();
    if (posted.size > MAX_PRODUCTS && oldest.done !== true) posted.delete(oldest.value);
    return json(200, rated(id));
  }
}

/** In the words of Istio's sample (samples/bookinfo/src/ratings/ratings.js), with its status 501. */
const NO_POST = { error: 'Post not implemented for database backed ratings' };

function parsed(body: string): object | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

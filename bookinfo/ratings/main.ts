/** Ratings: the stars each reviewer gave. Version v1 keeps them in memory, v2 asks a database, the others misbehave on purpose. */
import { run } from '../run.ts';
import { json, type Env, type Handler, type Reply } from '../service.ts';
import { wholeNumber } from '../whole-number.ts';
import { databaseOf, readRatings } from './database.ts';
import { moodOf, type Chance } from './mood.ts';

export const KEEP_ALIVE_MS = 5_000;

/** Products whose posted ratings are kept; the oldest goes first, so that a client cannot fill the memory. */
const MAX_PRODUCTS = 1_000;

/** Serves until it is told to stop; resolves with the exit code. See `run` for PORT and its companions. */
export const main = (env: Env, argv: readonly string[]): Promise<number> =>
  run({ name: 'ratings', handle: ratings(env), keepAliveMs: KEEP_ALIVE_MS }, env, argv);

/** SERVICE_VERSION picks the behaviour; DB_TYPE (mysql, else Mongo) the database of v2. */
export function ratings(env: Env, chance: Chance = Math.random, now: () => number = () => performance.now()): Handler {
  const version = env['SERVICE_VERSION'] || 'v1';
  const mood = moodOf(version, chance, now, wholeNumber('DELAY_MS', env['DELAY_MS'], 7_000, 600_000));
  const database = version === 'v2' ? databaseOf(env) : null;
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
        return database === null ? put(id, await request.body()) : json(501, NO_POST);
      case 'GET':
      case 'HEAD':
        await mood.delay();
        if (!mood.available()) return json(503, { error: 'Service unavailable' });
        return database === null ? json(200, rated(id)) : readRatings(database);
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

const NO_POST = { error: 'Post not implemented for database backed ratings' };

function parsed(body: string): object | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

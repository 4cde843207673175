/**
 * Reviews: what two readers wrote or, with MYSQL_DB_HOST, what is in MySQL and can be added to, with the stars ratings knows of. v1 has no stars,
 * v2 black ones, v3 red ones.
 */
import type { Database } from '../mysql/database.ts';
import { databaseOf } from '../mysql/of-env.ts';
import { baseUrl, caller } from '../outgoing.ts';
import { verbatim } from '../propagation.ts';
import { run } from '../run.ts';
import { json, type AppRequest, type Env, type Handler } from '../service.ts';
import { shown, type Shown } from './board.ts';
import { posting } from './posting.ts';

export const KEEP_ALIVE_MS = 30_000;

/** Serves until it is told to stop; resolves with the exit code. See `run` for PORT and its companions. */
export function main(env: Env, argv: readonly string[]): Promise<number> {
  const database = databaseOf(env);
  const close = (): void => database?.close();
  return run({ name: 'reviews', handle: reviews(env, database), keepAliveMs: KEEP_ALIVE_MS, close }, env, argv);
}

type Rating = { readonly stars: number; readonly color: string } | { readonly error: string };

const KNOWN: readonly Shown[] = [
  { reviewer: 'Reviewer1', text: 'An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!' },
  {
    reviewer: 'Reviewer2',
    text: 'Absolutely fun and entertaining. The play lacks thematic depth when compared to other plays by Shakespeare.',
  },
];

/** ENABLE_RATINGS and STAR_COLOR make the version; RATINGS_* and SERVICES_DOMAIN say where ratings is. */
export function reviews(env: Env, database: Database | null = databaseOf(env)): Handler {
  const rated = env['ENABLE_RATINGS'] === 'true';
  const color = env['STAR_COLOR'] || 'black';
  // The delay task of Istio's docs rests on this difference: v2 outwaits productpage's 3 s, v3 gives up before.
  const timeoutMs = color === 'black' ? 10_000 : 2_500;
  const base = baseUrl(env, 'ratings');
  const call = caller(env);

  return async (request) => {
    const posted = database === null ? null : await posting(database, request);
    if (posted !== null) return posted;
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return { ...json(405, { error: 'please GET' }), headers: { allow: 'GET, HEAD' } };
    if (request.path === '/health') return json(200, { status: 'Reviews is healthy' });
    const productId = /^\/reviews\/(-?\d{1,10})$/.exec(request.path)?.[1];
    if (productId === undefined) return json(404, { error: 'not found' });
    const found = database === null ? KNOWN : await shown(database);
    // Without its database there are no reviews, as the original has it; a page that can post says more about it.
    const [list, problem] = 'ok' in found ? [[], found.reason] : [found, null];
    const stars = rated && list.length > 0 ? await askRatings(request, productId) : null;
    const reply = json(200, {
      id: productId,
      podname: env['HOSTNAME'] ?? 'null',
      clustername: env['CLUSTER_NAME'] ?? 'null',
      reviews: list.map(({ reviewer, text }, i) => ({
        reviewer,
        text,
        ...(stars === null ? {} : { rating: ratingOf(stars[`Reviewer${i + 1}`]) }),
      })),
      ...(database === null
        ? {}
        : { writable: true, ...(problem === null ? {} : { problem: 'the database is unavailable' }) }),
    });
    return problem === null ? reply : { ...reply, problem };
  };

  function ratingOf(stars: unknown): Rating {
    return typeof stars === 'number' ? { stars, color } : { error: 'Ratings service is currently unavailable' };
  }

  /** Stars by reviewer; empty when ratings gave no good answer, whatever the reason. */
  async function askRatings(request: AppRequest, productId: string): Promise<Record<string, unknown>> {
    try {
      const answer = await call({ url: `${base}/ratings/${productId}`, headers: verbatim(request.headers), timeoutMs });
      if (answer.status !== 200) return {};
      const { ratings } = JSON.parse(answer.body) as { ratings?: unknown };
      return typeof ratings === 'object' && ratings !== null ? { ...ratings } : {};
    } catch {
      return {};
    }
  }
}

import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, test } from 'vitest';
import { json, type Env, type Reply } from '../service.ts';
import { at, standIn, unusedPort } from '../stand-in.ts';
import { reviews } from './main.ts';

const V1 = { ENABLE_RATINGS: 'false' };
const V2 = { ENABLE_RATINGS: 'true' };
const V3 = { ENABLE_RATINGS: 'true', STAR_COLOR: 'red' };
const GOOD = (): Reply => json(200, { id: 0, ratings: { Reviewer1: 5, Reviewer2: 4 } });

describe('reviews', () => {
  test('v1 has two reviews, a string for an id, and asks nobody for stars', async () => {
    await using service = await standIn(reviews({ ...V1, HOSTNAME: 'pod-1', RATINGS_SERVICE_PORT: '1' }));
    const answer = await fetch(`${service.url}/reviews/0`);
    const body = (await answer.json()) as { reviews: object[] };
    expect(body).toMatchObject({ id: '0', podname: 'pod-1', clustername: 'null' });
    expect(body.reviews.map(Object.keys)).toEqual([
      ['reviewer', 'text'],
      ['reviewer', 'text'],
    ]);
  });

  for (const [version, env, color] of [
    ['v2', V2, 'black'],
    ['v3', V3, 'red'],
  ] as const) {
    test(`${version} adds ${color} stars`, async () => {
      expect(await ratingsSeen(env, GOOD)).toEqual([
        { stars: 5, color },
        { stars: 4, color },
      ]);
    });
  }

  const unavailable = { error: 'Ratings service is currently unavailable' };
  for (const [name, reply, expected] of [
    ['an error of ratings', () => json(503, {}), [unavailable, unavailable]],
    ['no JSON', () => ({ status: 200, body: '<html>' }), [unavailable, unavailable]],
    ['null', () => json(200, null), [unavailable, unavailable]],
    ['ratings that are none', () => json(200, { ratings: 'five' }), [unavailable, unavailable]],
    ['the failure of a database, which comes with 200', () => json(200, { error: 'x' }), [unavailable, unavailable]],
    [
      'ratings of one reviewer only',
      () => json(200, { ratings: { Reviewer2: 1 } }),
      [unavailable, { stars: 1, color: 'black' }],
    ],
  ] as const) {
    test(`still answers 200 on ${name}`, async () => expect(await ratingsSeen(V2, reply)).toEqual(expected));
  }

  test('still answers 200 when nobody listens at ratings', async () => {
    const env = { ...V2, ...at('ratings', `http://127.0.0.1:${await unusedPort()}`) };
    await using service = await standIn(reviews(env));
    expect(await ratingOf(service.url)).toEqual([unavailable, unavailable]);
  });

  test('v3 gives up on ratings after 2.5 s, which v2 would not', async () => {
    await using upstream = await standIn(() => new Promise<Reply>(() => {}));
    await using service = await standIn(reviews({ ...V3, ...at('ratings', upstream.url) }));
    const started = performance.now();
    expect(await ratingOf(service.url)).toEqual([unavailable, unavailable]);
    expect(performance.now() - started).toBeGreaterThan(2_490);
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  test('hands tracing and the user on to ratings', async () => {
    let seen: IncomingHttpHeaders = {};
    await using upstream = await standIn(({ headers }) => {
      seen = headers;
      return GOOD();
    });
    await using service = await standIn(reviews({ ...V2, ...at('ratings', upstream.url) }));
    const given = { 'x-b3-traceid': '1', 'x-b3-parentspanid': '2', 'end-user': 'jason', 'x-request-id': 'r' };
    await (await fetch(`${service.url}/reviews/0`, { headers: { ...given, 'x-other': 'no' } })).text();
    expect(seen).toMatchObject(given);
    expect(seen).not.toHaveProperty('x-other');
  });

  for (const [path, status] of [
    ['/health', 200],
    ['/reviews/-7', 200],
    ['/reviews/x', 404],
    ['/reviews/', 404],
    ['/reviews/0/', 404],
    ['/reviews/1%2F2', 404],
    ['/reviews/99999999999', 404],
    ['/', 404],
  ] as const) {
    test(`answers ${path} with ${status}`, async () => {
      await using service = await standIn(reviews(V1));
      expect((await fetch(service.url + path)).status).toBe(status);
    });
  }

  test('refuses POST', async () => {
    await using service = await standIn(reviews(V1));
    expect((await fetch(`${service.url}/reviews/0`, { method: 'POST' })).status).toBe(405);
  });
});

async function ratingsSeen(env: Env, ratings: () => Reply): Promise<unknown> {
  await using upstream = await standIn(ratings);
  await using service = await standIn(reviews({ ...env, ...at('ratings', upstream.url) }));
  return await ratingOf(service.url);
}

async function ratingOf(url: string): Promise<unknown> {
  const answer = await fetch(`${url}/reviews/0`);
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { reviews: { rating: unknown }[] }).reviews.map(({ rating }) => rating);
}

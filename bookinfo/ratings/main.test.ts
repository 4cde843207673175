import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { standIn, unusedPort } from '../stand-in.ts';
import { ratings } from './main.ts';

const BOTH = { Reviewer1: 5, Reviewer2: 4 };

describe('ratings', () => {
  for (const [path, status, body] of [
    ['/health', 200, { status: 'Ratings is healthy' }],
    ['/ratings/0', 200, { id: 0, ratings: BOTH }],
    ['/ratings/42', 200, { id: 42, ratings: BOTH }],
    ['/ratings/x', 400, { error: 'please provide numeric product ID' }],
    ['/ratings/', 400, { error: 'please provide numeric product ID' }],
    ['/ratings/%00', 400, { error: 'please provide numeric product ID' }],
    ['/ratings', 404, { error: 'not found' }],
    ['/ratings/0/1', 404, { error: 'not found' }],
    ['/__proto__', 404, { error: 'not found' }],
  ] as const) {
    test(`answers GET ${path} with ${status}`, async () => {
      await using service = await standIn(ratings({}));
      const answer = await fetch(service.url + path);
      expect([answer.status, answer.headers.get('content-type'), await answer.json()]).toEqual([
        status,
        'application/json',
        body,
      ]);
    });
  }

  test('remembers what was posted for a product, and only for that one', async () => {
    await using service = await standIn(ratings({}));
    const posted = await post(service.url, '/ratings/3', '{"Reviewer1":1,"Reviewer2":2}');
    expect(await posted.json()).toEqual({ id: 3, ratings: { Reviewer1: 1, Reviewer2: 2 } });
    expect(await get(service.url, '/ratings/3')).toEqual({ id: 3, ratings: { Reviewer1: 1, Reviewer2: 2 } });
    expect(await get(service.url, '/ratings/4')).toEqual({ id: 4, ratings: BOTH });
  });

  test('forgets the oldest when more than a thousand products were posted', async () => {
    await using service = await standIn(ratings({}));
    for (let id = 0; id <= 1_000; id++) await (await post(service.url, `/ratings/${id}`, '{"Reviewer1":1}')).text();
    expect(await get(service.url, '/ratings/0')).toEqual({ id: 0, ratings: BOTH });
    expect(await get(service.url, '/ratings/1')).toEqual({ id: 1, ratings: { Reviewer1: 1 } });
  });

  for (const body of ['', 'no json', '5', 'null', '[1]', '{"Reviewer1":'])
    test(`refuses ${JSON.stringify(body)} as ratings`, async () => {
      await using service = await standIn(ratings({}));
      const answer = await post(service.url, '/ratings/0', body);
      expect([answer.status, await answer.json()]).toEqual([400, { error: 'please provide valid ratings JSON' }]);
    });

  test('allows GET, HEAD and POST only', async () => {
    await using service = await standIn(ratings({}));
    const answer = await fetch(`${service.url}/ratings/0`, { method: 'DELETE' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
  });
});

describe('misbehaving ratings', () => {
  const MINUTE = 60_000;
  for (const { version, dice = 0, minutes = 0, ratingsIs, healthIs = 200 } of [
    { version: 'v-faulty', dice: 0.49, ratingsIs: 503 },
    { version: 'v-faulty', dice: 0.5, ratingsIs: 200 },
    { version: 'v-unavailable', minutes: 0.9, ratingsIs: 200 },
    { version: 'v-unavailable', minutes: 1, ratingsIs: 503 },
    { version: 'v-unavailable', minutes: 2, ratingsIs: 200 },
    { version: 'v-unhealthy', minutes: 14, ratingsIs: 200 },
    { version: 'v-unhealthy', minutes: 15, ratingsIs: 503, healthIs: 500 },
    { version: 'v-unhealthy', minutes: 30, ratingsIs: 200 },
  ]) {
    test(`${version} after ${minutes} minutes with ${dice} on the dice: ${ratingsIs}, health ${healthIs}`, async () => {
      let clock = 0;
      await using service = await standIn(
        ratings(
          { SERVICE_VERSION: version },
          () => dice,
          () => clock,
        ),
      );
      clock = minutes * MINUTE;
      expect((await fetch(`${service.url}/ratings/0`)).status).toBe(ratingsIs);
      expect((await fetch(`${service.url}/health`)).status).toBe(healthIs);
    });
  }

  test('v-delayed answers half of the requests late', async () => {
    let dice = 0.49;
    await using service = await standIn(ratings({ SERVICE_VERSION: 'v-delayed', DELAY_MS: '200' }, () => dice));
    const late = performance.now();
    expect(await get(service.url, '/ratings/0')).toEqual({ id: 0, ratings: BOTH });
    expect(performance.now() - late).toBeGreaterThan(190);
    dice = 0.5;
    const soon = performance.now();
    await get(service.url, '/ratings/0');
    expect(performance.now() - soon).toBeLessThan(190);
  });
});

describe('ratings on a database', () => {
  for (const { it, env, greeting, status, body, type } of [
    {
      it: 'MySQL that cannot be reached: status 200 without a type, as the original',
      env: { DB_TYPE: 'mysql' },
      greeting: null,
      status: 200,
      body: { error: 'could not connect to ratings database' },
      type: null,
    },
    {
      it: 'MySQL behind a proxy that accepts and ends the connection: not reached either',
      env: { DB_TYPE: 'mysql' },
      greeting: '',
      status: 200,
      body: { error: 'could not connect to ratings database' },
      type: null,
    },
    {
      it: 'Mongo that cannot be reached',
      env: {},
      greeting: null,
      status: 500,
      body: { error: 'could not connect to ratings database' },
      type: 'application/json',
    },
    {
      it: 'Mongo that accepts',
      env: {},
      greeting: '',
      status: 500,
      body: { error: 'could not load ratings from database' },
      type: 'application/json',
    },
  ]) {
    test(it, async () => {
      await using database = await databaseThatSays(greeting);
      const where = {
        MYSQL_DB_HOST: '127.0.0.1',
        MYSQL_DB_PORT: `${database.port}`,
        MONGO_DB_URL: `mongodb://127.0.0.1:${database.port}/test`,
      };
      await using service = await standIn(ratings({ SERVICE_VERSION: 'v2', ...where, ...env }));
      const answer = await fetch(`${service.url}/ratings/0`);
      expect([answer.status, answer.headers.get('content-type'), await answer.json()]).toEqual([status, type, body]);
    });
  }

  test('takes no posts', async () => {
    await using service = await standIn(ratings({ SERVICE_VERSION: 'v2', DB_TYPE: 'mysql' }));
    const answer = await post(service.url, '/ratings/0', '{}');
    expect([answer.status, await answer.json()]).toEqual([
      501,
      { error: 'Post not implemented for database backed ratings' },
    ]);
  });
});

const get = async (url: string, path: string): Promise<unknown> => (await fetch(url + path)).json();
const post = (url: string, path: string, body: string): Promise<Response> =>
  fetch(url + path, { method: 'POST', body });

/** Null: nobody listens; '' accepts and ends the connection. */
async function databaseThatSays(greeting: string | null) {
  if (greeting === null) return { port: await unusedPort(), [Symbol.asyncDispose]: async () => {} };
  const server = createServer((socket) => socket.on('error', () => {}).end(greeting));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

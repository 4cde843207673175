import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Env } from '../service.ts';
import { ratings } from '../ratings/main.ts';
import { standIn, unusedPort } from '../stand-in.ts';
import { openBookstore } from './bookstore.ts';
import { mysqlDatabase, type Database } from './database.ts';
import { SERVERS, type TestServer } from './servers.ts';
import { mysqlSettings } from './settings.ts';
import { main as setup } from './setup.ts';

const ANN = { reviewer: 'Ann', rating: '3', review: 'Good fun' };
const stars = (page: string): number => page.split('glyphicon glyphicon-star"').length - 1;

describe.each(SERVERS)('BookInfo on $name', ({ name, available, launch }) => {
  const kind = test.skipIf(!available);
  let server: TestServer;
  let env: Env;
  let admin: Database;

  beforeAll(async () => {
    if (!available) return;
    vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    server = await launch('127.45.0.1');
    env = server.env;
    admin = mysqlDatabase(mysqlSettings(env, '')!);
    expect(await setup({ ...env, MYSQL_SETUP_TEST: 'true' })).toBe(0);
  }, 30_000);
  afterAll(async () => {
    vi.restoreAllMocks();
    admin?.close();
    await server?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    if (available) expect(await setup(env)).toBe(0);
  });

  kind('a database that is there is kept when that is asked for, and one that is half made is not', async () => {
    await admin.write('DELETE FROM bookinfo_db.reviews', []);
    const left = async (): Promise<unknown> => {
      const answer = await admin.read('SELECT COUNT(*) AS n FROM bookinfo_db.reviews', []);
      return answer.ok ? Number(answer.rows[0]?.['n']) : answer.reason;
    };
    expect([await setup({ ...env, MYSQL_SETUP_KEEP: 'true' }), await left()]).toEqual([0, 0]);
    await admin.write('DELETE FROM bookinfo_db.books', []);
    expect([await setup({ ...env, MYSQL_SETUP_KEEP: 'true' }), await left()]).toEqual([0, 2]);
  });

  kind('shows the book and the reviews of the database', async () => {
    await using store = await openBookstore(env);
    const page = await store.page();
    for (const mark of [
      '272 pages',
      'Simon and Schuster',
      '0743484886',
      '978-0743484886',
      'John Doe',
      'Jane Smith',
      'Shakespeare&#39;s 1st Smash!',
    ])
      expect(page).toContain(mark);
    expect([stars(page), page.split('color="red"').length - 1]).toEqual([9, 2]);
    expect(page).toContain('aria-label="4 out of 5 stars"');
    expect(page).not.toContain('Be the first one');
    expect(await (await store.details()).json()).toEqual({
      id: 0,
      author: 'William Shakespeare',
      year: 1595,
      type: 'paperback',
      pages: 272,
      publisher: 'Simon and Schuster',
      language: 'English',
      'ISBN-10': '0743484886',
      'ISBN-13': '978-0743484886',
    });
    expect(await (await store.ratings()).json()).toEqual({ id: 0, ratings: { Reviewer1: 4, Reviewer2: 5 } });
  });

  for (const [version, more, count, color] of [
    ['v1', { ENABLE_RATINGS: 'false' }, 0, null],
    ['v2', { STAR_COLOR: 'black' }, 9, 'black'],
  ] as const) {
    kind(`${version} shows the same reviews with ${color ?? 'no'} stars`, async () => {
      await using store = await openBookstore({ ...env, ...more });
      const page = await store.page();
      expect([page.includes('Jane Smith'), stars(page)]).toEqual([true, count]);
      if (color !== null) expect(page).toContain(`color="${color}"`);
    });
  }

  kind('takes a review and goes back to the page of the host it was asked by; deletes all, and says so', async () => {
    await using store = await openBookstore(env);
    const posted = await store.post(ANN);
    expect([posted.status, posted.headers.get('location')]).toEqual([
      302,
      expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/productpage$/),
    ]);
    const page = await store.page();
    expect(page).toContain('Good fun');
    expect(page).toContain('aria-label="3 out of 5 stars"');
    expect((await store.remove('GET')).status).toBe(302);
    const empty = await store.page();
    expect(empty).toContain('Be the first one to review this book!');
    expect([stars(empty), empty.includes('Ann')]).toEqual([0, false]);
    // No values of earlier reviews stay.
    expect(await (await store.ratings()).json()).toEqual({ id: 0, ratings: {} });
    expect((await store.post(ANN)).status).toBe(302);
    expect((await store.remove('POST')).status).toBe(302);
    expect((await store.reviews()).reviews).toEqual([]);
  });

  kind('shows the first five of more reviews', async () => {
    await using store = await openBookstore(env);
    for (let i = 1; i <= 6; i++) await store.post({ ...ANN, reviewer: `No. ${i}` });
    const { reviews } = await store.reviews();
    expect(reviews.map(({ reviewer }) => reviewer)).toEqual(['John Doe', 'Jane Smith', 'No. 1', 'No. 2', 'No. 3']);
    expect(reviews.map(({ rating }) => rating?.stars)).toEqual([4, 5, 3, 3, 3]);
  });

  for (const words of [
    "x', 5); DROP TABLE reviews; -- ",
    '\\\'); DELETE FROM reviews WHERE 1=1 OR ("',
    "' OR '1'='1' /* ?? */ # \\",
    '<script>alert(1)</script>"><img src=x onerror=alert(1)>',
    'größe — 日本語 😀👩‍👩‍👧 \u202e',
  ]) {
    kind(`keeps ${JSON.stringify(words)} as it was written, and shows it as text`, async () => {
      await using store = await openBookstore(env);
      expect((await store.post({ reviewer: words.slice(0, 40), rating: '1', review: words })).status).toBe(302);
      const { reviews } = await store.reviews();
      expect(reviews.length).toBe(3);
      expect(reviews[2]).toMatchObject({ reviewer: words.slice(0, 40).trim(), text: words.trim() });
      const page = await store.page();
      for (const live of ['<script>alert', '<img src=x']) expect(page).not.toContain(live);
      expect(page.split('<figure>').length - 1).toBe(3);
    });
  }

  kind('takes the longest review there may be, in characters beyond the first plane', async () => {
    await using store = await openBookstore(env);
    expect((await store.post({ reviewer: '😀'.repeat(40), rating: '5', review: '😀'.repeat(1_000) })).status).toBe(302);
    expect((await store.reviews()).reviews[2]?.text).toBe('😀'.repeat(1_000));
  });

  kind('answers when the column is narrower than the form, and when a table is gone', async () => {
    await using store = await openBookstore(env);
    await admin.write('DROP TABLE bookinfo_db.reviews', []);
    expect((await store.post(ANN)).status).toBe(500);
    expect((await store.reviews()).reviews).toEqual([]);
    const narrow =
      'ReviewID int NOT NULL AUTO_INCREMENT, BookID int, Reviewer varchar(2), Review varchar(1000), Rating int, PRIMARY KEY (ReviewID)';
    expect(await admin.write(`CREATE TABLE bookinfo_db.reviews (${narrow})`, [])).toMatchObject({ ok: true });
    expect((await store.post(ANN)).status).toBe(400);
    expect((await store.post({ ...ANN, reviewer: 'Jo' })).status).toBe(302);
  });

  // SQLite has one character set only.
  if (name.startsWith('MariaDB'))
    kind("answers an emoji for the pattern's own tables, which are latin1, with 400", async () => {
      await using store = await openBookstore(env);
      await admin.write('ALTER TABLE bookinfo_db.reviews CONVERT TO CHARACTER SET latin1', []);
      const refused = await store.post({ ...ANN, review: 'fun 😀' });
      expect([refused.status, await refused.text()]).toEqual([
        400,
        expect.stringContaining('cannot keep these characters'),
      ]);
      expect((await store.post({ ...ANN, review: 'größer' })).status).toBe(302);
      expect((await store.reviews()).reviews[2]?.text).toBe('größer');
    });

  kind(
    'is killed and started again under load: pages degrade, services live, and it heals by itself',
    async () => {
      await using store = await openBookstore(env);
      const load = new AbortController();
      const statuses = new Set<number>();
      const pages = Array.from({ length: 8 }, async () => {
        while (!load.signal.aborted) {
          const [d, r] = [await store.details(), await store.ratings()];
          await Promise.all([d.text(), r.text(), store.reviews()]);
          statuses.add(d.status).add(r.status);
        }
      });
      await store.page();
      await server.kill();
      const down = await store.page();
      for (const mark of [
        'Sorry, product details are currently unavailable for this book.',
        'Be the first one to review this book!',
      ])
        expect(down).toContain(mark);
      expect((await store.post(ANN)).status).toBe(500);
      await server.start();
      const up = await store.page();
      load.abort();
      await Promise.all(pages);
      expect([up.includes('272 pages'), up.includes('Jane Smith')]).toEqual([true, true]);
      expect(statuses).toEqual(new Set([200, 500]));
      expect(store.log.find(({ problem }) => problem !== undefined)?.['problem']).toMatch(/./);
    },
    30_000,
  );

  kind("Istio's ratings v2-mysql reads test.ratings, with its quirks", async () => {
    const istio = { ...env, SERVICE_VERSION: 'v2', DB_TYPE: 'mysql' };
    await using service = await standIn(ratings(istio));
    const read = async (): Promise<unknown[]> => {
      const answer = await fetch(`${service.url}/ratings/7`);
      return [answer.status, answer.headers.get('content-type'), await answer.json()];
    };
    await admin.write('UPDATE test.ratings SET Rating = ? WHERE ReviewID = ?', [4, 2]);
    expect(await read()).toEqual([200, 'application/json', { id: 7, ratings: { Reviewer1: 5, Reviewer2: 4 } }]);
    await admin.write('update test.ratings set rating=1', []);
    expect(await read()).toEqual([200, 'application/json', { id: 7, ratings: { Reviewer1: 1, Reviewer2: 1 } }]);
    await admin.write('DELETE FROM test.ratings WHERE ReviewID = 2', []);
    expect(await read()).toEqual([200, 'application/json', { id: 7, ratings: { Reviewer1: 1, Reviewer2: 0 } }]);
    await admin.write('DROP TABLE test.ratings', []);
    expect(await read()).toEqual([500, 'application/json', { error: 'could not perform select' }]);
    await using wrong = await standIn(ratings({ ...istio, MYSQL_DB_PASSWORD: 'wrong' }));
    const answer = await fetch(`${wrong.url}/ratings/7`);
    expect([answer.status, answer.headers.get('content-type'), await answer.json()]).toEqual([
      200,
      null,
      { error: 'could not connect to ratings database' },
    ]);
  });

  kind('the loader says what is missing, and fails where there is no database', async () => {
    expect(await setup({ ...env, MYSQL_DB_PASSWORD: '' })).toBe(1);
    expect(await setup({ ...env, MYSQL_DB_PORT: String(await unusedPort()) }, [], 1)).toBe(1);
  });
});

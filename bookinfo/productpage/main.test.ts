import { describe, expect, test } from 'vitest';
import type { IncomingHttpHeaders } from 'node:http';
import { json, type Env, type Reply, type Service } from '../service.ts';
import { at, standIn, unusedPort } from '../stand-in.ts';
import { productpage } from './main.ts';

const BOOK = { id: 0, author: 'William Shakespeare', pages: 200, publisher: 'PublisherA' };
const reviewsWith = (rating?: object): object => ({
  id: '0',
  podname: 'reviews-v3-abc',
  clustername: 'null',
  reviews: [1, 2].map((n) => ({ reviewer: `Reviewer${n}`, text: 'Fun', ...(rating === undefined ? {} : { rating }) })),
});

describe('the product page', () => {
  test('shows the book, its reviews, and the pod that served them', async () => {
    await using store = await bookstore();
    const answer = await store.get('/productpage');
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const page = await answer.text();
    for (const mark of [
      '<title>Simple Bookstore App</title>',
      'Book Details',
      'PublisherA',
      'Book Reviews',
      'Reviews served by:',
      'reviews-v3-abc',
      'Sign in',
    ])
      expect(page).toContain(mark);
    expect(stars(page)).toBe(0);
    expect(page).not.toContain('Error fetching');
  });

  for (const color of ['black', 'red']) {
    test(`shows ${color} stars: one full per point, the rest empty`, async () => {
      await using store = await bookstore({ reviews: () => json(200, reviewsWith({ stars: 4, color })) });
      const page = await (await store.get('/productpage')).text();
      expect(stars(page)).toBe(8);
      expect(page.split('glyphicon-star-empty"').length - 1).toBe(2);
      expect(page.split(`color="${color}"`).length - 1).toBe(2);
      expect(page).toContain(`gap-x-1 text-${color}-500`);
    });
  }

  test('has a form where reviews can be written, and only there; nobody may frame it', async () => {
    await using plain = await bookstore();
    expect(await (await plain.get('/productpage')).text()).not.toContain('postReview');
    await using store = await bookstore({ reviews: () => json(200, { ...reviewsWith(), writable: true }) });
    const answer = await store.get('/productpage');
    expect(answer.headers.get('content-security-policy')).toBe("frame-ancestors 'none'");
    const page = await answer.text();
    for (const mark of [
      '<form class="review" method="post" action="postReview"',
      'maxlength="40"',
      'maxlength="1000"',
      'min="1" max="5"',
    ])
      expect(page).toContain(mark);
    expect(page).toContain('<form class="delete" method="post" action="deleteReviews">');
  });

  test('asks for the first review, and says when others cannot be shown', async () => {
    const none = { ...reviewsWith(), reviews: [], writable: true, problem: '<b>away</b>' };
    await using store = await bookstore({ reviews: () => json(200, none) });
    const page = await (await store.get('/productpage')).text();
    expect(page).toContain('Be the first one to review this book!');
    expect(page).toContain('cannot be shown: &#60;b&#62;away&#60;/b&#62;.');
    expect(page).not.toContain('deleteReviews');
  });

  test('says so, once a review, when ratings failed', async () => {
    const error = 'Ratings service is currently unavailable';
    await using store = await bookstore({ reviews: () => json(200, reviewsWith({ error })) });
    const page = await (await store.get('/productpage')).text();
    expect(page.split(error).length - 1).toBe(2);
    expect(stars(page)).toBe(0);
  });

  for (const [part, marks] of [
    [
      'details',
      [
        'Error fetching product details!',
        'Sorry, product details are currently unavailable for this book.',
        'Book Reviews',
      ],
    ],
    [
      'reviews',
      [
        'Error fetching product reviews!',
        'Sorry, product reviews are currently unavailable for this book.',
        'Book Details',
      ],
    ],
  ] as const) {
    for (const [how, reply] of [
      ['an error', () => json(503, {})],
      ['no JSON', () => ({ status: 200, body: '<' })],
    ] as const) {
      test(`is 200 and says so when ${part} answers with ${how}`, async () => {
        await using store = await bookstore({ [part]: reply });
        const answer = await store.get('/productpage');
        expect(answer.status).toBe(200);
        const page = await answer.text();
        for (const mark of marks) expect(page).toContain(mark);
      });
    }
  }

  test('is 200 with both errors when nobody listens', async () => {
    const nobody = `http://127.0.0.1:${await unusedPort()}`;
    await using page = await standIn(productpage({ ...at('details', nobody), ...at('reviews', nobody) }));
    const answer = await fetch(`${page.url}/productpage`);
    expect(answer.status).toBe(200);
    expect((await answer.text()).match(/Error fetching product \w+!/g)).toHaveLength(2);
  });

  test('tries reviews twice, details once', async () => {
    let tries = 0;
    await using store = await bookstore({ reviews: () => (++tries === 1 ? json(503, {}) : json(200, reviewsWith())) });
    expect(await (await store.get('/productpage')).text()).toContain('Book Reviews');
    expect(store.calls).toEqual(['/details/0', '/reviews/0', '/reviews/0']);
  });

  test('gives up on a slow service after 3 s a try: 6 s for reviews', async () => {
    await using store = await bookstore({ reviews: () => new Promise<Reply>(() => {}) });
    const started = performance.now();
    expect(await (await store.get('/productpage')).text()).toContain('Error fetching product reviews!');
    expect(performance.now() - started).toBeGreaterThan(5_980);
    expect(performance.now() - started).toBeLessThan(6_800);
  });

  test('asks for as many reviews more as FLOOD_FACTOR says', async () => {
    await using store = await bookstore({}, { FLOOD_FACTOR: '3' });
    await (await store.get('/productpage')).text();
    expect(store.calls).toEqual(['/reviews/0', '/reviews/0', '/reviews/0', '/details/0', '/reviews/0']);
  });

  test('lets no markup of another service through', async () => {
    const evil = '<script>alert("x")</script>';
    const review = { reviewer: evil, text: evil, rating: { stars: 1, color: `"><script>` } };
    await using store = await bookstore({
      details: () => json(200, { publisher: evil, pages: { nested: true }, author: null }),
      reviews: () =>
        json(200, {
          podname: evil,
          clustername: evil,
          reviews: [review, null, 5, { rating: { stars: 1e9 } }, { rating: { stars: -1 } }],
        }),
    });
    const page = await (await store.get('/productpage')).text();
    expect(page).not.toContain('<script');
    expect(page).toContain('&#60;script&#62;');
    expect(stars(page)).toBe(6);
  });
});

describe('signing in', () => {
  test('sends back where one came from, shows the name, and calls as that user until one signs out', async () => {
    await using store = await bookstore();
    const referer = `${store.page.url}/productpage?u=test`;
    const signIn = await store.post('/login', 'username=jason&passwd=x', { referer });
    expect([signIn.status, signIn.headers.get('location')]).toEqual([302, referer]);
    const cookie = signIn.headers.getSetCookie()[0]!.split(';')[0]!;
    const page = await (await store.get('/productpage', { cookie })).text();
    expect(page).toContain('<b>jason</b>');
    expect(page).toContain('Sign out');
    expect(store.headers.map((h) => h['end-user'])).toEqual(['jason', 'jason']);
    const signOut = await store.get('/logout', { cookie, referer });
    expect([signOut.status, signOut.headers.get('location')]).toEqual([302, referer]);
    expect(signOut.headers.getSetCookie()[0]).toMatch(/^session=; Max-Age=0/);
  });

  for (const referer of [undefined, 'javascript:alert(1)', 'not a url'])
    test(`sends to the product page when the referer is ${referer}`, async () => {
      await using store = await bookstore();
      const answer = await store.post('/login', 'username=jason', referer === undefined ? {} : { referer });
      expect(answer.headers.get('location')).toBe('/productpage');
    });

  test('takes no end-user header from outside, and no forged cookie', async () => {
    await using store = await bookstore();
    const page = await (
      await store.get('/productpage', { 'end-user': 'jason', cookie: 'user=jason; session=amFzb24.xx' })
    ).text();
    expect(page).toContain('Sign in');
    expect(store.headers.map((h) => h['end-user'])).toEqual([undefined, undefined]);
  });

  for (const name of ['a%0D%0Aend-user: admin', 'a%00', 'x'.repeat(65)])
    test(`refuses the name ${name.slice(0, 20)}`, async () => {
      await using store = await bookstore();
      const answer = await store.post('/login', `username=${name}`);
      expect([answer.status, answer.headers.getSetCookie()]).toEqual([400, []]);
    });

  test('shows a name as text, not as markup', async () => {
    await using store = await bookstore();
    const answer = await store.post('/login', `username=${encodeURIComponent('<img src=x>')}`);
    const cookie = answer.headers.getSetCookie()[0]!.split(';')[0]!;
    expect(await (await store.get('/productpage', { cookie })).text()).not.toContain('<img src=x>');
  });

  test('without a name signs out', async () => {
    await using store = await bookstore();
    expect((await store.post('/login', '')).headers.getSetCookie()[0]).toMatch(/^session=; Max-Age=0/);
  });

  test('holds across processes that share SESSION_SECRET', async () => {
    await using one = await bookstore({}, { SESSION_SECRET: 's' });
    await using two = await bookstore({}, { SESSION_SECRET: 's' });
    const cookie = (await one.post('/login', 'username=jason')).headers.getSetCookie()[0]!.split(';')[0]!;
    expect(await (await two.get('/productpage', { cookie })).text()).toContain('<b>jason</b>');
  });
});

describe('the JSON API', () => {
  test('lists the one product', async () => {
    await using store = await bookstore();
    expect(await (await store.get('/api/v1/products')).json()).toMatchObject([
      { id: 0, title: 'The Comedy of Errors', descriptionHtml: expect.stringContaining('Wikipedia Summary') as string },
    ]);
  });

  for (const [path, call] of [
    ['/api/v1/products/0', '/details/0'],
    ['/api/v1/products/x%2Fy', '/details/x%2Fy'],
    ['/api/v1/products/0/reviews', '/reviews/0'],
    ['/api/v1/products/7/ratings', '/ratings/7'],
  ] as const) {
    test(`hands ${path} on to ${call}`, async () => {
      await using store = await bookstore();
      expect((await store.get(path)).status).toBe(200);
      expect(store.calls).toEqual([call]);
    });
  }

  test('gives the status of a service that failed, and 500 when it did not answer', async () => {
    await using store = await bookstore({ ratings: () => json(418, {}) });
    const failed = await store.get('/api/v1/products/0/ratings');
    expect([failed.status, await failed.json()]).toEqual([
      418,
      { error: 'Sorry, product ratings are currently unavailable for this book.' },
    ]);
    await using alone = await standIn(productpage(at('details', `http://127.0.0.1:${await unusedPort()}`)));
    expect((await fetch(`${alone.url}/api/v1/products/0`)).status).toBe(500);
  });

  for (const path of [
    '/api/v1/products/%2e%2e/reviews',
    '/api/v1/products/%ff',
    '/api/v1/products/',
    '/api/v1/products/0/secrets',
  ])
    test(`knows no ${path}`, async () => {
      await using store = await bookstore();
      expect((await store.get(path)).status).toBe(404);
      expect(store.calls).toEqual([]);
    });
});

describe('the rest of productpage', () => {
  for (const [path, status, type, contains] of [
    ['/', 200, 'text/html', 'productpage?u=test'],
    ['/index.html', 200, 'text/html', 'ratings'],
    ['/health', 200, 'text/html', 'Product page is healthy'],
    ['/static/bookinfo.css', 200, 'text/css', '.stars'],
    ['/static/book.svg', 200, 'image/svg', '<svg'],
    ['/static/../main.ts', 404, 'text/html', 'Not found'],
    ['/static/%2e%2e/main.ts', 404, 'text/html', 'Not found'],
    ['/nowhere', 404, 'text/html', 'Not found'],
  ] as const) {
    test(`answers ${path} with ${status}`, async () => {
      await using store = await bookstore();
      const answer = await store.get(path);
      expect([answer.status, answer.headers.get('content-type')?.startsWith(type)]).toEqual([status, true]);
      expect(await answer.text()).toContain(contains);
    });
  }

  test('counts the results of its calls by service and status', async () => {
    await using store = await bookstore({ reviews: () => json(503, {}) });
    await (await store.get('/productpage')).text();
    const metrics = await (await store.get('/metrics')).text();
    expect(metrics).toContain('request_result_total{destination_app="details",response_code="200"} 1');
    expect(metrics).toContain('request_result_total{destination_app="reviews",response_code="503"} 1');
  });

  test('refuses other methods', async () => {
    await using store = await bookstore();
    expect((await store.post('/productpage', '')).status).toBe(405);
  });
});

const stars = (page: string): number => page.split('glyphicon glyphicon-star"').length - 1;

type Replies = Partial<Record<'details' | 'reviews' | 'ratings', () => Reply | Promise<Reply>>>;

/** Productpage, with one server that stands in for all the others; `calls` and `headers` are what reached it. */
async function bookstore(replies: Replies = {}, env: Env = {}) {
  const calls: string[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const others = await standIn((request) => {
    calls.push(request.path);
    headers.push(request.headers);
    const part = request.path.split('/')[1] as keyof Replies;
    return (
      replies[part]?.() ??
      json(200, part === 'details' ? BOOK : part === 'reviews' ? reviewsWith() : { id: 0, ratings: {} })
    );
  });
  const { url } = others;
  const page: Service = await standIn(
    productpage({ ...at('details', url), ...at('reviews', url), ...at('ratings', url), ...env }),
  );
  return {
    page,
    calls,
    headers,
    get: (path: string, headers: Record<string, string> = {}) =>
      fetch(page.url + path, { headers, redirect: 'manual' }),
    post: (path: string, body: string, headers: Record<string, string> = {}) =>
      fetch(page.url + path, {
        method: 'POST',
        body,
        redirect: 'manual',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      }),
    [Symbol.asyncDispose]: async () => {
      await page[Symbol.asyncDispose]();
      await others[Symbol.asyncDispose]();
    },
  };
}

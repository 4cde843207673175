import { describe, expect, test } from 'vitest';
import type { Database, Value } from '../mysql/database.ts';
import type { Service } from '../service.ts';
import { raw, standIn } from '../stand-in.ts';
import { reviews } from './main.ts';

const FORM = 'reviewer=Ann&rating=3&review=Good+fun';

describe('posting a review', () => {
  test('is a 302 to the page of the host that was asked, over https when the gateway was', async () => {
    await using shop = await open();
    for (const [headers, location] of [
      ['Host: shop.example:8080', 'http://shop.example:8080/productpage'],
      ['Host: [::1]:8080', 'http://[::1]:8080/productpage'],
      ['Host: shop.example\r\nX-Forwarded-Proto: https', 'https://shop.example/productpage'],
      ['Host: shop.example\r\nX-Forwarded-Proto: javascript', 'http://shop.example/productpage'],
      ['Host: a@b/c?', '/productpage'],
    ] as const) {
      const answer = await shop.ask('POST', '/postReview', headers, FORM);
      expect(answer).toMatch(/^HTTP\/1\.1 302 /);
      expect(answer).toContain(`\r\nlocation: ${location}\r\n`);
    }
    expect(shop.written[0]).toEqual([1, 'Ann', 'Good fun', 3]);
  });

  const long = 'x'.repeat(1_001);
  for (const [what, form, fields] of [
    ['nothing', '', ['reviewer', 'review', 'rating']],
    ['blanks', 'reviewer=+&rating=1&review=%20%09', ['reviewer', 'review']],
    ['a reviewer of 41 characters', `reviewer=${'x'.repeat(41)}&rating=1&review=x`, ['reviewer']],
    ['a review of 1001 characters', `reviewer=x&rating=1&review=${long}`, ['review']],
    ['six stars', 'reviewer=x&rating=6&review=x', ['rating']],
    ['no star', 'reviewer=x&rating=0&review=x', ['rating']],
    ['half a star', 'reviewer=x&rating=1.5&review=x', ['rating']],
    ['a rating that is SQL', 'reviewer=x&rating=1);DELETE&review=x', ['rating']],
    ['two ratings', 'reviewer=x&rating=1&rating=5&review=x', ['rating']],
    ['two reviewers', 'reviewer=x&reviewer=y&rating=1&review=x', ['reviewer']],
    ['a NUL', 'reviewer=x%00&rating=1&review=x%00y', ['reviewer', 'review']],
    ['lines in a name', 'reviewer=x%0Ay&rating=1&review=x', ['reviewer']],
  ] as const) {
    test(`names what is wrong with ${what}`, async () => {
      await using shop = await open();
      const answer = await shop.ask('POST', '/postReview', 'Host: x', form);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(Object.keys((JSON.parse(answer.split('\r\n\r\n')[1]!) as { fields: object }).fields).toSorted()).toEqual(
        [...fields].toSorted(),
      );
      expect(shop.written).toEqual([]);
    });
  }

  test('says it on a page to people, which runs nothing and stands in no frame', async () => {
    await using shop = await open();
    const answer = await shop.ask('POST', '/postReview', 'Host: x\r\nAccept: text/html,*/*', 'reviewer=<b>');
    expect(answer).toMatch(
      /^HTTP\/1\.1 400 [^]*content-type: text\/html[^]*<b>rating<\/b>: expected a whole number from 1 to 5/,
    );
    expect(answer).toContain("default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'");
  });

  test('takes lines and tabs in a review, and 40 characters that are two units each', async () => {
    await using shop = await open();
    const reviewer = '😀'.repeat(40);
    await shop.ask(
      'POST',
      '/postReview',
      'Host: x',
      new URLSearchParams({ reviewer, rating: '5', review: 'a\tb\r\nc' }).toString(),
    );
    expect(shop.written).toEqual([[1, reviewer, 'a\tb\r\nc', 5]]);
  });

  for (const [what, type, body, status] of [
    ['JSON', 'application/json', '{}', 415],
    ['no type', '', FORM, 415],
    ['plain text, as a form of another site may send', 'text/plain', FORM, 415],
    ['a form with a character set', 'application/x-www-form-urlencoded; charset=utf-8', FORM, 302],
    ['more than 64 KiB', 'application/x-www-form-urlencoded', `${FORM}${'x'.repeat(70_000)}`, 413],
  ] as const) {
    test(`answers ${what} with ${status}`, async () => {
      await using shop = await open();
      expect(await shop.ask('POST', '/postReview', 'Host: x', body, type)).toMatch(
        new RegExp(`^HTTP/1\\.1 ${status} `),
      );
    });
  }
});

describe('a page of another site', () => {
  for (const [headers, method, status] of [
    ['', 'POST', 302],
    ['Sec-Fetch-Site: same-origin', 'POST', 302],
    ['Sec-Fetch-Site: none', 'POST', 302],
    ['Sec-Fetch-Site: cross-site', 'POST', 403],
    ['Sec-Fetch-Site: same-site', 'POST', 403],
    ['Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site', 'POST', 403],
    ['Sec-Fetch-Site: same-origin\r\nOrigin: http://evil.example', 'POST', 302],
    ['Sec-Fetch-Site: cross-site\r\nOrigin: http://shop.example', 'POST', 403],
    ['Origin: http://shop.example', 'POST', 302],
    ['Origin: http://SHOP.example', 'POST', 302],
    ['Origin: http://evil.example', 'POST', 403],
    ['Origin: http://shop.example.evil.example', 'POST', 403],
    ['Origin: http://shop.example:81', 'POST', 403],
    ['Origin: null', 'POST', 403],
    ['Origin: ', 'POST', 403],
    ['Origin: file:///shop.example', 'POST', 403],
    ['Origin: http://shop.example:80', 'POST', 302],
    ['Referer: http://evil.example/shop.example', 'POST', 403],
    ['Referer: http://shop.example/productpage', 'POST', 302],
    ['', 'GET', 302],
    ['User-Agent: curl/8.5.0\r\nAccept: */*', 'GET', 302],
    ['Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors', 'GET', 403],
    ['Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate', 'GET', 403],
    ['Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate', 'GET', 200],
    ['Sec-Fetch-Site: none\r\nSec-Purpose: prefetch', 'GET', 200],
    ['Sec-Purpose: prefetch;prerender', 'GET', 200],
    ['User-Agent: Mozilla/5.0 (X11) Firefox/140.0\r\nAccept: image/png', 'GET', 200],
    ['Referer: http://shop.example/productpage', 'GET', 200],
    ['Origin: http://evil.example', 'GET', 403],
  ] as const) {
    const done = status === 302 ? 'does' : status === 200 ? 'asks before it does' : 'refuses';
    test(`deleteReviews ${done} it: ${method} with ${JSON.stringify(headers)}`, async () => {
      await using shop = await open();
      const answer = await shop.ask(
        method,
        '/deleteReviews',
        `Host: shop.example${headers === '' ? '' : `\r\n${headers}`}`,
      );
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(shop.written).toHaveLength(status === 302 ? 1 : 0);
      if (status === 200) expect(answer).toContain('<form method="post" action="deleteReviews">');
      if (method !== 'POST') return;
      const posted = await shop.ask(
        'POST',
        '/postReview',
        `Host: shop.example${headers === '' ? '' : `\r\n${headers}`}`,
        FORM,
      );
      expect(posted).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    });
  }

  for (const [path, method, allow] of [
    ['/postReview', 'GET', 'POST'],
    ['/postReview', 'PUT', 'POST'],
    ['/deleteReviews', 'HEAD', 'GET, POST'],
    ['/deleteReviews', 'DELETE', 'GET, POST'],
  ] as const) {
    test(`${method} ${path} changes nothing`, async () => {
      await using shop = await open();
      const answer = await shop.ask(method, path, 'Host: x');
      expect(answer).toMatch(/^HTTP\/1\.1 405 /);
      expect(answer).toContain(`\r\nallow: ${allow}\r\n`);
      expect(shop.written).toEqual([]);
    });
  }

  test('finds no such paths where reviews has no database', async () => {
    await using service = await standIn(reviews({}));
    expect((await fetch(`${service.url}/deleteReviews`)).status).toBe(404);
  });
});

/** Reviews on a database that takes everything, and notes it. */
async function open() {
  const written: (readonly Value[])[] = [];
  const done = { ok: true, rows: [], affected: 1 } as const;
  const database: Database = {
    read: () => Promise.resolve(done),
    write: (_, values) => {
      written.push(values);
      return Promise.resolve(done);
    },
    close: () => {},
  };
  const service: Service = await standIn(reviews({}, database));
  return {
    written,
    ask: (method: string, path: string, headers: string, body = '', type = 'application/x-www-form-urlencoded') => {
      const framing =
        method === 'POST'
          ? `${type === '' ? '' : `Content-Type: ${type}\r\n`}Content-Length: ${Buffer.byteLength(body)}\r\n`
          : '';
      return raw(service.url, `${method} ${path} HTTP/1.1\r\n${headers}\r\n${framing}Connection: close\r\n\r\n${body}`);
    },
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

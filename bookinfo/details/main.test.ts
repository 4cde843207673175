import { describe, expect, test } from 'vitest';
import { json, type Reply } from '../service.ts';
import { standIn } from '../stand-in.ts';
import { details } from './main.ts';

describe('details', () => {
  test('knows the book by heart, with a number for an id', async () => {
    await using service = await standIn(details({}));
    expect(await (await fetch(`${service.url}/details/0`)).text()).toBe(
      '{"id":0,"author":"William Shakespeare","year":1595,"type":"paperback","pages":200,"publisher":"PublisherA",' +
        '"language":"English","ISBN-10":"1234567890","ISBN-13":"123-1234567890"}',
    );
  });

  for (const [path, status] of [
    ['/health', 200],
    ['/details/12', 200],
    ['/details/x', 400],
    ['/details/1.5', 400],
    ['/details/', 400],
    ['/details', 400],
    ['/details/99999999999999999999', 400],
    ['/details/%', 400],
    ['/other', 404],
  ] as const) {
    test(`answers ${path} with ${status}`, async () => {
      await using service = await standIn(details({}));
      expect((await fetch(service.url + path)).status).toBe(status);
    });
  }

  test('says what is wrong with an id that is no number', async () => {
    await using service = await standIn(details({}));
    expect(await (await fetch(`${service.url}/details/x`)).json()).toEqual({
      error: 'please provide numeric product id',
    });
  });
});

describe('details v2', () => {
  const VOLUME = {
    authors: ['William Shakespeare', 'Somebody'],
    publishedDate: '2002-01-01',
    printType: 'BOOK',
    pageCount: 64,
    publisher: 'Courier',
    language: 'en',
    industryIdentifiers: [
      { type: 'ISBN_13', identifier: '9780486424613' },
      { type: 'ISBN_10', identifier: '0486424618' },
    ],
  };

  /** What details makes of Google's answer; a proxy stands in for Google. */
  async function ask(reply: Reply): Promise<{ status: number; body: unknown; asked: string[] }> {
    const asked: string[] = [];
    await using proxy = await standIn(({ headers, path, query }) => {
      asked.push(`${headers.host}${path}?${query.toString()}`);
      return reply;
    });
    const env = { ENABLE_EXTERNAL_BOOK_SERVICE: 'true', DO_NOT_ENCRYPT: 'true', http_proxy: proxy.url };
    await using service = await standIn(details(env));
    const answer = await fetch(`${service.url}/details/7`);
    return { status: answer.status, body: await answer.json(), asked };
  }

  test('asks Google Books in plain HTTP when it must not encrypt', async () => {
    const { status, body, asked } = await ask(json(200, { items: [{ volumeInfo: VOLUME }] }));
    expect(status).toBe(200);
    expect(asked).toEqual(['www.googleapis.com/books/v1/volumes?q=isbn%3A0486424618']);
    expect(body).toEqual({
      id: 7,
      author: 'William Shakespeare',
      year: '2002-01-01',
      type: 'paperback',
      pages: 64,
      publisher: 'Courier',
      language: 'English',
      'ISBN-10': '0486424618',
      'ISBN-13': '9780486424613',
    });
  });

  for (const [name, reply, says] of [
    ['an error', json(502, {}), 'it answered 502'],
    ['no JSON', { status: 200, body: '<' }, 'could not get the book'],
    ['no book', json(200, { totalItems: 0 }), 'it knows no such book'],
  ] as const) {
    test(`answers 400 when Google answers with ${name}`, async () => {
      const { status, body } = await ask(reply);
      expect(status).toBe(400);
      expect(JSON.stringify(body)).toContain(says);
    });
  }
});

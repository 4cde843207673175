/** Details out of MySQL, as the pattern's `details` reads them: row 1 of `books`, whatever product is asked for. */
import type { Database } from '../mysql/database.ts';
import { json, type Reply } from '../service.ts';

const SELECT = 'SELECT Paperback, Publisher, Language, ISBN_10, ISBN_13 FROM books WHERE BookID = ?';

/** 500 when the database gives no answer (a proxy would send a 503 again, and the page waits only 3 s), 404 when it has no book. */
export async function detailsFrom(database: Database, id: number): Promise<Reply> {
  const result = await database.read(SELECT, [1]);
  if (!result.ok) return { ...json(500, { error: 'the database is unavailable' }), problem: result.reason };
  const book = result.rows[0];
  if (book === undefined) return json(404, { error: 'the database has no such book' });
  const pages = /^(\d+) pages$/.exec(text(book['Paperback']))?.[1];
  return json(200, {
    id,
    // The table has neither; it is the one book of this store.
    author: 'William Shakespeare',
    year: 1595,
    type: 'paperback',
    pages: pages === undefined ? text(book['Paperback']) : Number(pages),
    publisher: text(book['Publisher']),
    language: text(book['Language']),
    'ISBN-10': text(book['ISBN_10']),
    'ISBN-13': text(book['ISBN_13']),
  });
}

const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');

/** Details: facts about a book. v1 knows them by heart or, with MYSQL_DB_HOST, reads them from MySQL; v2 asks Google Books. */
import type { Database } from '../mysql/database.ts';
import { databaseOf } from '../mysql/of-env.ts';
import { caller, type Caller } from '../outgoing.ts';
import { verbatim } from '../propagation.ts';
import { run } from '../run.ts';
import { json, type Env, type Handler } from '../service.ts';
import { detailsFrom } from './from-mysql.ts';

export const KEEP_ALIVE_MS = 30_000;

/** Serves until it is told to stop; resolves with the exit code. See `run` for PORT and its companions. */
export function main(env: Env, argv: readonly string[]): Promise<number> {
  const database = databaseOf(env);
  const close = (): void => database?.close();
  return run({ name: 'details', handle: details(env, database), keepAliveMs: KEEP_ALIVE_MS, close }, env, argv);
}

const EXTERNAL_TIMEOUT_MS = 5_000;

/** ENABLE_EXTERNAL_BOOK_SERVICE=true makes it v2; DO_NOT_ENCRYPT=true leaves the encryption of that call to the mesh. */
export function details(env: Env, database: Database | null = databaseOf(env)): Handler {
  const external = env['ENABLE_EXTERNAL_BOOK_SERVICE'] === 'true';
  const scheme = env['DO_NOT_ENCRYPT'] === 'true' ? 'http' : 'https';
  const call = caller(env);

  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return { ...json(405, { error: 'please GET' }), headers: { allow: 'GET, HEAD' } };
    if (request.path === '/health') return json(200, { status: 'Details is healthy' });
    const segment = /^\/details(?:\/([^/]*))?$/.exec(request.path);
    if (segment === null) return json(404, { error: 'not found' });
    const id = Number(segment[1]);
    if (!/^-?\d+$/.test(segment[1] ?? '') || !Number.isSafeInteger(id))
      return json(400, { error: 'please provide numeric product id' });
    if (!external) return database === null ? json(200, { id, ...KNOWN }) : await detailsFrom(database, id);
    try {
      return json(200, { id, ...(await fromGoogle(call, scheme, verbatim(request.headers))) });
    } catch (error) {
      const why = error instanceof Error ? error.message : 'unknown';
      return json(400, { error: `could not get the book from www.googleapis.com: ${why}` });
    }
  };
}

const KNOWN = {
  author: 'William Shakespeare',
  year: 1595,
  type: 'paperback',
  pages: 200,
  publisher: 'PublisherA',
  language: 'English',
  'ISBN-10': '1234567890',
  'ISBN-13': '123-1234567890',
};

/** What is read of a volume: https://developers.google.com/books/docs/v1/reference/volumes */
type Volume = {
  readonly authors?: readonly string[];
  readonly publishedDate?: string;
  readonly printType?: string;
  readonly pageCount?: number;
  readonly publisher?: string;
  readonly language?: string;
  readonly industryIdentifiers?: readonly { readonly type: string; readonly identifier: string }[];
};

async function fromGoogle(call: Caller, scheme: string, headers: Record<string, string>): Promise<object> {
  const url = `${scheme}://www.googleapis.com/books/v1/volumes?q=isbn:0486424618`;
  const answer = await call({ url, headers, timeoutMs: EXTERNAL_TIMEOUT_MS });
  if (answer.status !== 200) throw new Error(`it answered ${answer.status}`);
  const book = (JSON.parse(answer.body) as { items?: { volumeInfo?: Volume }[] }).items?.[0]?.volumeInfo;
  if (book === undefined) throw new Error('it knows no such book');
  const isbn = (type: string): string | undefined =>
    book.industryIdentifiers?.find((known) => known.type === type)?.identifier;
  return {
    author: book.authors?.[0],
    year: book.publishedDate,
    type: book.printType === 'BOOK' ? 'paperback' : 'unknown',
    pages: book.pageCount,
    publisher: book.publisher,
    language: book.language === 'en' ? 'English' : 'unknown',
    'ISBN-10': isbn('ISBN_10'),
    'ISBN-13': isbn('ISBN_13'),
  };
}

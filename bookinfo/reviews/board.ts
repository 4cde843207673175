/** Reviews kept in MySQL: the first five are read, one is added, all are deleted. Nothing that people write becomes SQL. */
import type { Database, Failure } from '../mysql/database.ts';
import type { Review } from './form.ts';

const BOOK = 1;
const SELECT = 'SELECT Reviewer, Review FROM reviews WHERE BookID = ? ORDER BY ReviewID LIMIT 5';
const INSERT = 'INSERT INTO reviews (BookID, Reviewer, Review, Rating) VALUES (?, ?, ?, ?)';
const DELETE = 'DELETE FROM reviews WHERE BookID = ?';

export type Shown = { readonly reviewer: string; readonly text: string };

/** The server's numbers for a value that a column cannot take: too long, or characters its character set lacks (latin1 and an emoji). */
const BAD_VALUE: ReadonlySet<number | null> = new Set([1366, 1406]);

export async function shown(database: Database): Promise<readonly Shown[] | Failure> {
  const result = await database.read(SELECT, [BOOK]);
  if (!result.ok) return result;
  return result.rows.map(({ Reviewer, Review }) => ({ reviewer: text(Reviewer), text: text(Review) }));
}

/** `refused`: this database cannot keep these words. */
export async function add(
  database: Database,
  { reviewer, rating, review }: Review,
): Promise<'added' | 'refused' | Failure> {
  const result = await database.write(INSERT, [BOOK, reviewer, review, rating]);
  if (result.ok) return 'added';
  return BAD_VALUE.has(result.errno) ? 'refused' : result;
}

export async function deleteAll(database: Database): Promise<'deleted' | Failure> {
  const result = await database.write(DELETE, [BOOK]);
  return result.ok ? 'deleted' : result;
}

const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');

/** Errors as MySQL numbers them (dev.mysql.com, Server Error Message Reference), and SQLite's in those words. */

export class SqlError extends Error {
  readonly errno: number;
  readonly state: string;

  constructor(errno: number, state: string, message: string) {
    super(message);
    this.errno = errno;
    this.state = state;
  }
}

export const syntaxError = (near: string): SqlError =>
  new SqlError(
    1064,
    '42000',
    `You have an error in your SQL syntax, or it is more than this server knows, near '${near.slice(0, 80)}'`,
  );

const KNOWN: readonly (readonly [pattern: RegExp, errno: number, state: string])[] = [
  [/UNIQUE constraint/, 1062, '23000'],
  [/NOT NULL constraint/, 1048, '23000'],
  [/CHECK constraint/, 1406, '22001'],
  [/no such table/, 1146, '42S02'],
  [/no such column|has no column/, 1054, '42S22'],
  [/already exists/, 1050, '42S01'],
  [/datatype mismatch/, 1366, 'HY000'],
  [/ambiguous column/, 1052, '23000'],
  [/no such function/, 1305, '42000'],
  [/syntax error|incomplete input|near "|unrecognized token/, 1064, '42000'],
];

export function fromSqlite(error: unknown): SqlError {
  if (error instanceof SqlError) return error;
  const message = error instanceof Error ? error.message : 'unknown';
  const [, errno, state] = KNOWN.find(([pattern]) => pattern.test(message)) ?? [null, 1105, 'HY000'];
  return new SqlError(errno, state, message);
}

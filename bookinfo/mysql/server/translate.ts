/** What a statement of MySQL means here: SQLite's SQL, or something that this server does itself. Only what is named here is let through. */
import { createTable } from './create-table.ts';
import { syntaxError } from './sql-error.ts';
import { TokenReader } from './token-reader.ts';
import { identifier, tokensOf, type Token } from './tokens.ts';

export type Plan =
  /** `database` null: the session's own. */
  | { readonly kind: 'sql'; readonly database: string | null; readonly sql: string; readonly params: number }
  | { readonly kind: 'create-table'; readonly database: string | null; readonly statements: readonly string[] }
  | { readonly kind: 'create-database' | 'drop-database'; readonly name: string; readonly cautious: boolean }
  | { readonly kind: 'use'; readonly name: string }
  | { readonly kind: 'show-databases' | 'show-variables' | 'show-nothing'; readonly like: string | null }
  | { readonly kind: 'show-tables'; readonly database: string | null; readonly like: string | null }
  | { readonly kind: 'show-columns'; readonly database: string | null; readonly table: string }
  /** Accepted, and means nothing here: SET, transactions (every statement stands by itself), locks. */
  | { readonly kind: 'nothing' };

/** Throws a SqlError on what this server does not know, and on a second statement. */
export function translate(sql: string): Plan {
  const tokens = tokensOf(sql);
  while (tokens.at(-1)?.value === ';' && tokens.at(-1)?.kind === 'symbol') tokens.pop();
  const extra = tokens.find(({ kind, value }) => kind === 'symbol' && value === ';');
  // A comment alone, as mysqldump sends them.
  if (tokens.length === 0 && sql.trim() !== '') return { kind: 'nothing' };
  if (tokens.length === 0 || extra !== undefined) throw syntaxError(sql);
  const read = new TokenReader(tokens);
  const first = tokens[0]!.kind === 'word' ? tokens[0]!.value : tokens[0]!.value === '(' ? 'SELECT' : '';
  switch (first) {
    case 'SELECT':
    case 'INSERT':
    case 'REPLACE':
    case 'UPDATE':
    case 'DELETE':
    case 'TRUNCATE':
      return plain(read);
    case 'CREATE':
    case 'DROP':
      return definition(read);
    case 'USE': {
      read.at = 1;
      return { kind: 'use', name: read.name() };
    }
    case 'SHOW':
      return show(read);
    case 'DESC':
    case 'DESCRIBE':
      read.at = 1;
      return { kind: 'show-columns', ...read.place() };
    case 'SET':
    case 'BEGIN':
    case 'START':
    case 'COMMIT':
    case 'ROLLBACK':
    case 'LOCK':
    case 'UNLOCK':
      return { kind: 'nothing' };
    default:
      throw syntaxError(sql);
  }
}

function definition(read: TokenReader): Plan {
  const drop = read.takes('DROP');
  if (!drop) read.expect('CREATE');
  const data = read.takes('DATABASE') || read.takes('SCHEMA');
  if (!data && !drop) {
    read.expect('TABLE');
    return { kind: 'create-table', ...createTable(read) };
  }
  if (!data) read.expect('TABLE');
  const cautious = drop ? read.takes('IF', 'EXISTS') : read.takes('IF', 'NOT', 'EXISTS');
  if (data) return { kind: drop ? 'drop-database' : 'create-database', name: read.name(), cautious };
  const { database, table } = read.place();
  read.end();
  return { kind: 'sql', database, sql: `DROP TABLE ${cautious ? 'IF EXISTS ' : ''}${identifier(table)}`, params: 0 };
}

function show(read: TokenReader): Plan {
  read.expect('SHOW');
  if (!read.takes('FULL') && !read.takes('GLOBAL')) read.takes('SESSION');
  if (read.takes('DATABASES') || read.takes('SCHEMAS')) return { kind: 'show-databases', like: like(read) };
  if (read.takes('VARIABLES')) return { kind: 'show-variables', like: like(read) };
  if (['WARNINGS', 'ERRORS', 'STATUS'].some((word) => read.takes(word))) return { kind: 'show-nothing', like: null };
  if (read.takes('TABLES')) return { kind: 'show-tables', database: from(read), like: like(read) };
  if (!read.takes('COLUMNS') && !read.takes('FIELDS')) throw read.unexpected();
  if (!read.takes('FROM')) read.expect('IN');
  const { database, table } = read.place();
  return { kind: 'show-columns', database: database ?? from(read), table };
}

const from = (read: TokenReader): string | null => (read.takes('FROM') || read.takes('IN') ? read.name() : null);

function like(read: TokenReader): string | null {
  if (!read.takes('LIKE')) return null;
  const pattern = read.peek();
  if (pattern?.kind !== 'string') throw read.unexpected();
  read.at++;
  return pattern.value;
}

/** Words of SQLite that MySQL 5.7 has not, or that reach beyond a table: memory, files, the server's own tables. */
const BANNED =
  /^(?:WITH|RECURSIVE|ZEROBLOB|RANDOMBLOB|PRINTF|FORMAT|LOAD_EXTENSION|READFILE|WRITEFILE|OUTFILE|DUMPFILE|GENERATE_SERIES|SQLITE_.*|PRAGMA_.*|FTS\d.*)$/i;
/** A table's name stands behind these. */
const BEFORE_TABLE = new Set(['FROM', 'JOIN', 'INTO', 'UPDATE', 'TABLE', 'DELETE', 'INSERT', 'REPLACE']);

function plain(read: TokenReader): Plan {
  const out: string[] = [];
  const databases = new Set<string>();
  let params = 0;
  if (read.takes('TRUNCATE')) {
    read.takes('TABLE');
    out.push('DELETE FROM ');
    out.push(tableAt(read, databases));
  }
  if (read.takes('INSERT', 'IGNORE')) out.push('INSERT OR IGNORE ');
  while (!read.ended) {
    const token = read.peek()!;
    if (skipped(read)) continue;
    if ((token.kind === 'word' || token.kind === 'name') && BANNED.test(token.value)) throw syntaxError(token.text);
    // `database.table.column`: the first of three names.
    if (isName(token) && read.peek(1)?.value === '.' && isName(read.peek(2)) && read.peek(3)?.value === '.') {
      databases.add(nameOf(token));
      read.at += 2;
      continue;
    }
    read.at++;
    // A spelling of SQLite's may be a word where MySQL's was a sign.
    const apart = token.kind === 'symbol' && token.text !== token.value;
    out.push(apart ? ` ${token.text} ` : token.spaced === true ? ` ${token.text}` : token.text);
    if (token.kind === 'param') params++;
    if (token.kind === 'word' && BEFORE_TABLE.has(token.value) && isName(read.peek()) && read.peek(1)?.value === '.')
      out.push(` ${tableAt(read, databases)} `);
  }
  if (databases.size > 1) throw syntaxError('tables of two databases in one statement');
  return { kind: 'sql', database: [...databases][0] ?? null, sql: out.join('').trim(), params };
}

function tableAt(read: TokenReader, databases: Set<string>): string {
  const { database, table } = read.place();
  if (BANNED.test(table)) throw syntaxError(table);
  if (database !== null) databases.add(database);
  return identifier(table);
}

/** What MySQL says and SQLite neither knows nor needs. */
function skipped(read: TokenReader): boolean {
  if (read.takes('FROM', 'DUAL') || read.takes('FOR', 'UPDATE') || read.takes('LOCK', 'IN', 'SHARE', 'MODE'))
    return true;
  const token = read.peek()!;
  if (token.kind === 'word' && token.value === 'COLLATE') {
    read.at += 2;
    return true;
  }
  // A string's introducer: _utf8mb4'…'
  if (token.kind !== 'word' || !/^_(?:UTF8|UTF8MB3|UTF8MB4|LATIN1|BINARY|ASCII)$/.test(token.value)) return false;
  if (read.peek(1)?.kind !== 'string') return false;
  read.at++;
  return true;
}

const isName = (token: Token | undefined): token is Token => token?.kind === 'name' || token?.kind === 'word';
const nameOf = (token: Token): string => (token.kind === 'name' ? token.value : token.text);

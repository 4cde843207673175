/** MySQL's `CREATE TABLE` in SQLite's words: types and lengths, keys, AUTO_INCREMENT and where it begins. */
import { syntaxError } from './sql-error.ts';
import { TokenReader } from './token-reader.ts';
import { identifier, quoted, type Token } from './tokens.ts';

export type NewTable = { readonly database: string | null; readonly statements: readonly string[] };

type Parts = { columns: string[]; keys: string[]; counted: string | null };

/** `read` stands behind CREATE TABLE. Foreign keys, plain indexes, engines and character sets are dropped. */
export function createTable(read: TokenReader): NewTable {
  const cautious = read.takes('IF', 'NOT', 'EXISTS');
  const { database, table } = read.place();
  const parts: Parts = { columns: [], keys: [], counted: null };
  for (const definition of split(read.brackets())) define(new TokenReader(definition), parts);
  const first = firstId(read);
  // A counted column is SQLite's primary key already.
  const keys = parts.counted === null ? parts.keys : parts.keys.filter((key) => !key.startsWith('PRIMARY'));
  const body = [...parts.columns, ...keys].join(', ');
  const statements = [`CREATE TABLE ${cautious ? 'IF NOT EXISTS ' : ''}${identifier(table)} (${body})`];
  if (first !== null && parts.counted !== null) {
    const missing = `NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ${quoted(table)})`;
    statements.push(`INSERT INTO sqlite_sequence (name, seq) SELECT ${quoted(table)}, ${first - 1} WHERE ${missing}`);
  }
  return { database, statements };
}

function define(read: TokenReader, parts: Parts): void {
  if (read.takes('CONSTRAINT') && read.peek()?.value !== 'PRIMARY' && read.peek()?.value !== 'UNIQUE') read.name();
  if (read.takes('PRIMARY', 'KEY')) return void parts.keys.push(`PRIMARY KEY (${namesIn(read)})`);
  if (read.takes('UNIQUE')) {
    if (!read.takes('KEY')) read.takes('INDEX');
    if (read.peek()?.value !== '(') read.name();
    return void parts.keys.push(`UNIQUE (${namesIn(read)})`);
  }
  if (['KEY', 'INDEX', 'FULLTEXT', 'FOREIGN', 'CHECK'].some((word) => read.takes(word))) return;
  column(read, parts);
}

function column(read: TokenReader, parts: Parts): void {
  const name = identifier(read.name());
  const type = read.name();
  if (!/^\w+$/.test(type)) throw syntaxError(type);
  const size = read.peek()?.value === '(' ? read.brackets() : [];
  if (size.some(({ kind, value }) => kind !== 'number' && value !== ',')) throw syntaxError(type);
  const words: string[] = [];
  let counted = false;
  while (!read.ended) {
    if (read.takes('NOT', 'NULL')) words.push('NOT NULL');
    else if (read.takes('AUTO_INCREMENT')) counted = true;
    else if (read.takes('PRIMARY', 'KEY')) parts.keys.push(`PRIMARY KEY (${name})`);
    else if (read.takes('UNIQUE')) words.push('UNIQUE');
    else if (read.takes('DEFAULT')) words.push(`DEFAULT ${literal(read)}`);
    else if (read.takes('COMMENT') || read.takes('COLLATE') || read.takes('CHARSET') || read.takes('CHARACTER', 'SET'))
      read.at++;
    else if (!['NULL', 'UNSIGNED', 'SIGNED', 'ZEROFILL', 'KEY'].some((word) => read.takes(word)))
      throw read.unexpected();
  }
  if (counted) {
    if (parts.counted !== null) throw syntaxError('a second AUTO_INCREMENT');
    parts.counted = name;
    return void parts.columns.push(`${name} INTEGER PRIMARY KEY AUTOINCREMENT`);
  }
  const length = /CHAR$/i.test(type) ? size[0]?.text : undefined;
  // MySQL compares text without regard to case, and refuses what is longer than its column.
  if (/CHAR$|TEXT$/i.test(type)) words.push('COLLATE NOCASE');
  if (length !== undefined) words.push(`CHECK (length(${name}) <= ${length})`);
  parts.columns.push(
    [name, size.length === 0 ? type : `${type}(${size.map(({ text }) => text).join('')})`, ...words].join(' '),
  );
}

function literal(read: TokenReader): string {
  const token = read.peek();
  read.at++;
  if (token?.kind === 'string' || token?.kind === 'number') return token.text;
  if (token?.kind === 'word' && ['NULL', 'TRUE', 'FALSE', 'CURRENT_TIMESTAMP'].includes(token.value))
    return token.value;
  throw syntaxError('DEFAULT');
}

const namesIn = (read: TokenReader): string =>
  split(read.brackets())
    .map((column) => identifier(new TokenReader(column).name()))
    .join(', ');

/** At the commas that stand in no brackets. */
function split(tokens: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (token.kind === 'symbol' && token.value === '(') depth++;
    if (token.kind === 'symbol' && token.value === ')') depth--;
    if (depth === 0 && token.kind === 'symbol' && token.value === ',') parts.push([]);
    else parts.at(-1)!.push(token);
  }
  return parts;
}

/** `AUTO_INCREMENT=43` among the table's options; null without. */
function firstId(read: TokenReader): number | null {
  for (; !read.ended; read.at++) {
    if (read.peek()?.value !== 'AUTO_INCREMENT') continue;
    const number = read.tokens.slice(read.at).find(({ kind }) => kind === 'number');
    return number === undefined ? null : Math.min(Number(number.value), 2 ** 48);
  }
  return null;
}

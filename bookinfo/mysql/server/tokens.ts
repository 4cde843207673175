/** MySQL's SQL as tokens (dev.mysql.com, Language Structure), and back as SQLite's. */
import { syntaxError } from './sql-error.ts';

/** `text` is SQLite's spelling; `value` the name of an identifier, or a word in capitals, or the content of a string. */
export type Token = {
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'param' | 'variable' | 'symbol';
  readonly text: string;
  readonly value: string;
  /** White space or a comment stands before it: MySQL names a column `COUNT(*)` as it was written. */
  readonly spaced?: boolean;
};

const SPACE = /(?:\s+|#[^\n]*|--(?=\s|$)[^\n]*|\/\*[^]*?\*\/)+/y;
const WORD = /[\p{L}_$][\p{L}\p{N}_$]*/uy;
const HEX = /0x([\da-f]+)\b/iy;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?/iy;
const VARIABLE = /@@(?:(?:session|global|local)\.)?(\w+)/iy;
const SYMBOL = /<=>|\|\||&&|<=|>=|<>|!=|<<|>>|[-+*/%(),.;=<>!~&|^]/y;
const SPELLED: Readonly<Record<string, string>> = { '||': 'OR', '&&': 'AND', '<=>': 'IS', '!': 'NOT' };
/** Longest statement in tokens: what a translation costs is bounded by it. */
const MAX_TOKENS = 100_000;

/** Throws a SqlError on what is no token of MySQL. Comments are gone, also those that MySQL would run. */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; ;) {
    const space = match(SPACE, sql, at)?.[0].length ?? 0;
    at += space;
    if (at >= sql.length) return tokens;
    const [token, length] = tokenAt(sql, at);
    at += length;
    if (tokens.push({ ...token, spaced: space > 0 }) > MAX_TOKENS) throw syntaxError('a statement that is too long');
  }
}

function tokenAt(sql: string, at: number): readonly [Token, number] {
  const first = sql[at]!;
  if (first === "'" || first === '"') return string(sql, at, first);
  if (first === '`') return name(sql, at);
  if (first === '?') return [{ kind: 'param', text: '?', value: '?' }, 1];
  const word = match(WORD, sql, at)?.[0];
  if (word !== undefined) return [{ kind: 'word', text: word, value: word.toUpperCase() }, word.length];
  const hex = match(HEX, sql, at);
  if (hex !== null)
    return [
      { kind: 'number', text: `X'${hex[1]!.padStart(hex[1]!.length + (hex[1]!.length % 2), '0')}'`, value: hex[0] },
      hex[0].length,
    ];
  const number = match(NUMBER, sql, at)?.[0];
  if (number !== undefined) return [{ kind: 'number', text: number, value: number }, number.length];
  const variable = match(VARIABLE, sql, at);
  if (variable !== null) {
    const value = variable[1]!.toLowerCase();
    return [{ kind: 'variable', text: `mysql_variable('${value}')`, value }, variable[0].length];
  }
  const symbol = match(SYMBOL, sql, at)?.[0];
  if (symbol === undefined) throw syntaxError(sql.slice(at));
  return [{ kind: 'symbol', text: SPELLED[symbol] ?? symbol, value: symbol }, symbol.length];
}

const ESCAPES: Readonly<Record<string, string>> = { 0: '\0', b: '\b', n: '\n', r: '\r', t: '\t', Z: '\x1a' };

function string(sql: string, at: number, quote: string): readonly [Token, number] {
  let value = '';
  for (let i = at + 1; i < sql.length; i++) {
    const c = sql[i]!;
    if (c === '\\' && i + 1 < sql.length) {
      const next = sql[++i]!;
      // Before a wildcard of LIKE the backslash stays.
      value += ESCAPES[next] ?? (next === '%' || next === '_' ? `\\${next}` : next);
    } else if (c !== quote) value += c;
    else if (sql[i + 1] === quote) value += sql[++i]!;
    else return [{ kind: 'string', text: quoted(value), value }, i + 1 - at];
  }
  throw syntaxError(sql.slice(at));
}

/** A literal of SQLite, whose text would end at a NUL. */
export const quoted = (value: string): string =>
  value.includes('\0') ? `CAST(X'${Buffer.from(value).toString('hex')}' AS TEXT)` : `'${value.replaceAll("'", "''")}'`;

export const identifier = (value: string): string => `"${value.replaceAll('"', '""')}"`;

function name(sql: string, at: number): readonly [Token, number] {
  const end = /`((?:[^`\0]|``)+)`/y;
  const found = match(end, sql, at);
  if (found === null) throw syntaxError(sql.slice(at));
  const value = found[1]!.replaceAll('``', '`');
  return [{ kind: 'name', text: identifier(value), value }, found[0].length];
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

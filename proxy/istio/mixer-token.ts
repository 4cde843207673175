/** The words of a Mixer expression: names, literals, signs, each with its place. */

export type Token =
  | { readonly kind: 'name' | 'number' | 'sign' | 'end'; readonly text: string; readonly at: number }
  | { readonly kind: 'string'; readonly text: string; readonly value: string; readonly at: number };

const WORD = /[A-Za-z_]\w*/y;
const NUMBER = /-?\d+(?:\.\d+)?/y;
/** Interpreted strings as Go and JSON write them; raw strings between backquotes. */
const STRING = /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y;
const SIGNS = ['==', '!=', '&&', '||', '|', '+', '!', '(', ')', '[', ']', '.', ','];
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '"': '"', '\\': '\\', "'": "'" };

/** The words of `text`, with an `end` behind the last one; or where it cannot be read. */
export function tokenize(text: string): readonly Token[] | { readonly at: number; readonly message: string } {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at]!)) {
      at++;
      continue;
    }
    const token = read(text, at);
    if (token === null) return { at, message: complaint(text, at) };
    tokens.push(token);
    at += token.text.length;
  }
  tokens.push({ kind: 'end', text: '', at });
  return tokens;
}

function read(text: string, at: number): Token | null {
  const word = sticky(WORD, text, at);
  if (word !== null) return { kind: 'name', text: word, at };
  const number = sticky(NUMBER, text, at);
  if (number !== null) return { kind: 'number', text: number, at };
  const quoted = sticky(STRING, text, at);
  if (quoted !== null) {
    const value = unquote(quoted);
    return value === null ? null : { kind: 'string', text: quoted, value, at };
  }
  const sign = SIGNS.find((s) => text.startsWith(s, at));
  return sign === undefined ? null : { kind: 'sign', text: sign, at };
}

function sticky(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}

function unquote(quoted: string): string | null {
  const inner = quoted.slice(1, -1);
  if (quoted.startsWith('`')) return inner;
  let known = true;
  const value = inner.replaceAll(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/g, (_, escape: string) => {
    if (escape.length > 1) return String.fromCodePoint(Number.parseInt(escape.slice(1), 16));
    if (!Object.hasOwn(ESCAPES, escape)) known = false;
    return ESCAPES[escape] ?? '';
  });
  return known ? value : null;
}

function complaint(text: string, at: number): string {
  const c = text[at]!;
  if (c === '"' || c === '`') return 'expected a string with a closing quote and known escapes';
  if (c === "'") return 'expected double quotes around strings';
  if (c === '=') return 'expected "==" to compare';
  if (c === '&') return 'expected "&&"';
  return `expected an expression, got ${JSON.stringify(c)}`;
}

/** Mixer's attribute expressions (`source.labels["version"] == "v3" && ...`): text → tree, or where and why not. */
import { tokenize, type Token } from './mixer-token.ts';

export type Expression =
  | { readonly kind: 'string'; readonly value: string; readonly at: number }
  | { readonly kind: 'number'; readonly value: number; readonly at: number }
  | { readonly kind: 'bool'; readonly value: boolean; readonly at: number }
  /** `source.labels`, `request.path`: the dotted name of an attribute. */
  | { readonly kind: 'attribute'; readonly name: string; readonly at: number }
  /** `source.labels["app"]` */
  | { readonly kind: 'index'; readonly of: Expression; readonly key: string; readonly at: number }
  | { readonly kind: 'not'; readonly of: Expression; readonly at: number }
  | { readonly kind: Binary; readonly left: Expression; readonly right: Expression; readonly at: number }
  /** `match(a, "x*")`, or with a receiver `a.startsWith("x")`. */
  | {
      readonly kind: 'call';
      readonly name: string;
      readonly receiver: Expression | null;
      readonly args: readonly Expression[];
      readonly at: number;
    };

/** `else` is `|`, "the first of them that is there"; `add` joins texts. */
export type Binary = 'or' | 'and' | 'eq' | 'ne' | 'else' | 'add';

/** `at` counts characters from 0. */
export type ExpressionError = { readonly at: number; readonly message: string };
export type Parsed = { readonly ok: true; readonly value: Expression } | ({ readonly ok: false } & ExpressionError);

/** Longer ones are refused: a match is a line or two. */
export const MAX_EXPRESSION = 8192;
/** Parentheses, negations and the like inside each other. */
const MAX_DEPTH = 64;

/** Binding strength as in Go, whose grammar Mixer used: `a | b == c` is `(a | b) == c`. */
const OPERATORS: Readonly<Record<string, { readonly strength: number; readonly kind: Binary }>> = {
  '||': { strength: 1, kind: 'or' },
  '&&': { strength: 2, kind: 'and' },
  '==': { strength: 3, kind: 'eq' },
  '!=': { strength: 3, kind: 'ne' },
  '|': { strength: 4, kind: 'else' },
  '+': { strength: 4, kind: 'add' },
};

export function parseExpression(text: string): Parsed {
  if (text.length > MAX_EXPRESSION) {
    return {
      ok: false,
      at: MAX_EXPRESSION,
      message: `expected at most ${MAX_EXPRESSION} characters, got ${text.length}`,
    };
  }
  const tokens = tokenize(text);
  if (!Array.isArray(tokens)) return { ok: false, ...(tokens as ExpressionError) };
  try {
    const cursor = new Cursor(tokens as readonly Token[]);
    const value = binary(cursor, 1, 0);
    if (cursor.token.kind !== 'end') throw unexpected(cursor.token, 'an operator or the end');
    return { ok: true, value };
  } catch (e) {
    if (e instanceof Refusal) return { ok: false, at: e.at, message: e.message };
    throw e;
  }
}

class Refusal extends Error {
  readonly at: number;
  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

class Cursor {
  readonly #tokens: readonly Token[];
  #i = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get token(): Token {
    return this.#tokens[this.#i]!;
  }

  next(): Token {
    const token = this.token;
    if (token.kind !== 'end') this.#i++;
    return token;
  }

  /** Takes the token when it is this sign. */
  take(sign: string): boolean {
    if (this.token.kind !== 'sign' || this.token.text !== sign) return false;
    this.#i++;
    return true;
  }

  expect(sign: string): void {
    if (!this.take(sign)) throw unexpected(this.token, `"${sign}"`);
  }
}

function unexpected(token: Token, expected: string): Refusal {
  const got = token.kind === 'end' ? 'the end' : `"${token.text}"`;
  return new Refusal(token.at, `expected ${expected}, got ${got}`);
}

function binary(c: Cursor, strength: number, depth: number): Expression {
  if (depth > MAX_DEPTH) throw new Refusal(c.token.at, `expected at most ${MAX_DEPTH} levels of nesting`);
  let left = unary(c, depth);
  for (;;) {
    const { token } = c;
    const operator = token.kind === 'sign' ? OPERATORS[token.text] : undefined;
    if (operator === undefined || operator.strength < strength) return left;
    c.next();
    left = { kind: operator.kind, left, right: binary(c, operator.strength + 1, depth + 1), at: token.at };
  }
}

function unary(c: Cursor, depth: number): Expression {
  if (depth > MAX_DEPTH) throw new Refusal(c.token.at, `expected at most ${MAX_DEPTH} levels of nesting`);
  const { at } = c.token;
  if (c.take('!')) return { kind: 'not', of: unary(c, depth + 1), at };
  return postfix(c, primary(c, depth), depth);
}

function primary(c: Cursor, depth: number): Expression {
  const token = c.next();
  switch (token.kind) {
    case 'string':
      return { kind: 'string', value: token.value, at: token.at };
    case 'number':
      return { kind: 'number', value: Number(token.text), at: token.at };
    case 'name':
      if (token.text === 'true' || token.text === 'false') {
        return { kind: 'bool', value: token.text === 'true', at: token.at };
      }
      if (c.take('(')) return { kind: 'call', name: token.text, receiver: null, args: args(c, depth), at: token.at };
      return { kind: 'attribute', name: token.text, at: token.at };
    case 'sign':
      if (token.text === '(') {
        const inner = binary(c, 1, depth + 1);
        c.expect(')');
        return inner;
      }
      throw unexpected(token, 'an attribute, a literal or "("');
    case 'end':
      throw unexpected(token, 'an attribute, a literal or "("');
  }
}

function postfix(c: Cursor, start: Expression, depth: number): Expression {
  let of = start;
  for (let n = 0; n <= MAX_DEPTH; n++) {
    const { at } = c.token;
    if (c.take('[')) {
      const key = c.next();
      if (key.kind !== 'string') throw unexpected(key, 'a key in quotes such as ["app"]');
      c.expect(']');
      of = { kind: 'index', of, key: key.value, at };
    } else if (c.take('.')) {
      const name = c.next();
      if (name.kind !== 'name') throw unexpected(name, 'a name');
      if (c.take('(')) of = { kind: 'call', name: name.text, receiver: of, args: args(c, depth), at: name.at };
      else if (of.kind === 'attribute') of = { kind: 'attribute', name: `${of.name}.${name.text}`, at: of.at };
      else throw unexpected(c.token, `"(" after .${name.text}`);
    } else return of;
  }
  throw new Refusal(c.token.at, `expected at most ${MAX_DEPTH} accesses in a row`);
}

function args(c: Cursor, depth: number): readonly Expression[] {
  const list: Expression[] = [];
  if (c.take(')')) return list;
  do list.push(binary(c, 1, depth + 1));
  while (c.take(','));
  c.expect(')');
  return list;
}

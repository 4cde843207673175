/** Types of Mixer's expressions, as Istio 1.0 checked them: what an expression yields, or where it is wrong and why. */
import { parseDuration } from '../core/duration.ts';
import { regexProblem } from '../core/regex.ts';
import { suggest } from '../core/suggest.ts';
import { type Expression, type ExpressionError, parseExpression } from './mixer-expression.ts';
import { VOCABULARY, type ValueType } from './mixer-vocabulary.ts';

/** Where and why an expression has no meaning. */
export class Mistyped extends Error {
  readonly at: number;
  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

export type Typed =
  | { readonly ok: true; readonly value: Expression; readonly type: ValueType }
  | ({ readonly ok: false } & ExpressionError);

/** Reads a text and tells its type. Never throws. */
export function readTyped(text: string): Typed {
  const parsed = parseExpression(text);
  if (!parsed.ok) return parsed;
  try {
    return { ok: true, value: parsed.value, type: typeOf(parsed.value) };
  } catch (e) {
    if (e instanceof Mistyped) return { ok: false, at: e.at, message: e.message };
    throw e;
  }
}

/** Throws Mistyped. */
export function typeOf(e: Expression): ValueType {
  switch (e.kind) {
    case 'string':
      return 'string';
    case 'number':
      return Number.isInteger(e.value) ? 'int' : 'double';
    case 'bool':
      return 'bool';
    case 'attribute':
      return attributeType(e.name, e.at);
    case 'index':
      wants(e.of, 'map');
      return 'string';
    case 'not':
      wants(e.of, 'bool');
      return 'bool';
    case 'and':
    case 'or':
      wants(e.left, 'bool');
      wants(e.right, 'bool');
      return 'bool';
    case 'eq':
    case 'ne':
      common(e.left, e.right);
      return 'bool';
    case 'else':
      return common(e.left, e.right);
    case 'add':
      wants(e.left, 'string');
      wants(e.right, 'string');
      return 'string';
    case 'call':
      return callType(e);
  }
}

function attributeType(name: string, at: number): ValueType {
  const type = VOCABULARY.get(name);
  if (type !== undefined) return type;
  const near = suggest(name, [...VOCABULARY.keys()]);
  throw new Mistyped(
    at,
    `expected an attribute of Istio 1.0, got "${name}"${near === null ? '' : `; did you mean ${near}`}`,
  );
}

/** A text in quotes is a duration, an address or a time where one is wanted (Mixer read `"0ms"` as a duration). */
function passesFor(e: Expression, got: ValueType, wanted: ValueType): boolean {
  if (got === wanted || (got === 'int' && wanted === 'double')) return true;
  if (e.kind !== 'string') return false;
  if (wanted === 'duration') return parseDuration(e.value) !== null;
  if (wanted === 'time') return readTime(e.value) !== null;
  return wanted === 'ip';
}

function wants(e: Expression, wanted: ValueType): void {
  const got = typeOf(e);
  if (!passesFor(e, got, wanted)) throw new Mistyped(e.at, `expected ${NAMES[wanted]}, got ${NAMES[got]}`);
}

function common(left: Expression, right: Expression): ValueType {
  const [a, b] = [typeOf(left), typeOf(right)];
  if (passesFor(right, b, a)) return a;
  if (passesFor(left, a, b)) return b;
  throw new Mistyped(right.at, `expected ${NAMES[a]} as on the left, got ${NAMES[b]}`);
}

const NAMES: Readonly<Record<ValueType, string>> = {
  string: 'a text',
  int: 'a whole number',
  double: 'a number',
  bool: 'a condition',
  duration: 'a duration',
  time: 'a time',
  ip: 'an address',
  map: 'a map (an entry of it is written with ["key"])',
};

type Call = Extract<Expression, { readonly kind: 'call' }>;

/** The receiver of a method stands first. */
export const argumentsOf = (e: Call): readonly Expression[] => (e.receiver === null ? e.args : [e.receiver, ...e.args]);

function callType(e: Call): ValueType {
  const args = argumentsOf(e);
  const signature = Object.hasOwn(FUNCTIONS, e.name) ? FUNCTIONS[e.name] : undefined;
  if (signature === undefined) {
    throw new Mistyped(e.at, `expected a function such as ${Object.keys(FUNCTIONS).join(', ')}, got ${e.name}()`);
  }
  if (args.length !== signature.args.length) {
    throw new Mistyped(e.at, `expected ${signature.args.length} values for ${e.name}(), got ${args.length}`);
  }
  for (const [i, wanted] of signature.args.entries()) if (wanted !== 'any') wants(args[i]!, wanted);
  if (e.name === 'conditional') return common(args[1]!, args[2]!);
  checkConstant(e.name, args);
  return signature.gives;
}

type Signature = { readonly args: readonly (ValueType | 'any')[]; readonly gives: ValueType };

/** Istio 1.0: Expression Language; `toLower` and `size` came soon after. */
const FUNCTIONS: Readonly<Record<string, Signature>> = {
  match: { args: ['string', 'string'], gives: 'bool' },
  matches: { args: ['string', 'string'], gives: 'bool' },
  startsWith: { args: ['string', 'string'], gives: 'bool' },
  endsWith: { args: ['string', 'string'], gives: 'bool' },
  conditional: { args: ['bool', 'any', 'any'], gives: 'string' },
  toLower: { args: ['string'], gives: 'string' },
  size: { args: ['string'], gives: 'int' },
  email: { args: ['string'], gives: 'string' },
  dnsName: { args: ['string'], gives: 'string' },
  uri: { args: ['string'], gives: 'string' },
  ip: { args: ['string'], gives: 'ip' },
  timestamp: { args: ['string'], gives: 'time' },
  emptyStringMap: { args: [], gives: 'map' },
};

/** What has to be known before any request comes. */
function checkConstant(name: string, args: readonly Expression[]): void {
  const pattern =
    name === 'matches' ? args[0] : name === 'match' ? args[1] : name === 'timestamp' ? args[0] : undefined;
  if (pattern === undefined) return;
  if (pattern.kind !== 'string') throw new Mistyped(pattern.at, 'expected a text in quotes');
  if (name === 'matches' && regexProblem(pattern.value) !== null)
    throw new Mistyped(pattern.at, `expected a regular expression, got "${pattern.value}"`);
  if (name === 'timestamp' && readTime(pattern.value) === null)
    throw new Mistyped(pattern.at, `expected a time such as "2017-09-21T04:33:31Z", got "${pattern.value}"`);
}

/** RFC 3339 → ms since 1970; null: it is none. */
export function readTime(text: string): number | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text)) return null;
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : time;
}

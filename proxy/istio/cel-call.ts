/** CEL's operators and functions on typed values: which go together, and what they become. Throws CelRefusal. */
import { parseDuration } from '../core/duration.ts';
import { call, literal, type Expression, type Operator } from '../core/expression.ts';
import { regexProblem } from '../core/regex.ts';
import { CelRefusal, type CelType, type Typed } from './cel-type.ts';

/** Patterns are looked for anywhere in a text, for which they grow a little (core/regex.ts: 1024). */
const MAX_PATTERN = 1000;

const a = (type: CelType): string => (type === 'int' ? 'an int' : `a ${type}`);
const isNumber = ({ type }: Typed): boolean => type === 'int' || type === 'double';
const flat = (op: 'and' | 'or', { tree }: Typed): readonly Expression[] =>
  tree.kind === 'call' && tree.op === op ? tree.args : [tree];

function expect(value: Typed, type: CelType, what: string): void {
  if (value.type !== type) throw new CelRefusal(value.at, `${what}: expected ${a(type)}, got ${a(value.type)}`);
}

const COMPARISONS: Readonly<Record<string, Operator>> = {
  '==': 'eq',
  '!=': 'ne',
  '<': 'lt',
  '<=': 'le',
  '>': 'gt',
  '>=': 'ge',
};

/** `a + b` and the like. Null: there is no such operator. */
export function binaryOf(sign: string, left: Typed, right: Typed): Typed | null {
  const { at } = left;
  if (sign === '&&' || sign === '||') {
    for (const side of [left, right]) expect(side, 'bool', sign);
    const op = sign === '&&' ? 'and' : 'or';
    // A long row of conditions is one call, not a deep tree.
    return { tree: call(op, ...flat(op, left), ...flat(op, right)), type: 'bool', at };
  }
  if (Object.hasOwn(COMPARISONS, sign)) {
    expectAlike(sign, left, right);
    return { tree: call(COMPARISONS[sign]!, left.tree, right.tree), type: 'bool', at };
  }
  return arithmetic(sign, left, right);
}

/** Both of one type; any two numbers are. */
export function expectAlike(sign: string, left: Typed, right: Typed): void {
  for (const side of [left, right])
    if (side.type === 'timestamp') throw new CelRefusal(side.at, `${sign}: Lateen does not compare timestamps`);
  if (left.type === right.type || (isNumber(left) && isNumber(right))) return;
  const hint =
    left.type === 'duration' || right.type === 'duration' ? " (a duration is written duration('500ms'))" : '';
  throw new CelRefusal(right.at, `${sign}: expected ${a(left.type)} as on the left, got ${a(right.type)}${hint}`);
}

function arithmetic(sign: string, left: Typed, right: Typed): Typed | null {
  const { at } = left;
  const type: CelType = left.type === 'double' || right.type === 'double' ? 'double' : 'int';
  const numbers = isNumber(left) && isNumber(right);
  const alike = left.type === right.type;
  const fits: Readonly<Record<string, boolean>> = {
    '+': numbers || (alike && (left.type === 'string' || left.type === 'duration')),
    '-': numbers || (alike && left.type === 'duration'),
    '*': numbers,
    '/': numbers,
    '%': alike && left.type === 'int',
  };
  if (!Object.hasOwn(fits, sign)) return null;
  if (!fits[sign]!) throw new CelRefusal(at, `${sign} does not go between ${a(left.type)} and ${a(right.type)}`);
  const [x, y] = [left.tree, right.tree];
  const op = ({ '+': 'add', '-': 'sub', '*': 'mul', '/': 'div', '%': 'mod' } as const)[
    sign as '+' | '-' | '*' | '/' | '%'
  ];
  const tree = call(op, x, y);
  // Ints divide into ints.
  return { tree: sign === '/' && type === 'int' ? call('trunc', tree) : tree, type: numbers ? type : left.type, at };
}

export function unaryOf(sign: '!' | '-', of: Typed, at: number): Typed {
  if (sign === '!') {
    expect(of, 'bool', '!');
    return { tree: call('not', of.tree), type: 'bool', at };
  }
  if (!isNumber(of) && of.type !== 'duration') throw new CelRefusal(of.at, `-: expected a number, got ${a(of.type)}`);
  if (of.tree.kind === 'value' && typeof of.tree.value === 'number')
    return { ...of, tree: literal(-of.tree.value), at };
  return { tree: call('neg', of.tree), type: of.type, at };
}

export function conditionalOf(condition: Typed, then: Typed, otherwise: Typed, at: number): Typed {
  expect(condition, 'bool', '?:');
  expectAlike('?:', then, otherwise);
  return { tree: call('if', condition.tree, then.tree, otherwise.tree), type: then.type, at };
}

const TESTS: Readonly<Record<string, Operator>> = {
  startsWith: 'starts-with',
  endsWith: 'ends-with',
  contains: 'contains',
  matches: 'matches',
};
const FUNCTIONS = 'has, size, string, int, double, duration, startsWith, endsWith, contains, matches, lowerAscii';

/** `f(a, b)`, and `a.f(b)` as `f(a, b)`, but for `has`. */
export function callOf(name: string, args: readonly Typed[], at: number): Typed {
  const [first, second] = args;
  const need = (n: number): void => {
    if (args.length !== n)
      throw new CelRefusal(at, `${name}: expected ${n} argument${n === 1 ? '' : 's'}, got ${args.length}`);
  };
  if (Object.hasOwn(TESTS, name)) {
    need(2);
    for (const arg of [first!, second!]) expect(arg, 'string', name);
    if (name === 'matches') checkPattern(second!);
    return { tree: call(TESTS[name]!, first!.tree, second!.tree), type: 'bool', at };
  }
  switch (name) {
    case 'size':
    case 'lowerAscii':
      need(1);
      expect(first!, 'string', name);
      return name === 'size'
        ? { tree: call('size', first!.tree), type: 'int', at }
        : { tree: call('lower', first!.tree), type: 'string', at };
    case 'string':
      need(1);
      return { tree: textOf(first!), type: 'string', at };
    case 'int':
    case 'double':
      need(1);
      return { tree: numberOf(name, first!), type: name, at };
    case 'duration':
      need(1);
      return { tree: literal(durationOf(first!)), type: 'duration', at };
    case 'timestamp':
      throw new CelRefusal(at, 'timestamp: Lateen does not compare timestamps');
    default:
      throw new CelRefusal(at, `unknown function \`${name.slice(0, 80)}\`; there are ${FUNCTIONS}`);
  }
}

/** As text. A duration is one in Go's form (`6.848ms`). */
export function textOf({ tree, type, at }: Typed): Expression {
  if (type === 'timestamp') throw new CelRefusal(at, 'Lateen does not show timestamps as text');
  if (type === 'string') return tree;
  return call(type === 'duration' ? 'duration-text' : 'string', tree);
}

function numberOf(name: 'int' | 'double', { tree, type, at }: Typed): Expression {
  if (type !== 'string' && type !== 'int' && type !== 'double')
    throw new CelRefusal(at, `${name}: expected a string or a number, got ${a(type)}`);
  if (type === 'int') return tree;
  const number = type === 'string' ? call('number', tree) : tree;
  return name === 'int' ? call('trunc', number) : number;
}

function durationOf({ tree, at }: Typed): number {
  const text = tree.kind === 'value' && typeof tree.value === 'string' ? tree.value : null;
  if (text === null) throw new CelRefusal(at, 'duration: expected a text in quotes such as "500ms"');
  const sign = text.startsWith('-') ? -1 : 1;
  const ms = parseDuration(sign < 0 ? text.slice(1) : text);
  if (ms === null)
    throw new CelRefusal(
      at,
      `duration: expected one such as "500ms" or "1.5s", got ${JSON.stringify(text.slice(0, 80))}`,
    );
  return sign * ms;
}

function checkPattern({ tree, at }: Typed): void {
  if (tree.kind !== 'value' || typeof tree.value !== 'string')
    throw new CelRefusal(at, 'matches: expected a pattern in quotes');
  if (tree.value.length > MAX_PATTERN)
    throw new CelRefusal(
      at,
      `matches: expected a pattern of at most ${MAX_PATTERN} characters, got ${tree.value.length}`,
    );
  const problem = regexProblem(tree.value);
  if (problem !== null) throw new CelRefusal(at, `matches: expected a pattern in RE2 syntax (${problem})`);
}

/**
 * Expressions, linked: a tree becomes one function of the exchange, once per snapshot. Total: it never throws, and its work is bounded by
 * the size of the tree and of the texts it reads. What is built on a missing value is missing, too, except where the operator says otherwise.
 */
import { compileRegex } from '../core/regex.ts';
import type { Expression, Operator } from '../core/expression.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import { attributeOf, entryOf, type Evaluate, type Value } from './attribute.ts';
import { WallClock } from './wall-clock.ts';

export type { Evaluate, Value } from './attribute.ts';

/** Trees deeper than that are missing altogether. */
const MAX_DEPTH = 256;
/** Longest text that operators make; the rest is cut off. */
const MAX_TEXT = 65_536;

const missing: Evaluate = () => undefined;

/** The value of `e` for an exchange that `node` has seen to its end. What the tree names and nobody knows is missing. */
export function compileExpression(e: Expression, node: ProxyNode, clock: WallClock = new WallClock()): Evaluate {
  const of = { node, clock };
  const link = (tree: Expression, depth: number): Evaluate => {
    if (depth > MAX_DEPTH) return missing;
    switch (tree.kind) {
      case 'value': {
        const { value } = tree;
        return () => value;
      }
      case 'attribute':
        return attributeOf(tree.name, of) ?? missing;
      case 'entry':
        return entryOf(tree.of, tree.key, of) ?? missing;
      case 'call':
        return (
          OPERATORS[tree.op]?.(
            tree.args.map((arg) => link(arg, depth + 1)),
            tree.args,
          ) ?? missing
        );
    }
  };
  return link(e, 0);
}

type Link = (args: readonly Evaluate[], written: readonly Expression[]) => Evaluate;

const at = (args: readonly Evaluate[], i: number): Evaluate => args[i] ?? missing;

/** Of one value that is there. */
const unary =
  (work: (a: string | number | boolean) => Value): Link =>
  (args) => {
    const of = at(args, 0);
    return (x) => {
      const a = of(x);
      return a === undefined ? undefined : work(a);
    };
  };

/** Of two values that are there. */
const binary =
  (work: (a: string | number | boolean, b: string | number | boolean) => Value): Link =>
  (args) => {
    const [left, right] = [at(args, 0), at(args, 1)];
    return (x) => {
      const a = left(x);
      if (a === undefined) return undefined;
      const b = right(x);
      return b === undefined ? undefined : work(a, b);
    };
  };

const numbers = (work: (a: number, b: number) => number): Link =>
  binary((a, b) => (typeof a === 'number' && typeof b === 'number' ? finite(work(a, b)) : undefined));
const texts = (work: (a: string, b: string) => Value): Link =>
  binary((a, b) => (typeof a === 'string' && typeof b === 'string' ? work(a, b) : undefined));
/** Of one kind; what is of different kinds has no order. */
const ordered = (work: (a: string | number | boolean, b: string | number | boolean) => boolean): Link =>
  binary((a, b) => (typeof a === typeof b ? work(a, b) : undefined));

const finite = (n: number): number | undefined => (Number.isFinite(n) ? n : undefined);

/** CEL's: one side that decides is enough, whether the other is there or not. */
const decisive =
  (decider: boolean): Link =>
  (args) =>
  (x) => {
    let known = true;
    for (const arg of args) {
      const value = arg(x);
      if (value === decider) return decider;
      if (typeof value !== 'boolean') known = false;
    }
    return known ? !decider : undefined;
  };

const OPERATORS: Readonly<Record<Operator, Link>> = {
  and: decisive(false),
  or: decisive(true),
  not: unary((a) => (typeof a === 'boolean' ? !a : undefined)),
  eq: binary((a, b) => a === b),
  ne: binary((a, b) => a !== b),
  lt: ordered((a, b) => a < b),
  le: ordered((a, b) => a <= b),
  gt: ordered((a, b) => a > b),
  ge: ordered((a, b) => a >= b),
  add: binary((a, b) => {
    if (typeof a === 'number' && typeof b === 'number') return finite(a + b);
    return typeof a === 'string' && typeof b === 'string' ? (a + b).slice(0, MAX_TEXT) : undefined;
  }),
  sub: numbers((a, b) => a - b),
  mul: numbers((a, b) => a * b),
  div: numbers((a, b) => a / b),
  mod: numbers((a, b) => a % b),
  neg: unary((a) => (typeof a === 'number' ? -a : undefined)),
  trunc: unary((a) => (typeof a === 'number' ? Math.trunc(a) : undefined)),
  if: (args) => {
    const [condition, then, otherwise] = [at(args, 0), at(args, 1), at(args, 2)];
    return (x) => {
      const chosen = condition(x);
      return chosen === true ? then(x) : chosen === false ? otherwise(x) : undefined;
    };
  },
  else: (args) => (x) => {
    for (const arg of args) {
      const value = arg(x);
      if (value !== undefined) return value;
    }
    return undefined;
  },
  has: (args) => {
    const of = at(args, 0);
    return (x) => of(x) !== undefined;
  },
  in: ([wanted = missing, ...list]) => {
    return (x) => {
      const value = wanted(x);
      if (value === undefined) return undefined;
      // As in CEL, there is no list while one of its values is missing.
      let found = false;
      for (const other of list) {
        const item = other(x);
        if (item === undefined) return undefined;
        if (item === value) found = true;
      }
      return found;
    };
  },
  'starts-with': texts((a, b) => a.startsWith(b)),
  'ends-with': texts((a, b) => a.endsWith(b)),
  contains: texts((a, b) => a.includes(b)),
  matches: (args, [, pattern]) => {
    const regex = pattern?.kind === 'value' && typeof pattern.value === 'string' ? anywhere(pattern.value) : null;
    if (regex === null) return missing;
    return unary((a) => (typeof a === 'string' ? regex(a) : undefined))(args, []);
  },
  size: unary((a) => (typeof a === 'string' ? characters(a) : undefined)),
  lower: unary((a) => (typeof a === 'string' ? a.toLowerCase() : undefined)),
  string: unary((a) => `${a}`),
  'duration-text': unary((a) => (typeof a === 'number' ? durationText(a) : `${a}`)),
  'time-text': unary((a) => (typeof a === 'number' && Math.abs(a) <= 8.64e15 ? new Date(a).toISOString() : undefined)),
  number: unary((a) => (typeof a === 'number' ? a : typeof a === 'string' ? numberOf(a) : undefined)),
};

/** RE2's PartialMatch, which CEL's and Mixer's `matches` are: somewhere in the text. Null: not a pattern. */
function anywhere(pattern: string): ((text: string) => boolean) | null {
  // A pattern of its own first: `)(` is none, but would be one between parentheses.
  if (compileRegex(pattern) === null) return null;
  return compileRegex(`(?s:.*)(?:${pattern})(?s:.*)`);
}

/** Unicode's code points, as CEL counts. */
function characters(text: string): number {
  let n = text.length;
  for (let i = 1; i < text.length; i++) {
    const [high, low] = [text.charCodeAt(i - 1), text.charCodeAt(i)];
    if (high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000) n -= 1;
  }
  return n;
}

const numberOf = (text: string): number | undefined =>
  text.length <= 64 && /^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$/.test(text) ? finite(Number(text)) : undefined;

/** As Go writes a time.Duration: `6.848ms`, `1m30s`, `250µs`, `0s`. Of milliseconds. */
export function durationText(ms: number): string {
  if (!Number.isFinite(ms)) return '0s';
  const sign = ms < 0 ? '-' : '';
  const nanos = Math.round(Math.abs(ms) * 1e6);
  if (nanos === 0) return '0s';
  if (nanos < 1e3) return `${sign}${nanos}ns`;
  if (nanos < 1e6) return `${sign}${nanos / 1e3}µs`;
  if (nanos < 1e9) return `${sign}${nanos / 1e6}ms`;
  const seconds = Math.floor(nanos / 1e9);
  const rest = Number((((seconds % 60) * 1e9 + (nanos % 1e9)) / 1e9).toFixed(9));
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return `${sign}${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${rest}s`;
}

/** A Mixer match → a predicate over requests to this workload. What the server knows of itself is folded in. */
import { regexProblem } from '../core/regex.ts';
import type { Expression } from '../istio/mixer-expression.ts';
import type { Predicate } from '../snapshot/authz.ts';
import type { Context } from './context.ts';
import { attributeValue, indexValue, Unreadable } from './mixer-attribute.ts';
import { constant, firstOf, isEqual, matches, type Value } from './mixer-value.ts';
import { all, any, type AuthzPlace, known, not, portIn } from './predicate.ts';
import { compilePattern } from './strings.ts';

export type Complain = (at: number, message: string) => void;

/**
 * Part by part: a part that cannot be read counts as what denies more (true, or false under a `!`), so that the readable rest,
 * such as `destination.labels["app"] == "ratings"`, still says whom the rule is about.
 */
export function compileExpression(e: Expression, c: Context, place: AuthzPlace, complain: Complain): Predicate {
  return holds(e, true, { c, place, complain });
}

type Env = { readonly c: Context; readonly place: AuthzPlace; readonly complain: Complain };

function holds(e: Expression, widen: boolean, env: Env): Predicate {
  switch (e.kind) {
    case 'and':
      return all([holds(e.left, widen, env), holds(e.right, widen, env)]);
    case 'or':
      return any([holds(e.left, widen, env), holds(e.right, widen, env)]);
    case 'not':
      return not(holds(e.of, !widen, env));
    case 'bool':
      return known(e.value);
    case 'eq':
      return guarded(e, widen, env, () => equals(e.left, e.right, widen, env));
    case 'ne':
      return not(guarded(e, !widen, env, () => equals(e.left, e.right, !widen, env)));
    case 'call':
      return guarded(e, widen, env, () => call(e, env));
    case 'attribute':
    case 'index':
    case 'else':
    case 'add':
    case 'string':
    case 'number':
      return guarded(e, widen, env, () => {
        const value = read(e, env);
        if (value.kind === 'bool') return known(value.value);
        throw new Unreadable(e.at, 'expected a condition, got a value');
      });
  }
}

function guarded(e: Expression, widen: boolean, env: Env, make: () => Predicate): Predicate {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    env.complain(error.at, error.message);
    return known(widen);
  }
}

function equals(left: Expression, right: Expression, widen: boolean, env: Env): Predicate {
  // `destination.port == 9080`, and `conditional == true`.
  for (const [a, b] of [
    [left, right],
    [right, left],
  ] as const) {
    if (b.kind === 'bool' && a.kind !== 'bool') return b.value ? holds(a, widen, env) : not(holds(a, !widen, env));
    if (b.kind === 'number' && a.kind === 'attribute' && a.name === 'destination.port') {
      return portIn(env.place, [b.value], widen);
    }
  }
  const result = isEqual(read(left, env), read(right, env));
  if (result === null) throw new Unreadable(right.at, 'expected something known to compare with');
  return result;
}

function read(e: Expression, env: Env): Value {
  switch (e.kind) {
    case 'string':
      return constant([e.value]);
    case 'attribute':
      return attributeValue(e.name, e.at, env.c, env.place);
    case 'index':
      if (e.of.kind !== 'attribute') throw new Unreadable(e.at, 'expected a map such as source.labels before "["');
      return indexValue(e.of.name, e.key, e.at, env.c, env.place);
    case 'else':
      return firstOf(read(e.left, env), read(e.right, env), () => {
        throw new Unreadable(e.at, 'expected texts on both sides of "|"');
      });
    case 'call':
      if (e.name === 'ip' && e.receiver === null && e.args.length === 1) return read(e.args[0]!, env);
      throw new Unreadable(e.at, `${e.name}() cannot be asked`);
    default:
      throw new Unreadable(e.at, 'expected an attribute or a text');
  }
}

/** `match(text, "x*")`, `text.startsWith("x")`, `text.endsWith("x")`, `"regex".matches(text)`. */
function call(e: Extract<Expression, { readonly kind: 'call' }>, env: Env): Predicate {
  const [first, second] = e.receiver === null ? e.args : [e.receiver, ...e.args];
  if (first === undefined || second === undefined) throw new Unreadable(e.at, `expected two values for ${e.name}()`);
  const [subject, pattern] = e.name === 'matches' ? [second, first] : [first, second];
  if (pattern.kind !== 'string') throw new Unreadable(pattern.at, 'expected a text in quotes');
  const value = read(subject, env);
  const text = pattern.value;
  const fits = (): Predicate | null => {
    switch (e.name) {
      case 'startsWith':
        return matches(value, { kind: 'prefix', value: text });
      case 'endsWith':
        return matches(value, { kind: 'suffix', value: text });
      case 'match':
        return matches(value, text === '*' ? { kind: 'prefix', value: '' } : compilePattern(text));
      case 'matches':
        if (regexProblem(text) !== null)
          throw new Unreadable(pattern.at, `expected a regular expression, got "${text}"`);
        // Go's regexp.MatchString finds the expression anywhere.
        return matches(value, { kind: 'regex', value: `(?s:.*)(?:${text})(?s:.*)` });
      default:
        return null;
    }
  };
  const result = fits();
  if (result === null) throw new Unreadable(e.at, `${e.name}() cannot be asked here`);
  return result;
}

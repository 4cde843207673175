/** One rule of a policy, as a function. Made once; what is known already is not asked again, and what cannot be known fails closed. */
import type { Predicate } from '../snapshot/authz.ts';

/**
 * Which way to err where a value has several readings (spellings of a path, repeated headers), where a condition is broken, or where
 * it asks about a request and there is only a connection. `broad` holds when any reading does: what a DENY asks. `narrow` holds
 * only when all do: what an ALLOW asks. `not` turns it round.
 */
export type Stance = 'broad' | 'narrow';

export type Test<S> = (subject: S) => boolean;
/** A boolean: the answer is known already. */
export type Condition<S> = boolean | Test<S>;

type Inner = 'always' | 'never' | 'all' | 'any' | 'not';
export type Leaf = Exclude<Predicate, { readonly kind: Inner }>;
export type MakeLeaf<S> = (leaf: Leaf, stance: Stance) => Condition<S>;

export function condition<S>(predicate: Predicate, stance: Stance, make: MakeLeaf<S>): Condition<S> {
  switch (predicate.kind) {
    case 'always':
      return true;
    case 'never':
      return false;
    case 'not':
      return not(condition(predicate.of, stance === 'broad' ? 'narrow' : 'broad', make));
    case 'all':
      return all(predicate.of.map((part) => condition(part, stance, make)));
    case 'any':
      return any(predicate.of.map((part) => condition(part, stance, make)));
    case 'string':
    case 'path-template':
    case 'cidr':
    case 'port':
      return make(predicate, stance);
  }
}

/** The answer to a condition that cannot be asked. */
export const errs = (stance: Stance): boolean => stance === 'broad';

function not<S>(inner: Condition<S>): Condition<S> {
  return typeof inner === 'boolean' ? !inner : (subject) => !inner(subject);
}

function all<S>(parts: readonly Condition<S>[]): Condition<S> {
  if (parts.includes(false)) return false;
  const tests = parts.filter((part) => typeof part === 'function');
  const [first, second] = tests;
  if (first === undefined) return true;
  if (second === undefined) return first;
  if (tests.length === 2) return (subject) => first(subject) && second(subject);
  return (subject) => {
    for (const test of tests) if (!test(subject)) return false;
    return true;
  };
}

function any<S>(parts: readonly Condition<S>[]): Condition<S> {
  if (parts.includes(true)) return true;
  const tests = parts.filter((part) => typeof part === 'function');
  const [first, second] = tests;
  if (first === undefined) return false;
  if (second === undefined) return first;
  if (tests.length === 2) return (subject) => first(subject) || second(subject);
  return (subject) => {
    for (const test of tests) if (test(subject)) return true;
    return false;
  };
}

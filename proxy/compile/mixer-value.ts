/** What a Mixer expression yields: a text, known while compiling or asked of a request, and how texts compare. */
import { stringPredicate } from '../core/string-match.ts';
import type { Attribute, Predicate } from '../snapshot/authz.ts';
import type { StringMatch } from '../snapshot/match.ts';
import { all, any, known, NEVER, not, string } from './predicate.ts';

export type Value =
  | Text
  | { readonly kind: 'bool'; readonly value: boolean }
  /** The caller's address. */
  | { readonly kind: 'source-ip' };

type Text = {
  readonly kind: 'text';
  /** There, and as the match says. */
  readonly fits: (match: StringMatch) => Predicate;
  readonly there: Predicate;
  /** Null: it takes a request to know. Several: any of them counts (a workload may stand behind several services). */
  readonly known: readonly string[] | null;
};

/** A text that is known; none: a value that is missing. */
export const constant = (values: readonly string[]): Value => ({
  kind: 'text',
  fits: (match) => known(values.some(stringPredicate(match))),
  there: known(values.length > 0),
  known: values,
});

export const asked = (attribute: Attribute): Value => ({
  kind: 'text',
  fits: (match) => string(attribute, match),
  there: string(attribute, { kind: 'present' }),
  known: null,
});

/** `a | b`: a, or b where a is missing. */
export function firstOf(a: Value, b: Value, refuse: () => never): Value {
  if (a.kind !== 'text' || b.kind !== 'text') return refuse();
  if (a.known !== null && a.known.length > 0) return a;
  if (a.known !== null) return b;
  return {
    kind: 'text',
    fits: (match) => any([a.fits(match), all([not(a.there), b.fits(match)])]),
    there: any([a.there, b.there]),
    known: null,
  };
}

/** Null: neither is known while compiling, or they are of different kinds. */
export function isEqual(a: Value, b: Value): Predicate | null {
  if (a.kind === 'source-ip' || b.kind === 'source-ip') {
    const other = a.kind === 'source-ip' ? b : a;
    if (other.kind !== 'text' || other.known === null) return null;
    return other.known.length === 0 ? NEVER : { kind: 'cidr', attribute: 'source.ip', ranges: other.known };
  }
  if (a.kind !== 'text' || b.kind !== 'text') return null;
  const [asks, tells] = a.known === null ? [a, b.known] : [b, a.known];
  if (tells === null) return null;
  const values = tells.length === 0 ? [''] : tells;
  return any(values.map((value) => matchesText(asks, { kind: 'exact', value })));
}

/** Null: not a text. */
export const matches = (value: Value, match: StringMatch): Predicate | null =>
  value.kind === 'text' ? matchesText(value, match) : null;

/** A missing entry of a map is the empty text to Mixer; what fits that, fits a missing value too. */
const matchesText = (value: Text, match: StringMatch): Predicate =>
  stringPredicate(match)('') ? any([not(value.there), value.fits(match)]) : value.fits(match);

/** Comparing one string with what people wrote: exact, prefix, suffix, RE2 expression, presence. Made once, asked for every request. */
import { indexOf, type HeaderList } from './header-list.ts';
import { compileRegex } from './regex.ts';

/** The shape of `snapshot/match.ts`; core may not import it. */
export type StringTest =
  | { readonly kind: 'exact' | 'prefix' | 'suffix'; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: 'regex'; readonly value: string }
  | { readonly kind: 'present' };

export type StringPredicate = (value: string) => boolean;

/**
 * The predicate of a match. `present` holds for every value, "" too: whether there is one is for the caller to know.
 * An expression that is no RE2 matches nothing; whoever must fail closed asks `regexProblem` first.
 */
export function stringPredicate(match: StringTest): StringPredicate {
  switch (match.kind) {
    case 'present':
      return always;
    case 'regex':
      return compileRegex(match.value) ?? never;
    case 'exact':
      return match.ignoreCase === true ? exactAnyCase(match.value.toLowerCase()) : exact(match.value);
    case 'prefix':
      return match.ignoreCase === true ? prefixAnyCase(match.value.toLowerCase()) : prefix(match.value);
    case 'suffix':
      return match.ignoreCase === true ? suffixAnyCase(match.value.toLowerCase()) : suffix(match.value);
  }
}

/**
 * Of a value that may be missing, as Envoy's header and query matchers have it: a missing one matches nothing; inverted, it
 * counts as "", and presence inverted is absence.
 */
export function optionalPredicate(match: StringTest, invert: boolean): (value: string | undefined) => boolean {
  if (match.kind === 'present') return invert ? (value) => value === undefined : (value) => value !== undefined;
  const matches = stringPredicate(match);
  return invert ? (value) => !matches(value ?? '') : (value) => value !== undefined && matches(value);
}

/**
 * Of one header, `name` in lower case. Several lines of one name are asked one by one and any may fit (Envoy since CVE-2026-26308, told by
 * the oracle); inverted, none may.
 */
export function headerPredicate(header: {
  readonly name: string;
  readonly match: StringTest;
  readonly invert: boolean;
}): (headers: HeaderList) => boolean {
  const { name, invert } = header;
  const matches = optionalPredicate(header.match, invert);
  return (headers) => {
    let i = indexOf(headers, name);
    if (i < 0) return matches(undefined);
    for (; i >= 0; i = indexOf(headers, name, i + 2)) if (matches(headers[i + 1]) !== invert) return !invert;
    return invert;
  };
}

const always: StringPredicate = () => true;
const never: StringPredicate = () => false;

const exact =
  (literal: string): StringPredicate =>
  (value) =>
    value === literal;

const prefix =
  (literal: string): StringPredicate =>
  (value) =>
    value.startsWith(literal);

const suffix =
  (literal: string): StringPredicate =>
  (value) =>
    value.endsWith(literal);

// The length is compared first: most values differ in it, and lowering a string may copy it. Latin-1 keeps its length when lowered.

const exactAnyCase =
  (lower: string): StringPredicate =>
  (value) =>
    value.length === lower.length && (value === lower || value.toLowerCase() === lower);

const prefixAnyCase =
  (lower: string): StringPredicate =>
  (value) =>
    value.length >= lower.length && value.slice(0, lower.length).toLowerCase() === lower;

const suffixAnyCase =
  (lower: string): StringPredicate =>
  (value) =>
    value.length >= lower.length && value.slice(value.length - lower.length).toLowerCase() === lower;

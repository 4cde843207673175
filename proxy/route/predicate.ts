/** What one route asks of a request, as a function: only the parts that are given, path first. */
import { headerPredicate, optionalPredicate, stringPredicate } from '../core/string-match.ts';
import type { Exchange } from '../live/exchange.ts';
import { pseudoHeader } from '../live/pseudo-header.ts';
import type { HeaderMatch, QueryMatch, RouteMatch } from '../snapshot/route.ts';
import { queryValue } from './query.ts';

/** `path`: that of the exchange without its query, found once for all routes. */
export type RoutePredicate = (x: Exchange, path: string) => boolean;

/** Null: every request fits. */
export function routePredicate(match: RouteMatch): RoutePredicate | null {
  const rest = residualPredicate(match);
  if (match.path === null) return rest;
  const fits = stringPredicate(match.path);
  if (rest === null) return (_x, path) => fits(path);
  return (x, path) => fits(path) && rest(x, path);
}

/** All but the path, for indexes that know the path fits. Null: nothing more is asked. */
export function residualPredicate(match: RouteMatch): RoutePredicate | null {
  const tests: RoutePredicate[] = [];
  // What is cheap to ask comes first; all must hold, so that the order changes nothing else.
  if (match.method !== null) tests.push(on((x) => x.method, stringPredicate(match.method)));
  if (match.scheme !== null) tests.push(on((x) => x.scheme, stringPredicate(match.scheme)));
  if (match.authority !== null) tests.push(on((x) => x.authority, stringPredicate(match.authority)));
  for (const query of match.query) tests.push(queryTest(query));
  for (const header of match.headers) tests.push(headerTest(header));
  const [first, second] = tests;
  if (first === undefined) return null;
  if (second === undefined) return first;
  if (tests.length === 2) return (x, path) => first(x, path) && second(x, path);
  return (x, path) => {
    for (const test of tests) if (!test(x, path)) return false;
    return true;
  };
}

const on =
  (read: (x: Exchange) => string, fits: (value: string) => boolean): RoutePredicate =>
  (x) =>
    fits(read(x));

function queryTest({ name, match }: QueryMatch): RoutePredicate {
  const fits = optionalPredicate(match, false);
  return (x) => fits(queryValue(x.path, name));
}

function headerTest({ name, match, invert }: HeaderMatch): RoutePredicate {
  const read = pseudoHeader(name);
  if (read !== null) return on(read, optionalPredicate(match, invert));
  const fits = headerPredicate({ name, match, invert });
  return (x) => fits(x.headers);
}

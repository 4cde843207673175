/**
 * Many routes of one virtual host, found by path: exact paths in a Map, prefixes by binary search, the others in turn. First match
 * wins, so the candidates of all three are tried together in the order of the routes.
 */
import type { Exchange } from '../live/exchange.ts';
import type { Route } from '../snapshot/route.ts';
import { residualPredicate, routePredicate, type RoutePredicate } from './predicate.ts';

/** A route that may match, by its place in the list; null: it does. */
type Candidate = { readonly order: number; readonly matches: RoutePredicate | null };

/** Ascending by order. */
type Candidates = readonly Candidate[];

const NONE: Candidates = [];

/** `plans[i]` is what `routes[i]` leads to. */
export function indexRoutes<T>(routes: readonly Route[], plans: readonly T[]): (x: Exchange, path: string) => T | null {
  const exact = new Map<string, Candidate[]>();
  const prefixes = new Map<string, Candidate[]>();
  const others: Candidate[] = [];
  routes.forEach(({ match }, order) => {
    const { path } = match;
    const literal = path !== null && path.kind !== 'regex' && path.kind !== 'present' && path.ignoreCase !== true;
    if (literal && path.kind === 'exact') put(exact, path.value, { order, matches: residualPredicate(match) });
    else if (literal && path.kind === 'prefix') put(prefixes, path.value, { order, matches: residualPredicate(match) });
    else others.push({ order, matches: routePredicate(match) });
  });
  const byPrefix = prefixLookup(prefixes);
  return (x, path) => {
    const order = firstMatch(x, path, exact.get(path) ?? NONE, byPrefix(path), others);
    return order < 0 ? null : plans[order]!;
  };
}

/** Merges three ascending lists and answers the order of the first candidate that matches, or -1. */
function firstMatch(x: Exchange, path: string, a: Candidates, b: Candidates, c: Candidates): number {
  let i = 0;
  let j = 0;
  let k = 0;
  for (;;) {
    const first = a[i];
    const second = b[j];
    const third = c[k];
    let next = first;
    if (second !== undefined && (next === undefined || second.order < next.order)) next = second;
    if (third !== undefined && (next === undefined || third.order < next.order)) next = third;
    if (next === undefined) return -1;
    if (next.matches === null || next.matches(x, path)) return next.order;
    if (next === first) i++;
    else if (next === second) j++;
    else k++;
  }
}

/**
 * Of the sorted prefixes, the last that is not greater than a path is either its longest prefix, or begins with it; so the longest
 * is found by a binary search and a walk up the chain of prefixes of prefixes. Each has the candidates of its whole chain.
 */
function prefixLookup(prefixes: ReadonlyMap<string, Candidate[]>): (path: string) => Candidates {
  const sorted = [...prefixes.keys()].sort();
  const parents = new Int32Array(sorted.length);
  const candidates: Candidates[] = [];
  sorted.forEach((prefix, i) => {
    let parent = i - 1;
    while (parent >= 0 && !prefix.startsWith(sorted[parent]!)) parent = parents[parent]!;
    parents[i] = parent;
    candidates.push(trimmed([...(candidates[parent] ?? NONE), ...prefixes.get(prefix)!]));
  });
  return (path) => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle]! <= path) low = middle + 1;
      else high = middle;
    }
    let i = low - 1;
    while (i >= 0 && !path.startsWith(sorted[i]!)) i = parents[i]!;
    return i < 0 ? NONE : candidates[i]!;
  };
}

/** In order, and without what stands behind a candidate that always matches. */
function trimmed(candidates: Candidate[]): Candidates {
  candidates.sort((a, b) => a.order - b.order);
  const certain = candidates.findIndex(({ matches }) => matches === null);
  return certain < 0 ? candidates : candidates.slice(0, certain + 1);
}

function put(map: Map<string, Candidate[]>, key: string, candidate: Candidate): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [candidate]);
  else list.push(candidate);
}

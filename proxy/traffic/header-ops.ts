/** Headers that a route sets, adds and takes away, on the way up and on the way back. */
import { append, remove, set, type HeaderList } from '../core/header-list.ts';
import type { Exchange } from '../live/exchange.ts';
import type { HeaderOps } from '../snapshot/route.ts';
import { compileValue, type Value } from './template.ts';

/** For the caller to run in Envoy's order: those of the destination, then those of the route; and before any rewrite. */
export function requestOps(ops: HeaderOps): (x: Exchange) => void {
  const change = compileOps(ops);
  return (x) => change(x, x.headers, null);
}

/** As `requestOps`, on the headers of a response before they leave. */
export function responseOps(ops: HeaderOps): (x: Exchange, headers: HeaderList) => void {
  const change = compileOps(ops);
  return (x, headers) => change(x, headers, headers);
}

type Named = { readonly name: string; readonly lower: string; readonly value: Value };

/**
 * First what is removed, then what is set, then what is added (Envoy's HeaderParser); all values are worked out between the first
 * step and the second, so that none sees another's result. A value that comes out empty sets and adds nothing.
 */
function compileOps(ops: HeaderOps): (x: Exchange, headers: HeaderList, response: HeaderList | null) => void {
  const removed = ops.remove.filter(isChangeable);
  const sets = ops.set.map(named).filter(({ lower }) => isChangeable(lower));
  const adds = ops.add.map(named).filter(({ lower }) => isChangeable(lower));
  const [only] = sets;
  if (only !== undefined && sets.length === 1 && removed.length === 0 && adds.length === 0) {
    return (x, headers, response) => put(headers, only, only.value(x, response));
  }
  return (x, headers, response) => {
    for (const name of removed) remove(headers, name);
    const setValues = sets.map(({ value }) => value(x, response));
    const addValues = adds.map(({ value }) => value(x, response));
    sets.forEach((header, i) => put(headers, header, setValues[i]!));
    adds.forEach(({ name }, i) => {
      if (addValues[i] !== '') append(headers, name, addValues[i]!);
    });
  };
}

function put(headers: HeaderList, { name, lower }: Named, value: string): void {
  if (value !== '') set(headers, lower, value, name);
}

const named = ([name, text]: readonly [string, string]): Named => ({
  name,
  lower: name.toLowerCase(),
  value: compileValue(text),
});

/** Pseudo headers and Host are changed by rewrites, never like this; framing is the codec's alone. */
const isChangeable = (lower: string): boolean => !lower.startsWith(':') && !PROTECTED.has(lower);
const PROTECTED = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'upgrade', 'keep-alive', 'te']);

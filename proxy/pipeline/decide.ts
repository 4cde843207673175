/** Runs the filters of a route until one of them answers. */
import type { Exchange } from '../live/exchange.ts';
import { CONTINUE, type Filter, type Verdict } from '../live/verdict.ts';

/** Stays synchronous for as long as the filters do: most requests never touch the microtask queue here. */
export function decide(filters: readonly Filter[], x: Exchange, from = 0): Verdict | Promise<Verdict> {
  for (let i = from; i < filters.length; i++) {
    const verdict = filters[i]!(x);
    if (verdict instanceof Promise) return verdict.then((v) => (v === CONTINUE ? decide(filters, x, i + 1) : v));
    if (verdict !== CONTINUE) return verdict;
  }
  return CONTINUE;
}

/** The weighted choice among a route's destinations. */
import { fairCycle } from '../core/fair-cycle.ts';

/**
 * Answers the index of a destination for each request. Exact, not random: with weights that sum to 100 (or a divisor of it), any
 * 100 requests in a row are split as written; otherwise each share is met to within a request from the start. (Envoy draws a
 * random number; Istio's own tests allow it ±5 of 100.) One destination gets all, whatever its weight.
 * `start`: requests split before, so that a reload does not always begin with the same destination.
 */
export function makeSplit(weights: readonly number[], start = 0): () => number {
  return weights.length === 1 ? () => 0 : fairCycle(weights, start);
}

/** Draws indices with probabilities in proportion to weights. */
import type { Random } from '../core/random.ts';

/** O(1) with equal weights, else O(log n). At least one weight; a weight of 0 or less counts as 0. */
export function sampler(weights: readonly number[], random: Random): () => number {
  const count = weights.length;
  if (weights.every((weight) => weight === weights[0])) return () => Math.floor(random() * count);
  let sum = 0;
  const upTo = Float64Array.from(weights, (weight) => (sum += Math.max(weight, 0)));
  return () => {
    const drawn = random() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (upTo[middle]! > drawn) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

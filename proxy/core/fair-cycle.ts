/**
 * Taking turns by weight, without dice: after any number of turns each has had its share, to within one turn.
 *
 * Of those whose turn is due, the one whose turn would be overdue first (R. Tijdeman, "The chairman assignment problem", 1980).
 */

/** Cycles up to this length are laid out once; longer ones are computed turn by turn. */
const LAID_OUT = 1024;

/**
 * Gives indices of `weights`, over and over; weight 0 (or less) never gets a turn unless all are. One whole cycle has exactly
 * `weight` turns of each, so with weights that sum to 100 every 100 turns in a row are exact. `start`: turns already taken.
 */
export function fairCycle(weights: readonly number[], start = 0): () => number {
  const live = weights.map((weight, index) => ({ weight, index })).filter(({ weight }) => weight > 0);
  const first = live[0]?.index ?? 0;
  if (live.length < 2) return () => first;
  const shares = reduced(live.map(({ weight }) => weight));
  const total = shares.reduce((sum, share) => sum + share, 0);
  const turns = turnTaker(shares, total);
  if (total > LAID_OUT) {
    for (let skip = Math.floor(start) % LAID_OUT; skip > 0; skip--) turns();
    return () => live[turns()]!.index;
  }
  const cycle = Uint32Array.from({ length: total }, () => live[turns()]!.index);
  let next = Math.floor(start) % total;
  return () => {
    const index = cycle[next]!;
    next = next + 1 === total ? 0 : next + 1;
    return index;
  };
}

/** The rule itself, O(number of shares) a turn. */
function turnTaker(shares: readonly number[], total: number): () => number {
  const slack = 1 / (2 * shares.length - 2);
  const taken = new Float64Array(shares.length);
  let turn = 0;
  return () => {
    turn++;
    let chosen = -1;
    let soonest = Infinity;
    for (let i = 0; i < shares.length; i++) {
      const rate = shares[i]! / total;
      // Due: it lags behind its share by all but a full turn.
      if (rate * turn - taken[i]! < slack - 1e-9) continue;
      const overdueAt = (taken[i]! + 1 - slack) / rate;
      if (overdueAt < soonest - 1e-9) {
        soonest = overdueAt;
        chosen = i;
      }
    }
    // Rounding may hide that one is due, never that turns are left: then the first takes it.
    if (chosen < 0) chosen = 0;
    taken[chosen]!++;
    if (turn >= total) {
      turn = 0;
      taken.fill(0);
    }
    return chosen;
  };
}

/** The same proportions in small whole numbers; fractions to a millionth of the largest. */
function reduced(weights: readonly number[]): number[] {
  const most = Math.max(...weights);
  const isWhole = weights.every((weight) => Number.isSafeInteger(weight));
  const whole = isWhole ? weights : weights.map((weight) => Math.max(1, Math.round((weight / most) * 1e6)));
  const divisor = whole.reduce(gcd);
  return whole.map((weight) => weight / divisor);
}

function gcd(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** Numbers out of numbers: medians, percentiles, spreads. */

/** The middle value (mean of the two middle ones), or null of nothing. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Half the distance from lowest to highest, as a share of the median: how far the rounds disagree. */
export function spread(values: readonly number[]): number | null {
  const middle = median(values);
  if (middle === null || middle === 0) return null;
  return (Math.max(...values) - Math.min(...values)) / 2 / middle;
}

/** Nearest-rank percentile of an ascending list; null of nothing. */
export function percentile(sorted: ArrayLike<number>, percent: number): number | null {
  if (sorted.length === 0) return null;
  // Not a hair over: 99.9 % of 1000 are 999.
  const rank = Math.ceil((percent * sorted.length) / 100 - 1e-9);
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1]!;
}

/** Median of what is there and a number; null when there is nothing. */
export function medianOf<T>(items: readonly T[], pick: (item: T) => number | null | undefined): number | null {
  return median(
    items.flatMap((item) => {
      const value = pick(item);
      return typeof value === 'number' && Number.isFinite(value) ? [value] : [];
    }),
  );
}

/** Last over first: 1 is a flat curve. Null of fewer than two, or when the first is 0. */
export function growth(values: readonly number[]): number | null {
  const [first, last] = [values[0], values.at(-1)];
  return values.length < 2 || first === undefined || last === undefined || first === 0 ? null : last / first;
}

/** Slope of the straight line through points that has the least squared error, in y per x. Null of fewer than two different x. */
export function slope(points: readonly { readonly x: number; readonly y: number }[]): number | null {
  const n = points.length;
  const meanX = points.reduce((sum, p) => sum + p.x, 0) / n;
  const meanY = points.reduce((sum, p) => sum + p.y, 0) / n;
  const spreadX = points.reduce((sum, p) => sum + (p.x - meanX) ** 2, 0);
  if (n < 2 || spreadX === 0) return null;
  return points.reduce((sum, p) => sum + (p.x - meanX) * (p.y - meanY), 0) / spreadX;
}

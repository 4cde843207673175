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
  const rank = Math.ceil((percent / 100) * sorted.length);
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1]!;
}

/** Median of what is there; null when there is nothing. */
export function medianOf<T>(items: readonly T[], pick: (item: T) => number | null | undefined): number | null {
  return median(items.map(pick).filter((value) => value !== null && value !== undefined));
}

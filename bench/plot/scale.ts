/** From values to places on an axis, and round values for its ticks. */

export type Scale = {
  /** Share of the axis' length, 0 to 1. */
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
};

/** From 0 to a round number above `max`, with about `count` steps of 1, 2, 2.5 or 5 times a power of ten. */
export function linear(max: number, count = 5): Scale {
  const rough = (max > 0 ? max : 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((f) => f * power).find((s) => s >= rough - 1e-12) ?? 10 * power;
  const steps = Math.max(1, Math.ceil((max > 0 ? max : 1) / step - 1e-9));
  const top = step * steps;
  return {
    at: (value) => value / top,
    ticks: Array.from({ length: steps + 1 }, (_, i) => Number((i * step).toPrecision(12))),
  };
}

/** Logarithmic from the power of ten below `min` to the one above `max`. Values must be above 0. */
export function logarithmic(min: number, max: number): Scale {
  const low = Math.floor(Math.log10(min) + 1e-9);
  const high = Math.max(low + 1, Math.ceil(Math.log10(max) - 1e-9));
  return {
    at: (value) => (Math.log10(value) - low) / (high - low),
    ticks: Array.from({ length: high - low + 1 }, (_, i) => Number((10 ** (low + i)).toPrecision(12))),
  };
}

/** `1000` as `1k`, `0.25` as it is. */
export function tickLabel(value: number): string {
  if (Math.abs(value) >= 1000) return `${Number((value / 1000).toPrecision(4))}k`;
  return String(Number(value.toPrecision(4)));
}

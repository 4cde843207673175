/** The one source of chance; tests put their own dice in its place. */

/** Uniform in [0, 1). */
export type Random = () => number;

export const systemRandom: Random = Math.random;

/** True in `percent` of 100 calls; never below 0, always from 100 on. */
export const chance = (random: Random, percent: number): boolean => percent > 0 && random() * 100 < percent;

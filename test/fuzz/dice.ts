/** Chance that can be repeated: the same seed, lane and number give the same case on every machine. */

export class Dice {
  #state: number;

  constructor(...seeds: readonly (number | string)[]) {
    this.#state = hash(seeds.join(':'));
  }

  /** 0 ≤ n < 2³² (mulberry32). */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 ≤ n < `below`. */
  int(below: number): number {
    return this.u32() % below;
  }

  chance(percent: number): boolean {
    return this.int(100) < percent;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)]!;
  }

  /** One of `list` by weight. */
  weighted<T>(list: readonly (readonly [weight: number, value: T])[]): T {
    let left = this.int(list.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of list) if ((left -= weight) < 0) return value;
    throw new Error('no weights');
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h;
}

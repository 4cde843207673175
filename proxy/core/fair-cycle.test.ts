import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fairCycle } from './fair-cycle.ts';

const take = (next: () => number, turns: number): number[] => Array.from({ length: turns }, next);
const count = (turns: readonly number[], index: number): number => turns.filter((turn) => turn === index).length;

describe('turns by weight', () => {
  test('with weights that sum to 100, any 100 in a row are exact', () => {
    for (const weights of [
      [50, 50],
      [90, 10],
      [80, 20],
      [1, 99],
      [33, 33, 34],
      [10, 20, 30, 40],
      [5, 0, 95],
      [100, 0],
      [97, 1, 1, 1],
    ]) {
      const turns = take(fairCycle(weights), 350);
      for (let from = 0; from <= 250; from++) {
        weights.forEach((weight, index) => expect(count(turns.slice(from, from + 100), index)).toBe(weight));
      }
    }
  });

  test('after any number of turns each has its share, to within one', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(weights, (weights) => {
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const next = fairCycle(weights);
        const taken = weights.map(() => 0);
        for (let turn = 1; turn <= Math.min(3 * total, 2000); turn++) {
          taken[next()]!++;
          weights.forEach((weight, i) => expect(Math.abs(taken[i]! - (turn * weight) / total)).toBeLessThan(1));
        }
      }),
      { numRuns: 60 },
    );
  });

  test('large and odd weights keep their shares too', () => {
    for (const weights of [
      [2 ** 31 - 1, 1],
      [999_983, 1_000_003],
      [0.5, 0.25, 0.25],
      [1 / 3, 2 / 3],
      [128, 1, 1000],
    ]) {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const turns = take(fairCycle(weights), 5000);
      weights.forEach((weight, i) => expect(Math.abs(count(turns, i) - (5000 * weight) / total)).toBeLessThan(2));
    }
  });

  test('nobody without a weight gets a turn, unless nobody has one', () => {
    expect(take(fairCycle([0, 5, -1]), 3)).toEqual([1, 1, 1]);
    expect(take(fairCycle([0, 0]), 2)).toEqual([0, 0]);
    expect(take(fairCycle([]), 1)).toEqual([0]);
  });

  test('a start goes on in the cycle instead of beginning anew', () => {
    for (const weights of [
      [3, 2, 1],
      [1024, 1],
    ]) {
      const whole = take(fairCycle(weights), 40);
      expect(take(fairCycle(weights, 7), 33)).toEqual(whole.slice(7));
    }
  });
});

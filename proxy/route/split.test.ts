import { describe, expect, test } from 'vitest';
import { makeSplit } from './split.ts';

describe('the split of a route', () => {
  test('one destination gets everything, even with weight 0', () => {
    const next = makeSplit([0]);
    expect([next(), next(), next()]).toEqual([0, 0, 0]);
  });

  test('90 to 10 gives each tenth request to the second', () => {
    const next = makeSplit([90, 10]);
    const turns = Array.from({ length: 100 }, next);
    for (let from = 0; from < 100; from += 10)
      expect(turns.slice(from, from + 10).filter((i) => i === 1)).toHaveLength(1);
  });

  test('50 to 50 alternates', () => {
    const next = makeSplit([50, 50]);
    expect(Array.from({ length: 6 }, next)).toEqual([0, 1, 0, 1, 0, 1]);
  });

  test('a destination of weight 0 among others gets nothing', () => {
    const next = makeSplit([0, 100]);
    expect(new Set(Array.from({ length: 50 }, next))).toEqual(new Set([1]));
  });

  test('a split that starts where another stopped carries on', () => {
    const whole = Array.from({ length: 20 }, makeSplit([70, 20, 10]));
    expect(Array.from({ length: 10 }, makeSplit([70, 20, 10], 10))).toEqual(whole.slice(10));
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { median, medianOf, percentile, spread } from './statistics.ts';

describe('statistics', () => {
  for (const { of, is } of [
    { of: [], is: null },
    { of: [3], is: 3 },
    { of: [9, 1, 5], is: 5 },
    { of: [4, 1, 3, 2], is: 2.5 },
  ]) {
    test(`the median of [${of.join(' ')}] is ${is}`, () => assert.equal(median(of), is));
  }

  test('the spread is half the range over the median', () => assert.equal(spread([8, 10, 12]), 0.2));
  test('nothing has no spread', () => assert.equal(spread([]), null));

  for (const { percent, is } of [
    { percent: 0, is: 1 },
    { percent: 50, is: 5 },
    { percent: 90, is: 9 },
    { percent: 99, is: 10 },
    { percent: 100, is: 10 },
  ]) {
    test(`percentile ${percent} of 1…10 is ${is}`, () =>
      assert.equal(percentile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], percent), is));
  }
  test('nothing has no percentile', () => assert.equal(percentile([], 50), null));

  test('a median leaves out what was not measured', () =>
    assert.equal(
      medianOf([{ n: 1 }, { n: null }, { n: 3 }], (x) => x.n),
      2,
    ));
});

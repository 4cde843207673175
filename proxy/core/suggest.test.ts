import { describe, expect, test } from 'vitest';
import { suggest } from './suggest.ts';

const FIELDS = ['weight', 'destination', 'headers', 'http', 'timeout'];

describe('suggest', () => {
  test.each([
    ['weigth', 'weight'],
    ['Weight', 'weight'],
    ['wieght', 'weight'],
    ['destinaton', 'destination'],
    ['header', 'headers'],
    ['timeOut', 'timeout'],
    ['htp', 'http'],
  ])('takes %s for %s', (word, meant) => {
    expect(suggest(word, FIELDS)).toBe(meant);
  });

  test.each(['', 'x', 'banana', 'route', 'w'.repeat(1000)])('has no idea about %j', (word) => {
    expect(suggest(word, FIELDS)).toBe(null);
  });
});

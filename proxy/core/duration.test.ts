import { describe, expect, test } from 'vitest';
import { parseDuration } from './duration.ts';

describe('parseDuration', () => {
  test.each([
    ['5s', 5_000],
    ['0.5s', 500],
    ['.5s', 500],
    ['1.s', 1_000],
    ['100ms', 100],
    ['1h30m', 5_400_000],
    ['1m', 60_000],
    ['1m0.3s', 60_300],
    ['100us', 0.1],
    ['3µs', 0.003],
    ['1ns', 0.000001],
    ['0', 0],
    ['0s', 0],
  ])('reads %s', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  test.each([
    '',
    's',
    '5',
    '5 s',
    ' 5s',
    '5s ',
    '-5s',
    '+5s',
    '5S',
    '5sec',
    '1h30',
    '1..5s',
    'soon',
    '1e3s',
    '9'.repeat(60) + 'h',
  ])('does not take %j for a duration', (text) => {
    expect(parseDuration(text)).toBe(null);
  });

  test('keeps tenths of a second exact', () => {
    for (let tenths = 0; tenths < 100; tenths++) expect(parseDuration(`${tenths / 10}s`)).toBe(tenths * 100);
  });
});

import { describe, expect, test } from 'vitest';
import { parseOptions } from './options.ts';

describe('npm run load', () => {
  test('needs no options', () =>
    expect(parseOptions([])).toEqual({
      url: 'http://localhost:8080/productpage',
      control: 'http://localhost:8001',
      connections: 16,
      duration: 20,
      rate: null,
      roll: null,
      json: false,
    }));

  test('takes them all', () =>
    expect(
      parseOptions(
        '--url http://a/b --control http://c/ --connections 2 --duration 3 --rate 4 --roll reviews --json'.split(' '),
      ),
    ).toEqual({
      url: 'http://a/b',
      control: 'http://c',
      connections: 2,
      duration: 3,
      rate: 4,
      roll: 'reviews',
      json: true,
    }));

  test('help is asked for', () => expect(parseOptions(['-h'])).toBe(null));

  test.each([
    [['--connections', '0'], /--connections: expected a whole number from 1, got "0"/],
    [['--rate', '1.5'], /--rate: expected a whole number/],
    [['--url', 'https://x'], /--url: expected a URL such as/],
    [['--control', 'localhost:8001'], /--control: expected a URL/],
    [['--speed', '9'], /--speed/],
  ])('%j is refused by name', (argv, message) => expect(() => parseOptions(argv)).toThrow(message));
});

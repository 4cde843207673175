import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cidrPredicate } from '../core/cidr.ts';
import { bypassed, parseRange, type Range } from './ip-range.ts';

const of = (...texts: string[]): string[] => bypassed(texts.map(parseRange).filter((r): r is Range => r !== null));

describe('all addresses but', () => {
  test.each<[string, string[], string[]]>([
    ['none', [], ['0.0.0.0/0', '::/0']],
    ['every IPv4 address', ['0.0.0.0/0'], ['::/0']],
    ['a half', ['128.0.0.0/1'], ['0.0.0.0/1', '::/0']],
    ['a range inside another one', ['64.0.0.0/2', '64.1.0.0/16'], ['0.0.0.0/2', '128.0.0.0/1', '::/0']],
    [
      'a net',
      ['10.0.0.0/8', '::/1'],
      [
        '0.0.0.0/5',
        '8.0.0.0/7',
        '11.0.0.0/8',
        '12.0.0.0/6',
        '16.0.0.0/4',
        '32.0.0.0/3',
        '64.0.0.0/2',
        '128.0.0.0/1',
        '8000::/1',
      ],
    ],
  ])('%s', (_, ranges, rest) => expect(of(...ranges)).toEqual(rest));

  const address = fc.ipV4();
  const range = fc.tuple(address, fc.nat(32)).map(([a, n]) => `${a}/${n}`);
  test('ranges: an address is either in one of them or in one of the rest', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 6 }), fc.array(address, { minLength: 1 }), (ranges, addresses) => {
        const [inside, outside] = [cidrPredicate(ranges), cidrPredicate(of(...ranges))];
        for (const a of [...addresses, ...ranges.map((r) => r.split('/')[0]!)]) expect(outside(a)).toBe(!inside(a));
      }),
    );
  });
});

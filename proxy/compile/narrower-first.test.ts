import { assert as check, array, constantFrom, nat, property, record, uniqueArray } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cidrPredicate } from '../core/cidr.ts';
import { clusterName } from '../core/brand.ts';
import type { TcpRule } from '../snapshot/listener.ts';
import { hostMatches } from './hosts.ts';
import { narrowerFirst } from './narrower-first.ts';

const rule = (to: string, destinations: readonly string[], serverNames: readonly string[] = []): TcpRule => ({
  destinations,
  serverNames,
  split: [{ cluster: clusterName(to), weight: 100 }],
  source: null,
});
const told = (rules: readonly TcpRule[]): string[] =>
  rules.map((r) => `${r.destinations.join(' ')}|${r.serverNames.join(' ')} ${r.split[0]!.cluster}`);

describe('rules for connections', () => {
  test('go by the longest prefix before they go by the server name', () => {
    const { rules, taken } = narrowerFirst([
      rule('any', []),
      rule('tls', [], ['*']),
      rule('suffix', [], ['*.a.com']),
      rule('exact', [], ['x.a.com']),
      rule('wide', ['10.0.0.0/8']),
      rule('one', ['10.1.1.1'], ['*.a.com']),
    ]);
    expect(told(rules)).toEqual([
      '10.1.1.1|*.a.com one',
      '10.0.0.0/8| wide',
      '|x.a.com exact',
      '|*.a.com suffix',
      '|* tls',
      '| any',
    ]);
    expect(taken).toEqual([]);
  });

  test('stand in several places when their ranges are of several widths', () => {
    const { rules } = narrowerFirst([rule('a', ['10.0.0.0/8', '10.1.1.1']), rule('b', ['10.1.0.0/16'])]);
    expect(told(rules)).toEqual(['10.1.1.1| a', '10.1.0.0/16| b', '10.0.0.0/8| a']);
  });

  test('of the same addresses and names are told, and the later one is left out where nothing is left of it', () => {
    const { rules, taken } = narrowerFirst([
      rule('a', ['10.0.0.1', '10.0.0.2']),
      rule('b', ['10.0.0.2']),
      rule('c', ['10.0.0.2', '10.0.0.3']),
    ]);
    expect(told(rules)).toEqual(['10.0.0.1 10.0.0.2| a', '10.0.0.2 10.0.0.3| c']);
    expect(taken).toEqual([
      { by: 0, from: 1 },
      { by: 0, from: 2 },
    ]);
  });

  test('are tried so that the first that matches is the narrowest', () => {
    const ranges = ['10.0.0.0/8', '10.1.0.0/16', '10.1.1.0/24', '10.1.1.1', '10.2.0.0/16', '0.0.0.0/0'];
    const names = ['*', '*.com', '*.a.com', 'x.a.com', 'y.a.com'];
    const some = (of: string[]) => uniqueArray(constantFrom(...of), { maxLength: 3 });
    const rules = array(record({ destinations: some(ranges), serverNames: some(names) }), { maxLength: 6 });
    check(
      property(rules, nat(3), nat(3), (given, a, b) => {
        const address = ['10.1.1.1', '10.1.1.2', '10.2.0.1', '11.0.0.1'][a]!;
        const name = ['x.a.com', 'z.a.com', 'z.com', ''][b]!;
        const meant = given.map((g, i) => rule(String(i), g.destinations, g.serverNames));
        const first = narrowerFirst(meant).rules.find(
          (r) => width(r.destinations, address) >= -1 && near(r.serverNames, name) >= -1,
        );
        const best = meant
          .map((r) => ({ r, at: [width(r.destinations, address), near(r.serverNames, name)] as const }))
          .filter(({ at }) => at[0] >= -1 && at[1] >= -1)
          .sort((p, q) => q.at[0] - p.at[0] || q.at[1] - p.at[1])[0];
        expect(first?.split).toEqual(best?.r.split);
      }),
    );
  });
});

/** -1: it asks for none. -2: it does not match. */
function width(ranges: readonly string[], address: string): number {
  if (ranges.length === 0) return -1;
  const fits = ranges.filter((range) => cidrPredicate([range])(address));
  return Math.max(-2, ...fits.map((range) => Number(range.split('/')[1] ?? 32)));
}

function near(names: readonly string[], name: string): number {
  if (names.length === 0) return -1;
  const fits = names.filter((n) => n === '*' || (name !== '' && hostMatches(n, name)));
  return Math.max(-2, ...fits.map((n) => (n === '*' ? 0 : n.startsWith('*') ? n.length : 1000)));
}

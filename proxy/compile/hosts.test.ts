import assert from 'node:assert/strict';
import { array, assert as check, constantFrom, property, tuple } from 'fast-check';
import { describe, test } from 'vitest';
import { HostMap, hostMatches, isWildcard, narrower, resolveHost } from './hosts.ts';

describe('host names', () => {
  for (const [host, full] of [
    ['reviews', 'reviews.shop.svc.cluster.local'],
    ['Reviews', 'reviews.shop.svc.cluster.local'],
    ['reviews.prod', 'reviews.prod'],
    ['api.Example.com', 'api.example.com'],
    ['*', '*'],
    ['*.example.com', '*.example.com'],
    ['10.0.0.1', '10.0.0.1'],
    ['fd00::1', 'fd00::1'],
  ] as const) {
    test(`${host} in namespace shop is ${full}`, () => assert.equal(resolveHost(host, 'shop', 'cluster.local'), full));
  }

  for (const { it, a, b, both } of [
    { it: 'the exact one of two', a: 'a.example.com', b: '*.example.com', both: 'a.example.com' },
    { it: 'the longer of two wildcards', a: '*.com', b: '*.example.com', both: '*.example.com' },
    { it: 'anything with `*`', a: '*', b: 'a.com', both: 'a.com' },
    { it: 'nothing of strangers', a: 'a.com', b: '*.org', both: null },
    { it: 'nothing of a domain and what is below it', a: 'example.com', b: '*.example.com', both: null },
  ]) {
    test(`what two patterns share is ${it}`, () => {
      assert.equal(narrower(a, b), both);
      assert.equal(narrower(b, a), both);
    });
  }

  test('are looked up as the obvious search would find them: exact, else the longest wildcard', () => {
    const label = constantFrom('a', 'b', 'c');
    const host = tuple(label, label, label).map((labels) => labels.join('.'));
    const pattern = tuple(constantFrom('', '*', '*.'), array(label, { minLength: 1, maxLength: 3 })).map(
      ([start, labels]) => start + labels.join('.'),
    );
    check(
      property(array(pattern, { maxLength: 8 }), host, (patterns, wanted) => {
        const map = new HostMap<string>();
        for (const p of patterns) map.add(p, p);
        const exact = patterns.find((p) => p === wanted);
        const wild = patterns.filter((p) => isWildcard(p) && hostMatches(p, wanted));
        const longest = wild.sort((x, y) => y.length - x.length)[0];
        assert.equal(map.find(wanted), exact ?? longest);
      }),
      { seed: 7 },
    );
  });
});

import { describe, expect, test } from 'vitest';
import type { Resource } from '../istio/resource.ts';
import type { ServiceEntrySpec } from '../istio/service-entry.ts';
import { autoAddresses } from './auto-addresses.ts';

type Fields = Partial<ServiceEntrySpec> & { readonly labels?: Readonly<Record<string, string>> };

function entry(name: string, { labels, ...spec }: Fields = {}): Resource<ServiceEntrySpec> {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name, namespace: 'default', ...(labels === undefined ? {} : { labels }) },
    spec: { hosts: [`${name}.example`], resolution: 'DNS', ...spec },
  };
}

const many = (count: number): Resource<ServiceEntrySpec>[] =>
  Array.from({ length: count }, (_, i) => entry(`entry-${i}`));

describe('addresses for ServiceEntries that have none', () => {
  test('every host gets one address of each family, from the ranges of Istio', () => {
    const given = autoAddresses([entry('db', { hosts: ['db.example', 'Other.example', '*.wild.example'] })]);
    expect([...given.keys()]).toEqual(['default/db/db.example', 'default/db/other.example']);
    for (const addresses of given.values())
      expect(addresses).toEqual([
        expect.stringMatching(/^240\.240\.\d+\.\d+$/),
        expect.stringMatching(/^2001:2::f0f0:[\da-f]+$/),
      ]);
  });

  test.each([
    ['has addresses of its own', { addresses: ['10.0.0.1'] }, 0],
    ['has ranges of its own', { addresses: ['10.0.0.0/8'] }, 0],
    ['goes where the client goes', { resolution: 'NONE' }, 0],
    ['says nothing of its resolution, which means NONE', { resolution: undefined }, 0],
    ['is resolved at run time', { resolution: 'DYNAMIC_DNS' }, 0],
    ['is labelled', { labels: { 'networking.istio.io/enable-autoallocate-ip': 'False' } }, 0],
    ['is labelled to have them', { labels: { 'networking.istio.io/enable-autoallocate-ip': 'true' } }, 1],
    ['lists its endpoints', { resolution: 'STATIC' }, 1],
    ['is resolved once for each connection', { resolution: 'DNS_ROUND_ROBIN' }, 1],
  ] as const)('an entry that %s', (_, fields, count) => {
    expect(autoAddresses([entry('db', fields as Fields)]).size).toBe(count);
  });

  test('no two hosts share one, and no last octet is 0 or 255', () => {
    const given = [...autoAddresses(many(5000)).values()];
    expect(new Set(given.map(([v4]) => v4)).size).toBe(5000);
    expect(new Set(given.map(([, v6]) => v6)).size).toBe(5000);
    expect(given.filter(([v4]) => /\.(?:0|255)$/.test(v4!))).toEqual([]);
  });

  test('a new entry moves none of the older, however many there are', () => {
    const before = autoAddresses(many(3000));
    const after = autoAddresses(many(6000));
    for (const [key, addresses] of before) expect(after.get(key)).toEqual(addresses);
  });

  test('an entry that goes moves only those that had met it', () => {
    const all = many(1000);
    const before = autoAddresses(all);
    const after = autoAddresses(all.slice(1));
    const moved = [...after].filter(([key, addresses]) => before.get(key)![0] !== addresses[0]);
    expect(moved.length).toBeLessThanOrEqual(1);
  });

  test('an address that somebody wrote is not given to another', () => {
    const [v4, v6] = autoAddresses([entry('db')]).get('default/db/db.example')!;
    for (const address of [v4!, v6!]) {
      const moved = autoAddresses([entry('db'), entry('fixed', { addresses: [address] })]);
      expect(moved.get('default/db/db.example')![0]).not.toBe(v4);
    }
  });

  test('when all are given, the rest get none', () => {
    expect(autoAddresses(many(65_100)).size).toBe(65_024);
  });
});

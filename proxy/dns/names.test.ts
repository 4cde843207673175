import { describe, expect, test } from 'vitest';
import type { NameTable } from '../snapshot/name-table.ts';
import { Names } from './names.ts';

const TABLE: NameTable = {
  'reviews.default.svc.cluster.local': {
    addresses: ['10.0.0.1', '2001:db8::1', '10.0.0.2', 'no address'],
    alternates: ['reviews', 'reviews.default', 'reviews.default.svc'],
  },
  'reviews.default': { addresses: ['10.0.0.9'], alternates: [] },
  'db.example': { addresses: ['240.240.1.1'], alternates: [] },
  '*.wild.example': { addresses: ['10.0.1.1'], alternates: [] },
  '*.narrow.wild.example': { addresses: ['10.0.1.2'], alternates: [] },
};

const names = new Names(TABLE, 'default.svc.cluster.local');
const first = (name: string): string | null => names.find(name)?.known.v4[0]?.join('.') ?? null;

describe('names of the mesh', () => {
  test.each([
    ['reviews.default.svc.cluster.local', '10.0.0.1'],
    ['reviews', '10.0.0.1'],
    ['reviews.default.svc', '10.0.0.1'],
    // A host of that very name goes before another one's short form.
    ['reviews.default', '10.0.0.9'],
    ['db.example', '240.240.1.1'],
    ['a.wild.example', '10.0.1.1'],
    ['a.b.wild.example', '10.0.1.1'],
    ['a.narrow.wild.example', '10.0.1.2'],
    ['wild.example', null],
    ['notwild.example', null],
    ['ratings', null],
    ['', null],
  ])('%s', (name, address) => {
    expect(first(name)).toBe(address);
    if (address !== null) expect(names.find(name)!.alias).toBeNull();
  });

  test.each([
    ['db.example.default.svc.cluster.local', 'db.example'],
    ['reviews.default.default.svc.cluster.local', 'reviews.default'],
    ['a.wild.example.default.svc.cluster.local', 'a.wild.example'],
  ])('%s is what a search makes of %s', (name, alias) => expect(names.find(name)!.alias).toBe(alias));

  test.each([
    // Only the first domain: by the time the others come, the first has been answered.
    'db.example.svc.cluster.local',
    '.default.svc.cluster.local',
    'default.svc.cluster.local',
    '*.wild.example.default.svc.cluster.local',
  ])('%s is nobody', (name) => expect(names.find(name)).toBeNull());

  test('without a search list there are no aliases', () => {
    expect(new Names(TABLE, '').find('db.example.default.svc.cluster.local')).toBeNull();
  });

  test('both families are kept, as bytes; what is no address is left out', () => {
    const { known } = names.find('reviews')!;
    expect(known.v4).toEqual([Uint8Array.of(10, 0, 0, 1), Uint8Array.of(10, 0, 0, 2)]);
    expect(known.v6.map((a) => Buffer.from(a).toString('hex'))).toEqual([`20010db8${'0'.repeat(23)}1`]);
  });
});

import { describe, expect, test } from 'vitest';
import type { Resource } from '#proxy/istio/resource.ts';
import { droppedRules } from './overwrite.ts';

const jason = { headers: { 'end-user': { exact: 'jason' } } };
const vs = (http: object[]): Resource => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name: 'reviews', namespace: 'default' },
  spec: { hosts: ['reviews'], http },
});
const to = (subset: string): object => ({ route: [{ destination: { host: 'reviews', subset } }] });

describe('a VirtualService that replaces another', () => {
  test('says which users lose their rule', () => {
    const [warning, ...more] = droppedRules(vs([{ match: [jason], ...to('v2') }, to('v1')]), vs([to('v3')]));
    expect(warning).toMatch(/default\/reviews.*header end-user exact "jason"/);
    expect(more).toEqual([]);
  });
  test('says nothing when the rule is kept, wherever it goes now', () => {
    expect(
      droppedRules(vs([{ match: [jason], ...to('v2') }]), vs([to('v1'), { match: [jason], ...to('v3') }])),
    ).toEqual([]);
  });
  test('says nothing when it is new, or of another kind', () => {
    expect(droppedRules(null, vs([to('v1')]))).toEqual([]);
    expect(droppedRules(vs([{ match: [jason] }]), { ...vs([]), kind: 'Gateway' })).toEqual([]);
  });
});

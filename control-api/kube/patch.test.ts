import { describe, expect, test } from 'vitest';
import { kindFor } from '#proxy/istio/kinds.ts';
import type { Json, JsonObject } from './json.ts';
import { mergePatch, patched, PATCH_TYPES } from './patch.ts';
import { strategicMerge } from './strategic-merge.ts';

const VS = kindFor('networking.istio.io/v1', 'VirtualService')!;

describe('merge patch (RFC 7396, appendix A)', () => {
  for (const [target, patch, result] of [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ] as [Json, Json, Json][]) {
    test(`${JSON.stringify(target)} with ${JSON.stringify(patch)}`, () =>
      expect(mergePatch(target, patch)).toEqual(result));
  }
});

describe('patched', () => {
  const before = { metadata: { name: 'reviews' }, spec: { hosts: ['reviews'] } };
  const apply = (type: string, patch: Json): JsonObject => patched(before, patch, { type, info: VS });

  test('a JSON patch changes a copy', () => {
    const patch = [{ op: 'add', path: '/spec/hosts/-', value: 'ratings' }];
    expect(apply(PATCH_TYPES.json, patch)).toEqual({ ...before, spec: { hosts: ['reviews', 'ratings'] } });
    expect(before.spec.hosts).toEqual(['reviews']);
  });
  for (const [why, patch] of [
    ['tests something that does not hold', [{ op: 'test', path: '/spec/hosts/0', value: 'other' }]],
    ['removes what is not there', [{ op: 'remove', path: '/spec/gateways' }]],
    ['reaches for the prototype', [{ op: 'add', path: '/__proto__/polluted', value: 'yes' }]],
    ['is null where an operation should be', [null]],
    ['moves a value into itself', [{ op: 'move', from: '/spec', path: '/spec/a' }]],
    [
      'copies copies of copies',
      Array.from({ length: 40 }, (_, i) => ({ op: 'copy', from: '/spec', path: `/spec/a${i}` })),
    ],
    ['has an unknown operation', [{ op: 'frobnicate', path: '/spec' }]],
  ] as [string, Json][]) {
    test(`a JSON patch that ${why} is refused`, () => {
      expect(() => apply(PATCH_TYPES.json, patch)).toThrow(/JSON patch does not apply/);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    });
  }
  test('a strategic merge patch is not for custom resources, as kubectl expects', () => {
    expect(() => apply(PATCH_TYPES.strategic, {})).toThrow(/unsupported format.*merge-patch\+json/);
  });
});

describe('strategic merge patch', () => {
  const containers = [
    {
      name: 'app',
      image: 'a:1',
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
      ],
    },
    { name: 'log', image: 'l:1' },
  ];
  const deployment = (spec: Json): JsonObject => ({ spec: { template: { spec } } });
  for (const { it, target, patch, result, kind = 'Deployment' } of [
    {
      it: 'merges items of a keyed list',
      target: deployment({ containers }),
      patch: deployment({ containers: [{ name: 'app', image: 'a:2' }] }),
      result: deployment({ containers: [{ ...containers[0], image: 'a:2' }, containers[1]!] }),
    },
    {
      it: 'adds an item whose key is new',
      target: deployment({ containers: [containers[1]!] }),
      patch: deployment({ containers: [{ name: 'new', image: 'n' }] }),
      result: deployment({ containers: [containers[1]!, { name: 'new', image: 'n' }] }),
    },
    {
      it: 'deletes an item with $patch: delete, at any depth',
      target: deployment({ containers }),
      patch: deployment({
        containers: [
          { name: 'app', env: [{ name: 'A', $patch: 'delete' }] },
          { name: 'log', $patch: 'delete' },
        ],
      }),
      result: deployment({ containers: [{ name: 'app', image: 'a:1', env: [{ name: 'B', value: '2' }] }] }),
    },
    {
      it: 'replaces a keyed list with $patch: replace',
      target: deployment({ containers }),
      patch: deployment({ containers: [{ $patch: 'replace' }, { name: 'only', image: 'o' }] }),
      result: deployment({ containers: [{ name: 'only', image: 'o' }] }),
    },
    {
      it: 'puts items in the order that is asked for; others keep their places',
      target: deployment({ containers: [{ name: 'x' }, { name: 'a' }, { name: 'b' }] }),
      patch: deployment({
        '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }],
        containers: [{ name: 'b', image: 'i' }],
      }),
      result: deployment({ containers: [{ name: 'x' }, { name: 'b', image: 'i' }, { name: 'a' }] }),
    },
    {
      it: 'keeps only the keys that $retainKeys names',
      target: { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } },
      patch: { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
      result: { spec: { strategy: { type: 'Recreate' } } },
    },
    {
      it: 'takes values out of a list of scalars with $deleteFromPrimitiveList',
      target: { metadata: { finalizers: ['a', 'b'] } },
      patch: { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
      result: { metadata: { finalizers: ['b'] } },
    },
    {
      it: 'joins lists that are sets',
      target: { metadata: { finalizers: ['a'] } },
      patch: { metadata: { finalizers: ['a', 'b'] } },
      result: { metadata: { finalizers: ['a', 'b'] } },
    },
    {
      it: 'replaces lists that have no key',
      target: deployment({ containers: [{ name: 'app', args: ['a'] }] }),
      patch: deployment({ containers: [{ name: 'app', args: ['b', 'c'] }] }),
      result: deployment({ containers: [{ name: 'app', args: ['b', 'c'] }] }),
    },
    {
      it: 'merges the ports of a service by number',
      kind: 'Service',
      target: {
        spec: {
          ports: [
            { port: 80, name: 'http' },
            { port: 443, name: 'https' },
          ],
        },
      },
      patch: { spec: { ports: [{ port: 80, targetPort: 8080 }] } },
      result: {
        spec: {
          ports: [
            { port: 80, name: 'http', targetPort: 8080 },
            { port: 443, name: 'https' },
          ],
        },
      },
    },
    {
      it: 'deletes what is null',
      target: { spec: { a: 1, b: 2 } },
      patch: { spec: { a: null } },
      result: { spec: { b: 2 } },
    },
    {
      it: 'replaces a map with $patch: replace',
      target: { a: { b: 1 } },
      patch: { a: { $patch: 'replace', c: 2 } },
      result: { a: { c: 2 } },
    },
  ] as { it: string; target: JsonObject; patch: JsonObject; result: JsonObject; kind?: string }[]) {
    test(it, () => {
      const copy = structuredClone(target);
      expect(strategicMerge(target, patch, kind)).toEqual(result);
      expect(target).toEqual(copy);
    });
  }
  test('an item without its merge key is refused, naming the list', () => {
    expect(() => strategicMerge({}, { spec: { ports: [{ name: 'x' }] } }, 'Service')).toThrow(
      /spec\.ports.*merge key "port"/,
    );
  });
  test('an unknown directive is refused', () => {
    expect(() => strategicMerge({}, { $patch: 'explode' }, 'Service')).toThrow(/explode/);
  });
});

import { describe, expect, test } from 'vitest';
import type { JsonObject } from './json.ts';
import { pruned } from './prune.ts';

describe('pruned', () => {
  const object: JsonObject = {
    spec: { http: [{ a: 1, b: 2 }], c: 3 },
    metadata: { labels: { 'x.io/y': 'z', k: 'v' } },
  };
  for (const [path, result] of [
    ['spec.http[0].a', { ...object, spec: { http: [{ b: 2 }], c: 3 } }],
    ['spec.c', { ...object, spec: { http: [{ a: 1, b: 2 }] } }],
    ['metadata.labels[x.io/y]', { ...object, metadata: { labels: { k: 'v' } } }],
    ['spec.http[7].a', object],
    ['spec.constructor.name', object],
    ['', object],
  ] as [string, JsonObject][]) {
    test(`"${path}" is taken out, or was not there`, () => {
      const before = JSON.stringify(object);
      expect(pruned(object, [path])).toEqual(result);
      expect(JSON.stringify(object)).toBe(before);
    });
  }
});

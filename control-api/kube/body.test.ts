import { describe, expect, test } from 'vitest';
import { decodeBody } from './body.ts';

const YAML = 'application/yaml';
const decode = (text: string, type: string): unknown => decodeBody(Buffer.from(text), type);

describe('bodies', () => {
  test('YAML and JSON mean the same, in either media type for JSON', () => {
    const value = { kind: 'Pod', list: [1, 'yes', null], '8080': true };
    expect(decode('kind: Pod\nlist: [1, yes, null]\n8080: true\n', YAML)).toEqual(value);
    expect(decode(JSON.stringify(value), 'application/apply-patch+yaml')).toEqual(value);
    expect(decode(JSON.stringify(value), 'application/json; charset=utf-8')).toEqual(value);
  });

  for (const { what, text, says } of [
    { what: 'a syntax error', text: 'a:\n\t- b', says: /not valid YAML: .*line 2, column/ },
    { what: 'a duplicate key', text: 'a: 1\na: 2', says: /duplicate key `a` at line 2, column 1/ },
    { what: 'several documents', text: 'a: 1\n---\nb: 2', says: /expected one document, got 2/ },
    { what: 'nesting without end', text: '['.repeat(10_000), says: /100 levels of nesting/ },
    { what: 'an alias inside of what it stands for', text: 'a: &a [*a]', says: /alias `a` stands inside/ },
    { what: 'a field named __proto__', text: '__proto__: {a: 1}', says: /a field named __proto__/ },
    {
      what: 'more text than is worth parsing',
      text: `a: ${'x'.repeat(2 * 1024 * 1024)}`,
      says: /at most 1572864 bytes/,
    },
    {
      what: 'aliases that stand for more than memory holds',
      text: `a: &a [${'x,'.repeat(2000)}]\nb: &b [${'*a,'.repeat(2000)}]\nc: [*b]`,
      says: /aliases/,
    },
    {
      what: 'aliases of a long text',
      text: `a: &a "${'x'.repeat(500_000)}"\nb: [${'*a,'.repeat(20_000)}]`,
      says: /aliases/,
    },
  ]) {
    test(`YAML with ${what} is refused`, () => {
      expect(() => decode(text, YAML)).toThrow(says);
    });
  }

  test('the time for YAML grows with its length, not with the square of its keys', () => {
    const text = (keys: number): string => Array.from({ length: keys }, (_, i) => `k${i}: 1\n`).join('');
    const timed = (keys: number): number => {
      const start = performance.now();
      decode(text(keys), YAML);
      return performance.now() - start;
    };
    timed(2000);
    // Quadratic would be 256 times as long; linear is 16.
    expect(timed(32_000)).toBeLessThan(80 * Math.max(timed(2000), 5));
  });
});

/** Istio's four modes of path normalization, side by side (checklist C1); what Istio's TestNormalization expects is among the rows. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PATH_NORMALIZATIONS, normalizePath, pathNormalizer, type PathNormalization } from './path.ts';

/** What a path becomes in NONE, BASE, MERGE_SLASHES, DECODE_AND_MERGE_SLASHES. `=`: what it was. */
const ROWS: readonly (readonly [raw: string, base: string, merge: string, decode: string])[] = [
  ['/', '=', '=', '='],
  ['/app', '=', '=', '='],
  ['/app/', '=', '=', '='],
  ['/app//', '=', '/app/', '/app/'],
  ['//app', '=', '/app', '/app'],
  ['///', '=', '/', '/'],
  ['/app/../admin', '/admin', '/admin', '/admin'],
  ['/app/%2E./admin', '/admin', '/admin', '/admin'],
  ['/app/%2f', '=', '=', '/app/'],
  ['/app%2f/', '=', '=', '/app/'],
  ['/app/..%2fadmin', '=', '=', '/admin'],
  ['/app/%2e%2e%2Fadmin', '/app/..%2Fadmin', '/app/..%2Fadmin', '/admin'],
  ['/app/..%5cadmin', '=', '=', '/admin'],
  ['/xyz%30..//abc', '/xyz0..//abc', '/xyz0../abc', '/xyz0../abc'],
  ['/app\\admin', '/app/admin', '/app/admin', '/app/admin'],
  ['/app/\\/\\/\\admin', '/app//////admin', '/app/admin', '/app/admin'],
  ['/%2Fapp%5cadmin%5Cabc', '=', '=', '/app/admin/abc'],
  [
    '/%5Capp%2f%5c%2F%2e%2e%2fadmin%5c\\abc',
    '/%5Capp%2f%5c%2F..%2fadmin%5c/abc',
    '/%5Capp%2f%5c%2F..%2fadmin%5c/abc',
    '/app/admin/abc',
  ],
  // Dot segments go before slashes are merged: an empty segment is one that `..` takes away.
  ['/app//../admin', '/app/admin', '/app/admin', '/app/admin'],
  ['/app//../../admin', '/admin', '/admin', '/admin'],
  ['/%c0%2e%c0%2e/admin', '/%c0.%c0./admin', '/%c0.%c0./admin', '/%c0.%c0./admin'],
  ['/%c0%2fadmin', '=', '=', '/%c0/admin'],
  // Decoded once, never twice.
  ['/%252e%252e%252fadmin', '=', '=', '='],
  ['/a%252fb', '=', '=', '='],
  ['/%c0%afadmin', '=', '=', '='],
  ['/0x2e0x2e0x2fadmin', '=', '=', '='],
  ['/..;/admin', '/admin', '/admin', '/admin'],
  ['/a%2f..;b%5cadmin', '=', '=', '/admin'],
  ['/a//.;b//..;c//admin', '/a///admin', '/a/admin', '/a/admin'],
  ['/admin;a=b//x', '=', '/admin;a=b/x', '/admin;a=b/x'],
  ['/Admin', '=', '=', '='],
  // The query is nobody's.
  ['/a//b?c=//d%2fe', '=', '/a/b?c=//d%2fe', '/a/b?c=//d%2fe'],
  ['/a%2fb?c=%5C/../', '=', '=', '/a/b?c=%5C/../'],
  ['/?//', '=', '=', '='],
  ['*', '=', '=', '='],
];

const REFUSED = ['/admin%00', '/a%00/../b', '/a//b%00', '/a%2f%00', '/a#b', '/a b', 'admin', '', '/\u00e9', '/a\x7f'];

describe('each mode has its normal form (C1)', () => {
  for (const [raw, base, merge, decode] of ROWS) {
    for (const [mode, want] of Object.entries({
      NONE: '=',
      BASE: base,
      MERGE_SLASHES: merge,
      DECODE_AND_MERGE_SLASHES: decode,
    }))
      test(`of ${raw} in ${mode}`, () =>
        expect(pathNormalizer(mode as PathNormalization)(raw)).toBe(want === '=' ? raw : want));
  }

  for (const mode of PATH_NORMALIZATIONS) {
    test(`and in ${mode} a NUL, a fragment and what is no path are refused`, () => {
      for (const raw of REFUSED) expect(pathNormalizer(mode)(raw), raw).toBeNull();
    });
  }
});

describe('of %01 to %ff', () => {
  const codes = Array.from({ length: 255 }, (_, i) => i + 1);
  const escaped = (code: number): readonly string[] => {
    const digits = code.toString(16).padStart(2, '0');
    return [`%${digits}`, `%${digits.toUpperCase()}`];
  };

  test('NONE decodes none', () => {
    for (const escape of codes.flatMap(escaped)) expect(pathNormalizer('NONE')(`/a${escape}`)).toBe(`/a${escape}`);
  });

  test('MERGE_SLASHES decodes what BASE does', () => {
    for (const escape of codes.flatMap(escaped))
      expect(pathNormalizer('MERGE_SLASHES')(`/a${escape}`)).toBe(normalizePath(`/a${escape}`));
  });

  test('DECODE_AND_MERGE_SLASHES decodes both slashes besides', () => {
    for (const code of codes) {
      for (const escape of escaped(code)) {
        const want = code === 0x2f || code === 0x5c ? '/a/' : normalizePath(`/a${escape}`);
        expect(pathNormalizer('DECODE_AND_MERGE_SLASHES')(`/a${escape}`)).toBe(want);
      }
    }
  });
});

test('a merging mode leaves no empty segment, no backslash and no dot segment', () => {
  const piece = fc.constantFrom('/', '//', '.', '..', '%2e', '\\', '%2f', '%5C', 'a', '%41', '?', ';', '%25');
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }),
      fc.constantFrom<PathNormalization>('MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES'),
      (pieces, mode) => {
        const raw = `/${pieces.join('')}`;
        const normal = pathNormalizer(mode)(raw)!;
        const path = normal.split('?')[0]!;
        expect(path).not.toMatch(/\\|\/\/|\/\.\.?(?:\/|$)/);
        if (mode === 'DECODE_AND_MERGE_SLASHES') expect(path).not.toMatch(/%2f|%5c/i);
        expect(pathNormalizer(mode)(normal)).toBe(normal);
        expect(normal.slice(path.length)).toBe(raw.includes('?') ? raw.slice(raw.indexOf('?')) : '');
      },
    ),
    { numRuns: 2000 },
  );
});

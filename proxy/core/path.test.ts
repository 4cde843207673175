import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normalizePath, pathOfTarget, withoutQuery } from './path.ts';

/** What Istio's own TestNormalization expects of `BASE`, and Envoy's documentation of normalize_path. */
const BASE: readonly (readonly [string, string | null])[] = [
  ['/', '/'],
  ['/app/', '/app/'],
  ['/app', '/app'],
  ['/app//', '/app//'],
  ['/app/../admin', '/admin'],
  ['/app/%2E./admin', '/admin'],
  ['/app/%2e%2E/admin', '/admin'],
  ['/app/%2f', '/app/%2f'],
  ['/app%2f/', '/app%2f/'],
  ['/xyz%30..//abc', '/xyz0..//abc'],
  ['/app\\admin', '/app/admin'],
  ['/app/\\/\\/\\admin', '/app//////admin'],
  ['/%2Fapp%5cadmin%5Cabc', '/%2Fapp%5cadmin%5Cabc'],
  ['/%5Capp%2f%5c%2F%2e%2e%2fadmin%5c\\abc', '/%5Capp%2f%5c%2F..%2fadmin%5c/abc'],
  ['/app//../admin', '/app/admin'],
  ['/app//../../admin', '/admin'],
  ['/../../admin', '/admin'],
  ['/a/..', '/'],
  ['/a/.', '/a/'],
  ['/a/./b', '/a/b'],
  ['/.', '/'],
  ['/..', '/'],
  ['//..', '/'],
  ['/...', '/...'],
  ['/..../admin', '/..../admin'],
  // A dot segment with parameters is one to servers that read parameters (CVE-2026-73551).
  ['/..;/admin', '/admin'],
  ['/a/..;b=c/admin', '/admin'],
  ['/a/.;b/admin', '/a/admin'],
  ['/a/..;b', '/'],
  ['/a/%2e%2E;b/admin', '/admin'],
  ['/a/...;b', '/a/...;b'],
  ['/a;../b', '/a;../b'],
  ['/a/;../b', '/a/;../b'],
  ['/a/..%3bb', '/a/..%3bb'],
  ['/.well-known/x', '/.well-known/x'],
  ['/admin;a=b/xyz', '/admin;a=b/xyz'],
  ['/Admin', '/Admin'],
  ['/%252e%252e/admin', '/%252e%252e/admin'],
  ['/%c0%ae%c0%ae/admin', '/%c0%ae%c0%ae/admin'],
  ['/%zz%4', '/%zz%4'],
  ['/%41%7e%2D%5f%7E', '/A~-_~'],
  ['/a%20b', '/a%20b'],
  ['\\a', '/a'],
  ['*', '*'],
  // The query is not touched, whatever it looks like.
  ['/a?b=../%2e%2e\\//c', '/a?b=../%2e%2e\\//c'],
  ['/a/../b?x=/../y', '/b?x=/../y'],
  ['/%41?%41', '/A?%41'],
  ['/?', '/?'],
  // Refused.
  ['/app#foo', null],
  ['/a?b#c', null],
  ['/admin%00', null],
  ['/a b', null],
  ['/a\tb', null],
  ['/a\u00e9', null],
  ['/a?\u00e9', null],
  ['/a\x7f', null],
  ['/\x00', null],
  ['', null],
  ['admin', null],
  ['**', null],
  ['?', null],
];

describe('BASE normalization (C1, C4)', () => {
  for (const [raw, normal] of BASE) {
    test(`${JSON.stringify(raw)} becomes ${JSON.stringify(normal)}`, () => expect(normalizePath(raw)).toBe(normal));
  }

  test('of %01 to %ff only the unreserved are decoded, in either case of the digits', () => {
    for (let code = 1; code < 256; code++) {
      const char = String.fromCharCode(code);
      for (const digits of [code.toString(16).padStart(2, '0'), code.toString(16).padStart(2, '0').toUpperCase()]) {
        const out = /[A-Za-z0-9._~-]/.test(char) && code < 128 ? char : `%${digits}`;
        expect(normalizePath(`/admin%${digits}`)).toBe(`/admin${out}`);
      }
    }
  });

  test('is its own fixed point, and leaves no dot segment and no backslash', () => {
    const piece = fc.constantFrom(
      '/',
      '/',
      '.',
      '..',
      '%2e',
      '%2E',
      '\\',
      '%2f',
      '%5c',
      'a',
      '%41',
      '%25',
      '%',
      ';',
      '//',
      '%2',
      'é',
      '%7e',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const normal = normalizePath(`/${pieces.join('')}`);
        if (normal === null) return;
        expect(normal).toMatch(/^\//);
        expect(normal).not.toMatch(/\\|\/\.\.?(?:\/|$)/);
        // A broken escape may end where decoding put a digit behind it: `%2%65` becomes `%2e`, as in Envoy.
        if (!pieces.some((p) => p === '%' || p === '%2')) expect(normalizePath(normal)).toBe(normal);
      }),
      { numRuns: 2000 },
    );
  });

  test('a hostile path of 64 KB is done at once', () => {
    const start = performance.now();
    normalizePath('/a'.repeat(16_000) + '/b/..'.repeat(6_500));
    normalizePath('/..'.repeat(21_000));
    normalizePath(`/${'%41'.repeat(21_000)}`);
    expect(performance.now() - start).toBeLessThan(200);
  });
});

describe('the path of a target', () => {
  for (const [target, path] of [
    ['/a/../b?c', '/a/../b?c'],
    ['http://reviews:9080/a/%2e?b', '/a/%2e?b'],
    ['http://reviews:9080', '/'],
    ['http://reviews?b', '/?b'],
    ['http://reviews\\a', '\\a'],
    ['*', '*'],
    ['reviews:443', 'reviews:443'],
  ] as const) {
    test(`of ${target} is ${path}`, () => expect(pathOfTarget(target)).toBe(path));
  }
});

test('the query begins at the first question mark', () => {
  expect(withoutQuery('/a?b?c')).toBe('/a');
  expect(withoutQuery('/a')).toBe('/a');
});

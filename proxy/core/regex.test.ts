import * as fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, test } from 'vitest';
import { compileRegex, compileReplace, regexProblem } from './regex.ts';
import { translateSimple } from './simple-regex.ts';

describe('validity is RE2s', () => {
  for (const bad of ['(', 'a{1001}', '(?=a)', '(a)\\1', 'a++', '[z-a]', 'a\\', '*', 'a'.repeat(1025)]) {
    test(`${bad.slice(0, 20)} is refused with a reason`, () => {
      expect(regexProblem(bad)).toMatch(/./);
      expect(compileRegex(bad)).toBeNull();
    });
  }

  for (const good of ['', '.*', '(?i)a', '[[:alpha:]]+', '\\pL', '(?P<n>a)', '^a$', '\\z', 'a'.repeat(1024)]) {
    test(`${good.slice(0, 20)} is taken`, () => expect(regexProblem(good)).toBeNull());
  }
});

describe('plain patterns run on V8', () => {
  for (const pattern of [
    '.*',
    '/api/v[0-9]+/.*',
    'v\\d+',
    '[^/]+/x',
    'jason',
    '^/a\\.b$',
    'Mozilla.*',
    '/productpage.?',
    '[0-9a-f-]+',
  ]) {
    test(`${pattern} does`, () => expect(translateSimple(pattern)).not.toBeNull());
  }

  for (const pattern of [
    '(a+)+',
    '.*.*',
    '.*a.*b',
    'a?a?a?',
    '[[:alpha:]]',
    '(?i)a',
    'a|b',
    'a{3}',
    '\\bx',
    'a*?',
    '[\\d]',
    'é',
    '.*[a-z]+/',
    'a+[ab]*x',
    'a+b?a+',
  ]) {
    test(`${pattern} does not`, () => expect(translateSimple(pattern)).toBeNull());
  }
});

test('a translated pattern means what RE2 means by it', () => {
  const item = fc.constantFrom(
    'a',
    'b',
    '-',
    '/',
    '.',
    '\\.',
    '\\d',
    '\\w',
    '[ab]',
    '[^a]',
    '[a-c/]',
    '[^/]',
    '[-a]',
    '[a-]',
    '[\\]]',
    '\\$',
    '_',
    ' ',
    '"',
    '~',
  );
  const repeat = fc.constantFrom('', '', '', '*', '+', '?');
  const pattern = fc
    .array(
      fc.tuple(item, repeat).map(([a, b]) => a + b),
      { maxLength: 6 },
    )
    .map((items) => items.join(''));
  const value = fc.string({
    unit: fc.constantFrom('a', 'b', 'c', '-', '/', '.', '1', '\n', '\r', ']', '$', 'é', '😀', '\\', '^', ' '),
    maxLength: 8,
  });
  let translated = 0;
  fc.assert(
    fc.property(
      pattern,
      fc.constantFrom('', '^'),
      fc.constantFrom('', '$'),
      fc.array(value, { minLength: 5, maxLength: 5 }),
      (body, from, to, values) => {
        const whole = from + body + to;
        const ours = translateSimple(whole);
        if (ours === null) return;
        translated++;
        const re2 = RE2JS.compile(whole);
        for (const text of values)
          expect(ours.test(text), `${whole} on ${JSON.stringify(text)}`).toBe(re2.matches(text));
      },
    ),
    { numRuns: 3000 },
  );
  expect(translated).toBeGreaterThan(500);
});

describe('time is linear in the value (C7)', () => {
  const value = `${'a'.repeat(50_000)}!`;
  for (const pattern of [
    '(a+)+',
    '(a|a)*',
    '.*a',
    '(a*)*b',
    '[^/]+/',
    'a+b.*c',
    '((a{0,5}){0,5}){0,5}',
    '(.*)(.*)(.*)x',
    '.*[a-z]+/',
    '[a-z]+[a-z]/',
    '[^/]+a?a?b',
  ]) {
    test(`${pattern} decides a hostile value of 50 KB quickly`, () => {
      const matches = compileRegex(pattern)!;
      const start = performance.now();
      expect(matches(value)).toBe(false);
      // Five milliseconds on an idle machine; exponential engines take hours.
      expect(performance.now() - start).toBeLessThan(500);
    });
  }
});

describe('replacing', () => {
  for (const [pattern, by, text, out] of [
    ['^/service/([^/]+)(/.*)$', '\\2/instance/\\1', '/service/foo/v1/api', '/v1/api/instance/foo'],
    ['one', 'two', '/xxx/one/yyy/one/zzz', '/xxx/two/yyy/two/zzz'],
    ['^(.*?)one(.*)$', '\\1two\\2', '/xxx/one/yyy/one/zzz', '/xxx/two/yyy/one/zzz'],
    ['(?i)/xxx/', '/yyy/', '/aaa/XxX/bbb', '/aaa/yyy/bbb'],
    ['/', '\\\\$1\\0', '/a', '\\$1/a'],
    ['(x)|a', '[\\1]', '/a/x', '/[]/[x]'],
    ['a', '\\9', '/a', '/'],
    ['nothing', 'x', '/a', '/a'],
    ['b*', 'x', 'abc', 'xaxcx'],
  ] as const) {
    test(`s${pattern} → ${by} makes ${out} of ${text}`, () => expect(compileReplace(pattern, by)!(text)).toBe(out));
  }

  test('a pattern that is no RE2 replaces nothing', () => expect(compileReplace('(', 'x')).toBeNull());
});

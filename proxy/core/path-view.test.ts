import { posix } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PATH_NORMALIZATIONS, pathNormalizer } from './path.ts';
import { decisionViews, isAmbiguous, viewsOf } from './path-view.ts';

describe('views of a path', () => {
  test('a plain path has one, itself', () => {
    for (const path of ['/', '/reviews/0', '/static/app.min.js', '*']) expect(decisionViews(path)).toEqual([path]);
  });

  for (const [raw, seen] of [
    ['/private//secret.html', '/private/secret.html'],
    ['/private%2Fsecret.html', '/private/secret.html'],
    ['/%2570rivate/secret.html', '/private/secret.html'],
    ['/private\\secret.html', '/private/secret.html'],
    ['/private%5csecret.html', '/private/secret.html'],
    ['/public/..;/private/secret.html', '/private/secret.html'],
    ['/private;x=1/secret.html;y', '/private/secret.html'],
    ['/public/%2e%2e/private/secret.html', '/private/secret.html'],
    ['/public/..%2fprivate/secret.html', '/private/secret.html'],
    ['/public//../private/secret.html', '/private/secret.html'],
    ['/private/x//../../secret.html', '/private/secret.html'],
    ['/private/x//../..//secret.html', '/private/secret.html'],
    ['/private%c0%afsecret.html', '/private/secret.html'],
    ['/%c0%ae%c0%ae/private/secret.html', '/private/secret.html'],
    ['/private%e0%80%afsecret.html', '/private/secret.html'],
    ['/private%252fsecret.html', '/private/secret.html'],
    ['/./private/./secret.html', '/private/secret.html'],
  ] as const) {
    test(`of ${raw} include ${seen}, and what was written`, () => {
      const views = decisionViews(raw);
      expect(views).toContain(seen);
      expect(views[0]).toBe(raw);
    });
  }

  test('stay few, and quick, however hostile the path', () => {
    const start = performance.now();
    for (const raw of [
      `/${'%25'.repeat(20_000)}41`,
      '/a/..;'.repeat(10_000),
      '/%2e%2e\\'.repeat(8_000),
      '/;'.repeat(30_000),
    ]) {
      expect(decisionViews(raw).length).toBeLessThanOrEqual(18);
    }
    expect(performance.now() - start).toBeLessThan(1000);
  });

  test('of a request are those of its raw target, with the normal path among them and the query gone', () => {
    expect(viewsOf('/a/../b?x=%2e', '/b?x=%2e')).toEqual(['/a/../b', '/b']);
    expect(viewsOf('/a?x=..//%41', '/a?x=..//%41')).toEqual(['/a']);
    expect(viewsOf('/a/./b', '/rewritten')).toContain('/rewritten');
  });
});

describe('no spelling hides a file from a DENY (C2)', () => {
  /** Servers that read paths in their own ways; each answers the file it would open. */
  const servers: Record<string, (raw: string) => string> = {
    'decode, then resolve': (raw) => posix.normalize(decode(raw)),
    'resolve, then decode': (raw) => decode(posix.normalize(raw)),
    'URL, decode, open': (raw) => posix.normalize(decode(new URL(`http://h${raw}`).pathname)),
    'decode twice': (raw) => posix.normalize(decode(decode(raw))),
    'drop parameters, decode, resolve': (raw) => posix.normalize(decode(raw.replace(/;[^/]*/g, ''))),
    'backslashes are slashes': (raw) => posix.normalize(decode(raw).replaceAll('\\', '/')),
  };
  const normalizers = PATH_NORMALIZATIONS.map(pathNormalizer);
  const secret = '/private/secret.html';
  const letter = (c: string) => fc.constantFrom(c, c, c, `%${hex(c)}`, `%25${hex(c)}`, `%${hex(c).toUpperCase()}`);
  const slash = fc.constantFrom(
    '/',
    '/',
    '//',
    '/./',
    '%2f',
    '%2F',
    '\\',
    '%5c',
    '/x/../',
    '/x//../',
    '/%2e/',
    '/;a/',
    '/..;/',
    ';b/',
    '/y/%2e%2e/',
    '%252f',
  );
  const word = (text: string) => fc.tuple(...text.split('').map(letter)).map((letters) => letters.join(''));
  const spelled = fc
    .tuple(slash, word('private'), slash, word('secret.html'), fc.constantFrom('', '', ';c', '/.', '/x/..', '%3b'))
    .map((parts) => `/${parts.join('')}`);

  for (const [name, open] of Object.entries(servers)) {
    test(`from a server that would ${name}`, () => {
      let opened = 0;
      fc.assert(
        fc.property(spelled, (raw) => {
          // The proxy sends the normal form on, whatever the mode; some servers are reached past it, in their own spelling.
          for (const normal of new Set([raw, ...normalizers.map((normalize) => normalize(raw))])) {
            if (normal === null || open(normal).replace(/\/$/, '') !== secret) continue;
            opened++;
            const views = viewsOf(raw, normal).map((view) => view.replace(/\/$/, ''));
            expect(views, `${raw} opens ${open(normal)}`).toContain(secret);
          }
        }),
        // The same spellings each time: how many of them open the file is counted below.
        { numRuns: 3000, seed: 20_261_121 },
      );
      expect(opened).toBeGreaterThan(5);
    });
  }

  function decode(text: string): string {
    return text.replace(/%[0-9a-f]{2}/gi, (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16)));
  }

  function hex(c: string): string {
    return c.charCodeAt(0).toString(16).padStart(2, '0');
  }
});

test('only spellings that can be read in two ways cost anything', () => {
  expect(['/', '/a.b/c-d_e~f', '/a@b:c,d=e'].filter(isAmbiguous)).toEqual([]);
  expect(['/%41', '//', '/a//b', '/a\\b', '/a;b', '/./a', '/a/..', '/.a'].filter((path) => !isAmbiguous(path))).toEqual(
    [],
  );
});

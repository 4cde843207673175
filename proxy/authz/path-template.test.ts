import { describe, expect, test } from 'vitest';
import { parsePathTemplate } from './path-template.ts';

describe('a path template', () => {
  for (const [template, fits, refuses] of [
    ['/foo/{*}', ['/foo/bar'], ['/foo/bar/baz', '/foo/', '/foo', '/x/bar']],
    ['/foo/{**}/', ['/foo/bar/', '/foo/bar/baz.txt/', '/foo//'], ['/foo/bar', '/foo', '/foo/']],
    [
      '/foo/{*}/bar/{**}',
      ['/foo/buzz/bar/', '/foo/buzz/bar/baz', '/foo/buzz/bar/a/b'],
      ['/foo/bar/baz', '/foo/buzz/bar', '/foo//bar/'],
    ],
    ['/{**}', ['/', '/a', '/a/b'], ['']],
    ['/{*}/baz', ['/a/baz'], ['/baz', '//baz', '/a/b/baz']],
    ['/a/{**}/z', ['/a/b/z', '/a//z', '/a/b/c/z'], ['/a/z', '/a/b/zz']],
    ['/{*}/{*}', ['/a/b'], ['/a', '/a/', '/a/b/c']],
    ['/plain', ['/plain'], ['/plain/', '/plai']],
  ] as const) {
    test(`${template} fits ${fits.join(' ')} and not ${refuses.join(' ')}`, () => {
      const matches = parsePathTemplate(template)!;
      expect(fits.filter((path) => !matches(path))).toEqual([]);
      expect(refuses.filter((path) => matches(path))).toEqual([]);
    });
  }

  for (const bad of ['', 'foo', '/{**}/{*}', '/{**}/{**}', '/a{*}', '/{*}b', '/{', '/a/{x}', '/*', '/a/}', '/{***}']) {
    test(`${bad || 'nothing'} is malformed`, () => expect(parsePathTemplate(bad)).toBeNull());
  }
});

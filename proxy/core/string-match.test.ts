import { describe, expect, test } from 'vitest';
import { headerPredicate, optionalPredicate, stringPredicate, type StringTest } from './string-match.ts';

describe('a string match', () => {
  for (const [match, holds, fails] of [
    [{ kind: 'exact', value: 'jason' }, ['jason'], ['Jason', 'jason ', '', 'xjason']],
    [{ kind: 'exact', value: 'Jason', ignoreCase: true }, ['jason', 'JASON'], ['jaso', 'jasons']],
    [{ kind: 'prefix', value: '/api' }, ['/api', '/apix', '/api/v1'], ['/API', '/ap', '']],
    [{ kind: 'prefix', value: '/Api', ignoreCase: true }, ['/api', '/APIx'], ['/ap', '/bapi']],
    [{ kind: 'suffix', value: '.com' }, ['.com', 'a.com'], ['a.com.', 'com']],
    [{ kind: 'suffix', value: '.Com', ignoreCase: true }, ['a.COM'], ['com', 'a.org']],
    [{ kind: 'prefix', value: '' }, ['', 'a'], []],
    [{ kind: 'regex', value: 'a|ab' }, ['a', 'ab'], ['abc', 'xa', '']],
    [{ kind: 'regex', value: '(?i)jason.*' }, ['JASON', 'jasonx'], ['xjason', 'jason\n']],
    [{ kind: 'regex', value: '(' }, [], ['', '(']],
    [{ kind: 'present' }, ['', 'a'], []],
  ] satisfies [StringTest, string[], string[]][]) {
    test(`${JSON.stringify(match)} holds for ${JSON.stringify(holds)} and not for ${JSON.stringify(fails)}`, () => {
      const predicate = stringPredicate(match);
      expect(holds.filter((value) => !predicate(value))).toEqual([]);
      expect(fails.filter((value) => predicate(value))).toEqual([]);
    });
  }
});

describe('a value that may be missing', () => {
  for (const [match, invert, missing, empty, a] of [
    [{ kind: 'exact', value: 'a' }, false, false, false, true],
    [{ kind: 'exact', value: 'a' }, true, true, true, false],
    [{ kind: 'exact', value: '' }, false, false, true, false],
    [{ kind: 'exact', value: '' }, true, false, false, true],
    [{ kind: 'regex', value: '.*' }, true, false, false, false],
    [{ kind: 'present' }, false, false, true, true],
    [{ kind: 'present' }, true, true, false, false],
  ] satisfies [StringTest, boolean, boolean, boolean, boolean][]) {
    test(`${JSON.stringify(match)}, inverted: ${invert}`, () => {
      const predicate = optionalPredicate(match, invert);
      expect([predicate(undefined), predicate(''), predicate('a')]).toEqual([missing, empty, a]);
    });
  }
});

test('several lines of one header are asked one by one', () => {
  const one = headerPredicate({ name: 'x-role', match: { kind: 'exact', value: 'admin' }, invert: false });
  expect(one(['X-Role', 'user', 'accept', '*/*', 'x-role', 'admin'])).toBe(true);
  expect(one(['x-role', 'user,admin'])).toBe(false);
  expect(one([])).toBe(false);
  const none = headerPredicate({ name: 'x-role', match: { kind: 'exact', value: 'admin' }, invert: true });
  expect(none(['X-Role', 'user', 'x-role', 'admin'])).toBe(false);
  expect(none(['X-Role', 'user', 'x-role', 'guest'])).toBe(true);
  expect(none([])).toBe(true);
});

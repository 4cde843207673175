import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { compileTimeFormat } from './time-format.ts';

/** As the real Envoy 1.40 wrote 2026-11-21T18:34:18.275702Z (a Saturday). */
const AT = Date.UTC(2026, 10, 21, 18, 34, 18, 275) + 0.702;

describe('time format', () => {
  test.each([
    ['%Y-%m-%dT%H:%M:%S%z %s', '2026-11-21T18:34:18+0000 1795286058'],
    ['%s.%3f|%6f|%9f|%f|%1f', '1795286058.275|275702|275702000|275702000|2'],
    [
      '%a %A %b %B %e %j %y %I %p %T %F %D %Z %U %w %t',
      'Sat Saturday Nov November 21 325 26 06 PM 18:34:18 2026-11-21 11/21/26 UTC 46 6 \t',
    ],
    [
      '%c %x %X %r %R %h %C %G %V %u %k %l',
      'Sat Nov 21 18:34:18 2026 11/21/26 18:34:18 06:34:18 PM 18:34 Nov 20 2026 47 6 18  6',
    ],
    ['%E3S %E*S %Ez %E4Y %ET %P %Q %% %W %g', '18.275 18.275702 +00:00 2026 T pm %Q % 46 26'],
    ['%%D %', '%D %'],
  ])('%s', (format, expected) => {
    assert.equal(compileTimeFormat(format)(AT), expected);
  });

  test('ISO weeks belong to the year of their Thursday', () => {
    const at = compileTimeFormat('%G-W%V-%u %j %U %W');
    assert.equal(at(Date.UTC(2027, 0, 1)), '2026-W53-5 001 00 00');
    assert.equal(at(Date.UTC(2024, 11, 30)), '2025-W01-1 365 52 53');
    assert.equal(at(Date.UTC(2028, 0, 2)), '2027-W52-7 002 01 00');
  });

  test('one function tells one time after another', () => {
    const at = compileTimeFormat('%T.%3f');
    assert.deepEqual([AT, AT + 1000, AT + 1001, AT].map(at), [
      '18:34:18.275',
      '18:34:19.275',
      '18:34:19.276',
      '18:34:18.275',
    ]);
  });
});

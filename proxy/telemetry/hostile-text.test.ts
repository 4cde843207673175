import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, test } from 'vitest';
import { jsonOrNull, jsonString, withoutSecrets } from './hostile-text.ts';

describe('hostile text', () => {
  for (const [it, text, shown] of [
    ['plain text stays', '/reviews/0?a=b', '"/reviews/0?a=b"'],
    ['quotes and backslashes are escaped', 'a"b\\c', '"a\\"b\\\\c"'],
    ['line ends are escaped, so that nobody forges a log line', 'a\r\n{"fake":1}', '"a\\r\\n{\\"fake\\":1}"'],
    ['an escape sequence does not reach a terminal', '\u001b[2J\u009b31m\u007f', '"\\u001b[2J\\u009b31m\\u007f"'],
    ['bytes that are UTF-8 are shown as such', 'caf\u00c3\u00a9', '"café"'],
    ['bytes that are not are shown as latin1', 'caf\u00e9', '"café"'],
    ['text that is no bytes stays', 'größer → 日本', '"größer → 日本"'],
    ['what turns text around is shown by its number', 'a\u202eb', '"a\\u202eb"'],
    ['long text is cut, and says so', 'x'.repeat(50), `"${'x'.repeat(40)}…"`],
  ] as const) {
    test(it, () => assert.equal(jsonString(text, 40), shown));
  }

  test('every text becomes a JSON string of printable characters that is not much longer than allowed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), fc.nat(50), (text, max) => {
        const json = jsonString(text, max);
        assert.ok((JSON.parse(json) as string).length <= max + 1);
        // oxlint-disable-next-line no-control-regex
        assert.doesNotMatch(json, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
      }),
    );
  });

  test('a missing value is null', () => {
    assert.deepEqual(
      [undefined, null, ''].map((text) => jsonOrNull(text, 9)),
      ['null', 'null', 'null'],
    );
  });

  for (const [path, shown] of [
    ['/a', '/a'],
    ['/a?b=c&d=e', '/a?b=c&d=e'],
    ['/a?token=xyz', '/a?token=***'],
    ['/a?x=1&access_token=xyz&y=2', '/a?x=1&access_token=***&y=2'],
    ['/a?PASSWORD=p&api-key=k&code=c&sig=', '/a?PASSWORD=***&api-key=***&code=***&sig=***'],
    ['/a?author=me&postcode=8000', '/a?author=me&postcode=8000'],
    ['/a?token', '/a?token'],
    ['/a?&&=&token=a=b&', '/a?&&=&token=***&'],
  ] as const) {
    test(`${path} is shown as ${shown}`, () => assert.equal(withoutSecrets(path), shown));
  }

  test('a long query of the worst kind is searched in a moment', () => {
    const start = performance.now();
    withoutSecrets(`/?${'token'.repeat(100_000)}`);
    withoutSecrets(`/?${'=&token'.repeat(20_000)}`);
    assert.ok(performance.now() - start < 500);
  });
});

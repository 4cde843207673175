import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, test } from 'vitest';
import { formatProblem, formatWarning, parseFormat } from './log-format.ts';

describe('format string', () => {
  test('is text and operators; %% is a percent sign', () => {
    assert.deepEqual(parseFormat('a%%b %REQ(X-A?X-B):20%%PROTOCOL%\n'), [
      { kind: 'text', text: 'a%b ' },
      { kind: 'operator', name: 'REQ', argument: 'X-A?X-B', max: 20 },
      { kind: 'operator', name: 'PROTOCOL', argument: null, max: null },
      { kind: 'text', text: '\n' },
    ]);
    assert.deepEqual(parseFormat('%START_TIME(%Y/%m/%dT%H:%M:%S%z %s)%'), [
      { kind: 'operator', name: 'START_TIME', argument: '%Y/%m/%dT%H:%M:%S%z %s', max: null },
    ]);
    assert.deepEqual(parseFormat(''), []);
  });

  // Each was given to Envoy 1.40, which refuses it, too, but for the last: its times may be nonsense for us alone.
  test.each([
    ['100% x', 'no operator at "% x"'],
    ['%REQ(A)', 'no operator'],
    ['%REQ(A):x%', 'no operator'],
    ['%req(a)%', 'no operator'],
    ['%REQ%', 'needs a parameter'],
    ['%REQ()%', 'needs a parameter'],
    ['%ENVIRONMENT%', 'needs a parameter'],
    ['%REQ(A?B?C)%', 'one alternative'],
    ['%RESPONSE_CODE:3%', 'takes no parameters'],
    ['%RESPONSE_CODE(x)%', 'takes no parameters'],
    ['%PROTOCOL():3%', 'takes no parameters'],
    ['%START_TIME(%Y):3%', 'takes no length'],
    ['%START_TIME(%n)%', 'line feed'],
    ['%QUERY_PARAMS(RAW)%', 'none of ORIG, DECODED'],
    ['%VIRTUAL_HOST_NAME%', 'there is no operator'],
    ['%COMMON_DURATION(DS_RX_BEG)%', 'two times'],
    ['%LATEEN(WHY)%', 'none of REASON, DECIDED_BY, CONFIG_VERSION'],
  ])('%s is refused', (format, why) => {
    assert.ok(formatProblem(format)?.includes(why), String(formatProblem(format)));
  });

  test('an operator nobody knows is named, with its nearest', () => {
    assert.equal(
      formatProblem('%RESPONSE_CODES%'),
      'there is no operator %RESPONSE_CODES%; did you mean %RESPONSE_CODE%?',
    );
  });

  test('what Envoy would fill and we cannot is a warning, what cannot be is none', () => {
    assert.equal(formatProblem('%DYNAMIC_METADATA(a:b):5% %FILTER_STATE(x:PLAIN)%'), null);
    assert.match(
      formatWarning('%DYNAMIC_METADATA(a:b):5% %FILTER_STATE(x:PLAIN)%')!,
      /%DYNAMIC_METADATA%, %FILTER_STATE%/,
    );
    assert.equal(formatWarning('%DOWNSTREAM_PEER_URI_SAN% %VIRTUAL_CLUSTER_NAME% %REQ(A)%'), null);
  });

  test('never throws, and is bounded', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'%()?:A1_REQx '.split('')) }), (text) => {
        const parsed = parseFormat(text);
        assert.equal(typeof parsed === 'string', formatProblem(text) !== null);
      }),
    );
    assert.match(formatProblem('x'.repeat(16_385))!, /16384 characters at most/);
    assert.match(formatProblem('%PROTOCOL%'.repeat(201))!, /200 operators at most/);
  });
});

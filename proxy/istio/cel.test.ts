import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CEL_ATTRIBUTES } from './cel-attribute.ts';
import { celCondition, celLabelValue, parseCel, parseCondition, parseLabelValue } from './cel.ts';

const told = (text: string): string => {
  const parsed = parseCel(text);
  return parsed.ok ? 'fine' : `${parsed.at}: ${parsed.message}`;
};

describe('what is understood', () => {
  const tree = (text: string): unknown => {
    const parsed = parseCel(text);
    if (!parsed.ok) throw new Error(`${parsed.at}: ${parsed.message}`);
    return parsed.tree;
  };
  const path = { kind: 'attribute', name: 'request.path' };
  const code = { kind: 'attribute', name: 'response.code' };
  const header = { kind: 'entry', of: 'request.headers', key: 'x-user' };
  const value = (v: unknown): unknown => ({ kind: 'value', value: v });
  const call = (op: string, ...args: unknown[]): unknown => ({ kind: 'call', op, args });

  test.each([
    ['response.code >= 400', call('ge', code, value(400))],
    ['response.code == 1.5', call('eq', code, value(1.5))],
    ['response.code == 404u', call('eq', code, value(404))],
    ["request.headers['X-User'] != ''", call('ne', header, value(''))],
    ["request.headers.x == 'a'", call('eq', { ...header, key: 'x' }, value('a'))],
    ["'X-User' in request.headers", call('has', header)],
    ['response.code in [200, 204]', call('in', code, value(200), value(204))],
    ['has(response.code)', call('has', code)],
    ['!connection.mtls', call('not', { kind: 'attribute', name: 'connection.mtls' })],
    ["request.path.startsWith('/a')", call('starts-with', path, value('/a'))],
    ["request.path.matches('^/v[0-9]+')", call('matches', path, value('^/v[0-9]+'))],
    ['size(request.path) % 2 == 0', call('eq', call('mod', call('size', path), value(2)), value(0))],
    ['request.path.size()', call('size', path)],
    ['request.size / 1024', call('trunc', call('div', { kind: 'attribute', name: 'request.size' }, value(1024)))],
    ["request.duration > duration('1.5s')", call('gt', { kind: 'attribute', name: 'request.duration' }, value(1500))],
    [
      "request.method == 'GET' ? 'read' : 'write'",
      call(
        'if',
        call('eq', { kind: 'attribute', name: 'request.method' }, value('GET')),
        value('read'),
        value('write'),
      ),
    ],
    ['string(response.code)', call('string', code)],
    ["int(request.headers['x-user'])", call('trunc', call('number', header))],
    ['-5', value(-5)],
    ["upstream_peer.labels['app'].value", { kind: 'entry', of: 'destination.labels', key: 'app' }],
    ['filter_state.downstream_peer.service', { kind: 'attribute', name: 'source.canonical_service' }],
    ['xds.cluster_name', { kind: 'attribute', name: 'upstream.cluster' }],
  ])('%s', (text, expected) => {
    expect(tree(text)).toEqual(expected);
  });

  test('a long row of conditions is one call, and so not deep', () => {
    const row = Array.from({ length: 120 }, (_, i) => `response.code == ${i}`).join(' || ');
    const parsed = parseCel(row);
    expect(parsed.ok && parsed.tree.kind === 'call' && parsed.tree.args.length).toBe(120);
  });
});

describe('what is refused, and where', () => {
  test.each([
    ['', '0: Unexpected token: EOF'],
    ['response.code >', '15: Unexpected token: EOF'],
    ['response.cod >= 400', '0: unknown attribute `response.cod`; did you mean `response.code`?'],
    ['true && reqest.path', '8: unknown attribute `reqest.path`; did you mean `request.path`?'],
    ['response.code == "200"', '17: ==: expected an int as on the left, got a string'],
    [
      'request.duration > 500',
      "19: >: expected a duration as on the left, got an int (a duration is written duration('500ms'))",
    ],
    ['request.time > request.time', '0: >: Lateen does not compare timestamps'],
    ["request.time > timestamp('2026-01-01T00:00:00Z')", '15: timestamp: Lateen does not compare timestamps'],
    ['response.code && true', '0: &&: expected a bool, got an int'],
    [
      "request.path.matches('(')",
      '21: matches: expected a pattern in RE2 syntax (error parsing regexp: missing closing ): `(`)',
    ],
    ['request.path.matches(request.host)', '21: matches: expected a pattern in quotes'],
    [
      "request.path.reverse() == ''",
      '0: unknown function `reverse`; there are has, size, string, int, double, duration, startsWith, endsWith, contains, matches, lowerAscii',
    ],
    ["duration('soon') > request.duration", '9: duration: expected one such as "500ms" or "1.5s", got "soon"'],
    ["has(request.headers['x'])", "4: has: CEL asks for keys with `in`: 'x' in request.headers"],
    ["request.headers[0] == ''", "16: expected a key in quotes such as request.headers['x']"],
    ["request.headers == ''", "0: `request.headers` is a map: expected a key such as request.headers['x']"],
    [
      "request.path['x']",
      '0: expected one of the maps request.headers, response.headers, source.labels, destination.labels before `[`',
    ],
    [
      'response.code in request.headers',
      '17: in: expected a list such as [200, 204], or a key in quotes before one of request.headers, response.headers, source.labels, destination.labels',
    ],
    ['[1]', '0: expected a list only behind `in`'],
    ['null', '0: expected a string, a number or a bool'],
    ['99999999999999999999', '0: expected a whole number below 2^53'],
    ["request.path + 1 == ''", '0: + does not go between a string and an int'],
    ['[1].all(x, x > 0)', '0: expected a list only behind `in`'],
    [`${'1+'.repeat(100)}1`, '0: expected at most 64 levels of nesting'],
    [`${'('.repeat(100)}1${')'.repeat(100)}`, '64: Exceeded maxDepth (64)'],
    ['x'.repeat(8193), '8192: expected at most 8192 characters, got 8193'],
  ])('%s', (text, expected) => {
    expect(told(text)).toBe(expected);
  });

  test('a condition yields a bool', () => {
    expect(parseCondition('response.code')).toMatchObject({ ok: false });
    expect(celCondition('response.code >= 400')).toBeNull();
    expect(celCondition('response.cod')).toBe(
      'a CEL expression; at character 1: unknown attribute `response.cod`; did you mean `response.code`?',
    );
  });

  test('the value of a label is made text', () => {
    expect(parseLabelValue('response.code')).toMatchObject({ tree: { op: 'string' }, type: 'string' });
    expect(parseLabelValue('request.duration')).toMatchObject({ tree: { op: 'duration-text' } });
    expect(celLabelValue('request.time')).toContain('timestamps');
    expect(celLabelValue('request.host')).toBeNull();
  });
});

test('whatever is written: an answer, never an exception', () => {
  const PIECES = [
    ...CEL_ATTRIBUTES.slice(0, 12),
    ...[
      'request.headers',
      "['x']",
      '.a',
      '(',
      ')',
      '[',
      ']',
      '!',
      '-',
      '+',
      '/',
      '%',
      '?',
      ':',
      ' in ',
      '&&',
      '||',
      '==',
    ],
    ...[
      "'a'",
      '1',
      '2.5',
      '3u',
      'b"x"',
      'true',
      'null',
      'size(',
      'has(',
      '.matches(',
      'duration(',
      'timestamp(',
      ',',
      '{',
      '}',
    ],
    ...['r"\\d"', '"""', '\\', '\u0000', '💥', '.all(x,', '?.', 'a.b.c', '1e999', '0x', '--'],
  ];
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(fc.constantFrom(...PIECES), { maxLength: 20 }).map((p) => p.join('')),
      ),
      (text) => {
        const parsed = parseLabelValue(text);
        if (parsed.ok) return;
        expect(parsed.message).not.toBe('');
        expect(parsed.at).toBeGreaterThanOrEqual(0);
      },
    ),
    { numRuns: 1000 },
  );
});

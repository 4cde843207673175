import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { type Expression, MAX_EXPRESSION, parseExpression } from './mixer-expression.ts';

/** A tree as a short text: `(and (eq a.b "c") …)`. */
function short(e: Expression): string {
  switch (e.kind) {
    case 'string':
      return JSON.stringify(e.value);
    case 'number':
    case 'bool':
      return String(e.value);
    case 'attribute':
      return e.name;
    case 'index':
      return `${short(e.of)}[${e.key}]`;
    case 'not':
      return `(not ${short(e.of)})`;
    case 'call':
      return `(${[e.name, ...(e.receiver === null ? [] : [`on ${short(e.receiver)}`]), ...e.args.map(short)].join(' ')})`;
    default:
      return `(${e.kind} ${short(e.left)} ${short(e.right)})`;
  }
}

function read(text: string): string {
  const parsed = parseExpression(text);
  return parsed.ok ? short(parsed.value) : `${parsed.at}: ${parsed.message}`;
}

describe('Mixer expressions', () => {
  for (const { it, text, says } of [
    {
      it: 'reads the rule of the pattern',
      text: 'destination.labels["app"] == "ratings" && source.labels["app"]=="reviews" && source.labels["version"] == "v3"',
      says: '(and (and (eq destination.labels[app] "ratings") (eq source.labels[app] "reviews")) (eq source.labels[version] "v3"))',
    },
    {
      it: 'binds && closer than ||',
      text: 'a == "1" || b == "2" && c == "3"',
      says: '(or (eq a "1") (and (eq b "2") (eq c "3")))',
    },
    { it: 'binds | closer than ==, as Go does', text: 'a | b | "x" == "y"', says: '(eq (else (else a b) "x") "y")' },
    { it: 'joins texts', text: 'a + "/" + b | "c" == d', says: '(eq (else (add (add a "/") b) "c") d)' },
    { it: 'takes parentheses and negation', text: '!(a == "1") && !b.c', says: '(and (not (eq a "1")) (not b.c))' },
    {
      it: 'calls functions and methods',
      text: 'match(a.b, "x*") || c["d"].startsWith("e")',
      says: '(or (match a.b "x*") (startsWith on c[d] "e"))',
    },
    { it: 'lets a literal receive a call', text: '"v[12]".matches(a)', says: '(matches on "v[12]" a)' },
    {
      it: 'reads escapes and raw strings',
      text: 'a == "q\\"\\n\\u0041" || a == `\\d`',
      says: '(or (eq a "q\\"\\nA") (eq a "\\\\d"))',
    },
    { it: 'reads numbers and truth', text: 'a == 9080 && true != false', says: '(and (eq a 9080) (ne true false))' },
    { it: 'takes any blanks', text: '\n\ta  ==\n"b" ', says: '(eq a "b")' },
  ]) {
    test(it, () => assert.equal(read(text), says));
  }

  for (const { it, text, says } of [
    { it: 'a single =', text: 'a = "b"', says: '2: expected "==" to compare' },
    { it: 'a single &', text: 'a & b', says: '2: expected "&&"' },
    { it: 'single quotes', text: "a == 'b'", says: '5: expected double quotes around strings' },
    { it: 'an open string', text: 'a == "b', says: '5: expected a string with a closing quote and known escapes' },
    { it: 'an end too early', text: 'a ==', says: '4: expected an attribute, a literal or "(", got the end' },
    { it: 'an open parenthesis', text: '(a == "b"', says: '9: expected ")", got the end' },
    { it: 'words side by side', text: 'a b', says: '2: expected an operator or the end, got "b"' },
    { it: 'a key without quotes', text: 'a[b]', says: '2: expected a key in quotes such as ["app"], got "b"' },
    { it: 'a strange sign', text: 'a == #', says: '5: expected an expression, got "#"' },
    { it: 'nothing at all', text: '', says: '0: expected an attribute, a literal or "(", got the end' },
  ]) {
    test(`says where and why: ${it}`, () => assert.equal(read(text), says));
  }

  test('gives every part its place', () => {
    const parsed = parseExpression('a == "b"');
    assert.deepEqual(parsed, {
      ok: true,
      value: {
        kind: 'eq',
        left: { kind: 'attribute', name: 'a', at: 0 },
        right: { kind: 'string', value: 'b', at: 5 },
        at: 2,
      },
    });
  });

  test('refuses what is too deep or too long instead of running out of stack', () => {
    assert.match(read(`${'('.repeat(5000)}a`), /levels of nesting/);
    assert.match(read(`${'!'.repeat(5000)}a`), /levels of nesting/);
    assert.match(read(`a${'.b'.repeat(4000)}`), /accesses in a row/);
    assert.match(read(`f(${'g('.repeat(1000)}`), /levels of nesting/);
    assert.match(read('a'.repeat(MAX_EXPRESSION + 1)), /expected at most 8192 characters/);
  });

  test('takes a long chain of conditions', () => {
    const parsed = parseExpression(Array.from({ length: 300 }, (_, i) => `a == "${i}"`).join(' || '));
    assert.equal(parsed.ok, true);
  });
});

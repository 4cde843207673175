import { describe, expect, test } from 'vitest';
import {
  anything,
  bool,
  double,
  duration,
  enumeration,
  ignored,
  int32,
  intOrString,
  list,
  map,
  object,
  openObject,
  port,
  refused,
  required,
  string,
} from './field.ts';
import { pathText, Report } from './report.ts';
import { validate } from './validate.ts';

const inner = object({ weight: int32('Share', { min: 0 }), destination: required(string('Where')) }, 'Inner');
const schema = object(
  {
    name: string('Name', { minLength: 1, maxLength: 5 }),
    timeout: duration('Limit'),
    idle: duration('Idle', { zero: true }),
    on: bool('On'),
    port: port('Port'),
    share: double('Share', { min: 0, max: 100 }),
    mode: enumeration(['SIMPLE', 'MUTUAL', 'OFF'], 'Mode', {
      refused: { MUTUAL: 'not yet' },
      ignored: { OFF: 'always on' },
    }),
    target: intOrString('Target'),
    routes: list(inner, 'Routes', { max: 2 }),
    labels: map(string('Value'), 'Labels', { key: (key) => (key === 'bad' ? 'a good key' : null) }),
    open: openObject({ known: string('Known') }, 'Open'),
    raw: anything('Raw'),
    mirror: ignored(string('Mirror'), 'no mirrors'),
    secret: refused(string('Secret'), 'no secrets'),
    exact: string('One'),
    prefix: string('Other'),
  },
  'Outer',
  { oneOf: [['exact', 'prefix']] },
);

function check(value: unknown, yamlBooleans = false): { copy: unknown; said: string[] } {
  const report = new Report(['spec']);
  const copy = validate(schema, value, report, { yamlBooleans });
  return { copy, said: report.findings.map((f) => `${f.severity} ${pathText(f.path)}: ${f.message}`) };
}

describe('validate', () => {
  test('gives back what fits, without members that are null', () => {
    const value = {
      name: 'a',
      timeout: '1.5s',
      idle: '0s',
      on: false,
      port: 80,
      share: 0.5,
      mode: 'SIMPLE',
      target: 'http',
      raw: { a: [1, null] },
    };
    expect(check({ ...value, labels: null })).toEqual({ copy: value, said: [] });
  });

  test.each<[unknown, string]>([
    [5, 'error spec: expected a mapping of fields, got 5'],
    [null, 'error spec: expected a mapping of fields, got null'],
    [[], 'error spec: expected a mapping of fields, got an empty list'],
    [{ name: 5 }, 'error spec.name: expected a string, got the number 5 (write it in quotes: "5")'],
    [{ name: true }, 'error spec.name: expected a string, got the boolean true (write it in quotes: "true")'],
    [{ name: '' }, 'error spec.name: expected some text, got ""'],
    [{ name: 'abcdef' }, 'error spec.name: expected at most 5 characters, got 6'],
    [{ timeout: 5 }, 'error spec.timeout: expected a duration such as "1.5s" or "100ms", got 5'],
    [{ timeout: 'soon' }, 'error spec.timeout: expected a duration such as "1.5s" or "100ms", got "soon"'],
    [{ timeout: '0s' }, 'error spec.timeout: expected a duration of at least 1ms, got "0s"'],
    [{ timeout: '1.5ms' }, 'error spec.timeout: expected a duration in whole milliseconds, got "1.5ms"'],
    [{ on: 'yes' }, 'error spec.on: expected true or false, got "yes"'],
    [{ port: 0 }, 'error spec.port: expected a whole number from 1 to 65535, got 0'],
    [{ port: '80' }, 'error spec.port: expected a whole number, got the string "80" (write it without quotes)'],
    [{ port: 80.5 }, 'error spec.port: expected a whole number, got 80.5'],
    [{ share: Number.NaN }, 'error spec.share: expected a number, got NaN'],
    [{ share: 101 }, 'error spec.share: expected a number from 0 to 100, got 101'],
    [{ mode: 'SIMPEL' }, 'error spec.mode: expected one of SIMPLE, MUTUAL, OFF, got "SIMPEL"; did you mean `SIMPLE`?'],
    [{ mode: 'MUTUAL' }, 'error spec.mode: MUTUAL is not supported: not yet'],
    [{ mode: 'OFF' }, 'warning spec.mode: OFF has no effect: always on'],
    [{ mode: 'constructor' }, 'error spec.mode: expected one of SIMPLE, MUTUAL, OFF, got "constructor"'],
    [{ target: 1.5 }, 'error spec.target: expected a whole number or a string, got 1.5'],
    [{ routes: {} }, 'error spec.routes: expected a list, got a mapping'],
    [
      { routes: [{ destination: 'a' }, { destination: 'b' }, { destination: 'c' }] },
      'error spec.routes: expected at most 2 items, got 3',
    ],
    [{ routes: [{ destination: 'a' }, { weight: 1 }] }, 'error spec.routes[1].destination: is required: Where'],
    [{ routes: [{ destination: null }] }, 'error spec.routes[0].destination: is required: Where'],
    [{ routes: [null] }, 'error spec.routes[0]: expected a mapping of fields, got null'],
    [
      { routes: [{ destination: 'a', weigth: 1 }] },
      'error spec.routes[0].weigth: unknown field; did you mean `weight`?',
    ],
    [
      { routes: [{ destination: 'a', banana: 1 }] },
      'error spec.routes[0].banana: unknown field; expected weight, destination',
    ],
    [{ labels: { 'a/b': 1 } }, 'error spec.labels[a/b]: expected a string, got the number 1 (write it in quotes: "1")'],
    [{ labels: { bad: 'x' } }, 'error spec.labels.bad: expected a good key as key, got "bad"'],
    [{ open: { Known: 'x' } }, 'warning spec.open.Known: unknown field; did you mean `known`?'],
    [{ mirror: 'a' }, 'warning spec.mirror: has no effect: no mirrors'],
    [{ secret: 'a' }, 'error spec.secret: not supported: no secrets'],
    [{ exact: 'a', prefix: 'b' }, 'error spec: expected at most one of exact, prefix, got exact and prefix'],
    [JSON.parse('{"__proto__": {"a": 1}}'), 'error spec.__proto__: unknown field; expected name, timeout'],
    [JSON.parse('{"labels": {"__proto__": "a"}}'), 'error spec.labels.__proto__: `__proto__` cannot be a key'],
    [JSON.parse('{"raw": {"a": [{"__proto__": "a"}]}}'), 'error spec.raw.a[0].__proto__: `__proto__` cannot be a key'],
  ])('says of %j: %s', (value, message) => {
    const { said } = check(value);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(message);
  });

  test('reports every problem, not the first', () => {
    const { said } = check({ port: 0, timeout: 'x', routes: [{ weight: -1 }] });
    expect(said).toHaveLength(4);
  });

  test.each([
    ['yes', true],
    ['On', true],
    ['off', false],
    ['NO', false],
  ])('takes YAML 1.1 %s for %s where it is asked to', (word, meaning) => {
    expect(check({ on: word }, true)).toEqual({ copy: { on: meaning }, said: [] });
    expect(check({ name: word }, true)).toEqual({ copy: { name: word }, said: [] });
  });

  test('keeps unknown fields of open objects', () => {
    expect(check({ open: { other: { deep: [1] } } })).toEqual({ copy: { open: { other: { deep: [1] } } }, said: [] });
  });

  test('stops at a depth that nobody needs', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 10_000; i++) deep = { a: deep };
    expect(check({ raw: deep }).said[0]).toContain('expected at most 64 levels');
  });

  test('holds on to a bounded number of problems, errors before warnings', () => {
    const report = new Report();
    for (let i = 0; i < 1000; i++) report.at(i).warning('w');
    report.at('late').error('e');
    expect(report.findings).toHaveLength(200);
    expect(report.failed).toBe(true);
  });
});

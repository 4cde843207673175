import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, test } from 'vitest';
import { appLines } from './app-lines.ts';

const shown = (text: string, isOpen = false): string[] => Array.from(appLines(text, isOpen), (line) => line.text);

describe('lines of an application', () => {
  for (const line of [
    'a 1',
    'a{} 1',
    'a{b="c",d="e \\"f\\" \\n {,} ="} 1.5e-3 1700000000000',
    'a { b = "c" , d="e", } +Inf',
    'a:b_c -Inf',
    'a NaN',
    'a .5',
    '# HELP a What it is.',
    '# TYPE a summary',
  ])
    test(`${line} is shown as it is`, () => assert.deepEqual(shown(`${line}\n`), [line]));

  for (const line of [
    'a',
    'a{b} 1',
    'a{b="c} 1',
    'a{b="c"} 1 2 3',
    'a{b="c",b="d"} 1',
    'a{__name__="x"} 1',
    'a{b="c"d="e"} 1',
    'a 1abc',
    'a 0x10',
    'a 1e999',
    'a 1.5.2',
    '1a 1',
    'a 1 1.5',
    '# TYPE a nonsense',
    '# TYPE a',
    '# EOF',
    '<html>',
    'a 1 # {trace_id="x"} 1',
    `a{b="${'x'.repeat(20_000)}"} 1`,
  ])
    test(`${line.slice(0, 40)} is left out`, () => assert.deepEqual(shown(`x 1\n${line}\ny 2`), ['x 1', 'y 2']));

  test('any text takes time in proportion to its length, and nothing else comes out than went in', () => {
    const awkward = fc.constantFrom('a', '{', '}', '"', ' ', '\t', ',', '=', '\\', '1', '.', 'e', '#', '\n', '\r', 'é');
    fc.assert(
      fc.property(fc.string({ unit: awkward, maxLength: 300 }), (text) => {
        const lines = text.split(/\r?\n/);
        for (const line of shown(text)) assert.ok(lines.includes(line), line);
      }),
    );
    const since = performance.now();
    for (const part of [' ', '\t{', 'a="', '",', '\\"', 'a="b",', '1'])
      shown(`a{b="c"${part.repeat(16_000 / part.length)}\n`.repeat(20));
    assert.ok(performance.now() - since < 2000);
  });

  test('OpenMetrics becomes the older text: names, types, times; exemplars and units are left out', () => {
    const open = [
      '# HELP hits How many.',
      '# TYPE hits counter',
      '# UNIT hits requests',
      'hits_total{code="200"} 4 1700000000.5 # {trace_id="abc"} 1 1700000000.1',
      'hits_created{code="200"} 1.7e9',
      '# TYPE time histogram',
      'time_bucket{le="+Inf"} 1 # {trace_id="}"} 0.5',
      '# TYPE odd unknown',
      'odd 3',
      '# TYPE what info',
      'what_info{v="1"} 1',
      '# EOF',
    ];
    assert.deepEqual(shown(`${open.join('\n')}\n`, true), [
      '# HELP hits_total How many.',
      '# TYPE hits_total counter',
      'hits_total{code="200"} 4 1700000000500',
      'hits_created{code="200"} 1.7e9',
      '# TYPE time histogram',
      'time_bucket{le="+Inf"} 1',
      '# TYPE odd untyped',
      'odd 3',
      'what_info{v="1"} 1',
    ]);
  });
});

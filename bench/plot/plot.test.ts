import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { barChart } from './bars.ts';
import { lineChart } from './lines.ts';
import { linear, logarithmic, tickLabel } from './scale.ts';

describe('scales', () => {
  for (const { max, ticks } of [
    { max: 0, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] },
    { max: 1, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] },
    { max: 37, ticks: [0, 10, 20, 30, 40] },
    { max: 110, ticks: [0, 25, 50, 75, 100, 125] },
  ]) {
    test(`from 0 to ${max} has round ticks up to or above it`, () => assert.deepEqual(linear(max).ticks, ticks));
  }

  test('a logarithmic one has the powers of ten around its values', () => {
    const { at, ticks } = logarithmic(10, 10_000);
    assert.deepEqual(ticks, [10, 100, 1000, 10_000]);
    assert.equal(at(10), 0);
    assert.equal(at(10_000), 1);
    assert.ok(Math.abs(at(100) - 1 / 3) < 1e-9);
    assert.deepEqual(logarithmic(5, 5).ticks, [1, 10]);
  });

  test('labels are short', () =>
    assert.deepEqual([0.25, 10, 2500, 10_000].map(tickLabel), ['0.25', '10', '2.5k', '10k']));
});

describe('pictures', () => {
  const nothing = { title: '', description: '', x: { label: '' }, y: { label: '', log: true }, series: [] };
  const lines = lineChart({
    title: 'A < B & "C"',
    description: "it's \u0007 a line",
    x: { label: 'routes', log: true },
    y: { label: 'CPU (µs)' },
    series: [
      {
        name: 'a>b',
        points: [
          { x: 10, y: 1 },
          { x: 100, y: 2 },
          { x: 0, y: 3 },
          { x: 1000, y: Number.NaN },
        ],
      },
      { name: 'none', dashed: true, points: [] },
    ],
  });
  const bars = barChart({
    title: 'Bars',
    description: 'of two',
    label: 'µs',
    series: ['lateen', 'envoy'],
    rows: [
      { name: 'plain & simple', values: [27.7, 39.1] },
      { name: 'missing', values: [null, 0] },
    ],
  });

  for (const [name, text] of Object.entries({ lines, bars, empty: lineChart(nothing) })) {
    test(`${name}: well-formed XML with numbers for all coordinates`, () => {
      assertWellFormed(text);
      assert.doesNotMatch(text, /NaN|Infinity|undefined/);
    });
  }

  test('points that have no place on an axis are left out', () =>
    assert.equal([...lines.matchAll(/<circle/g)].length, 2));

  test('axes are labelled, and both schemes of colours are there', () => {
    assert.match(lines, />routes<\/text>/);
    assert.match(lines, />CPU \(µs\)<\/text>/);
    assert.match(lines, /prefers-color-scheme: dark/);
  });

  test('a bar is as long as its value', () => {
    const widths = [...bars.matchAll(/<rect class="s\df"[^>]* height="11"/g)].map(([tag]) =>
      Number(/width="([\d.]+)"/.exec(tag)?.[1]),
    );
    assert.equal(widths.length, 3);
    assert.ok(Math.abs(widths[0]! / widths[1]! - 27.7 / 39.1) < 0.01);
    assert.equal(widths[2], 0);
  });
});

test('the check for well-formed XML finds what is not', () => {
  for (const bad of ['<a>', '<a></b>', '<a>&</a>', '<a b=c/>', '<a x="1" <b/></a>', '</a>'])
    assert.throws(() => assertWellFormed(bad), assert.AssertionError, bad);
  assertWellFormed('<a b="1 &amp; 2"><c/>x</a>\n');
});

/** Tags balance, attributes are quoted, and no bare `&` or `<` is in the text: what an XML parser insists on in such files. */
function assertWellFormed(xml: string): void {
  const open: string[] = [];
  let end = 0;
  // oxlint-disable-next-line no-control-regex -- XML 1.0 has no place for control characters
  assert.doesNotMatch(xml, /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/);
  for (const match of xml.matchAll(/<(\/?)([a-z]+)((?: [\w:-]+="[^"<]*")*)(\/?)>/g)) {
    assertText(xml.slice(end, match.index));
    end = match.index + match[0].length;
    const [, closing, name, attributes, single] = match;
    assertText(attributes!);
    if (closing === '/') assert.equal(open.pop(), name);
    else if (single !== '/') open.push(name!);
  }
  assertText(xml.slice(end));
  assert.deepEqual(open, []);
}

function assertText(between: string): void {
  assert.doesNotMatch(between, /</, `a tag that is none: ${between.slice(0, 80)}`);
  assert.doesNotMatch(between, /&(?!(?:amp|lt|gt|quot|apos);)/);
}

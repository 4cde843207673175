/** Every *.golden file: what was written, ten dashes, what it must mean (or the problems it must raise). */
import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'vitest';
import { parseGolden, render, SEPARATOR, shown } from './golden.ts';

const update = process.env['GOLDEN_UPDATE'] === '1';

for (const file of globSync('test/golden/**/*.golden').sort()) {
  test(file.replace('test/golden/', ''), () => {
    const golden = parseGolden(readFileSync(file, 'utf8'));
    const actual = shown(golden, (name) => readFileSync(`test/golden/${name}.base.yaml`, 'utf8'));
    if (update) writeFileSync(file, `${golden.written}${SEPARATOR}${render(actual)}\n`);
    else if (typeof actual === 'string') assert.equal(actual, golden.expected.trim());
    else assert.deepEqual(actual, JSON.parse(golden.expected));
  });
}

test('there are goldens to check', () => {
  assert.ok(globSync('test/golden/**/*.golden').length > 20);
});

import { array, assert, constantFrom, property } from 'fast-check';
import { expect, test } from 'vitest';
import { unifiedDiff } from './line-diff.ts';

const names = ['a', 'b'] as const;

test('equal texts have no difference', () => expect(unifiedDiff('x\ny\n', 'x\ny\n', names)).toBe(''));

test('a change is shown with three lines around it, and its place', () => {
  const lines = Array.from({ length: 20 }, (_, i) => `l${i}`);
  const after = lines.with(10, 'new');
  expect(unifiedDiff(lines.join('\n'), after.join('\n'), names)).toBe(
    '--- a\n+++ b\n@@ -8,7 +8,7 @@\n l7\n l8\n l9\n-l10\n+new\n l11\n l12\n l13\n',
  );
});

test('what is new is all lines with plus', () =>
  expect(unifiedDiff('', 'x\ny\n', names)).toBe('--- a\n+++ b\n@@ -1,0 +1,2 @@\n+x\n+y\n'));

test('a diff, applied, gives the other text', () => {
  const text = array(constantFrom('a', 'b', 'c', 'd'), { maxLength: 30 });
  assert(
    property(text, text, (before, after) => {
      const diff = unifiedDiff(before.join('\n'), after.join('\n'), names);
      expect(diff === '' ? before : applied(before, diff)).toEqual(after);
    }),
  );
});

/** As patch(1) does. */
function applied(before: readonly string[], diff: string): string[] {
  const result: string[] = [];
  let at = 0;
  for (const line of diff.split('\n').slice(2, -1)) {
    const start = /^@@ -(\d+),/.exec(line)?.[1];
    if (start !== undefined) while (at < Number(start) - 1) result.push(before[at++]!);
    else if (line[0] === '+') result.push(line.slice(1));
    else {
      expect(line.slice(1)).toBe(before[at]);
      if (line[0] === ' ') result.push(before[at]!);
      at++;
    }
  }
  return [...result, ...before.slice(at)];
}

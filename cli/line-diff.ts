/** The difference of two texts, line by line, in the unified form (as `diff -u` prints it). */

type Edit = { readonly kind: ' ' | '-' | '+'; readonly line: string };

/** Lines around a change that are shown with it. */
const CONTEXT = 3;
/** Beyond so many differing lines on either side the whole is shown as replaced, to bound memory. */
const MAX_LINES = 3000;

/** "" when they are equal. */
export function unifiedDiff(before: string, after: string, names: readonly [string, string]): string {
  if (before === after) return '';
  const edits = editsOf(linesOf(before), linesOf(after));
  const hunks: string[] = [];
  let [oldLine, newLine] = [1, 1];
  for (let i = 0; i < edits.length;) {
    if (edits[i]!.kind === ' ') {
      [oldLine, newLine] = [oldLine + 1, newLine + 1];
      i++;
      continue;
    }
    const from = Math.max(0, i - CONTEXT);
    const to = endOfHunk(edits, i);
    const part = edits.slice(from, to);
    const lead = i - from;
    const [olds, news] = [part.filter((e) => e.kind !== '+').length, part.filter((e) => e.kind !== '-').length];
    hunks.push(`@@ -${oldLine - lead},${olds} +${newLine - lead},${news} @@`, ...part.map((e) => e.kind + e.line));
    [oldLine, newLine] = [oldLine - lead + olds, newLine - lead + news];
    i = to;
  }
  return `--- ${names[0]}\n+++ ${names[1]}\n${hunks.join('\n')}\n`;
}

const linesOf = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

/** Changes that are close together share a hunk. */
function endOfHunk(edits: readonly Edit[], start: number): number {
  let last = start;
  for (let i = start; i < edits.length && i - last <= CONTEXT * 2; i++) if (edits[i]!.kind !== ' ') last = i;
  return Math.min(edits.length, last + CONTEXT + 1);
}

/** Longest common subsequence, between the equal head and the equal tail. */
function editsOf(a: readonly string[], b: readonly string[]): Edit[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const same = (lines: readonly string[]): Edit[] => lines.map((line) => ({ kind: ' ', line }));
  const middle = changed(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  return [...same(a.slice(0, head)), ...middle, ...same(a.slice(a.length - tail))];
}

function changed(a: readonly string[], b: readonly string[]): Edit[] {
  const gone = (line: string): Edit => ({ kind: '-', line });
  const come = (line: string): Edit => ({ kind: '+', line });
  if (a.length > MAX_LINES || b.length > MAX_LINES) return [...a.map(gone), ...b.map(come)];
  const length = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--)
      length[i]![j] = a[i] === b[j] ? length[i + 1]![j + 1]! + 1 : Math.max(length[i + 1]![j]!, length[i]![j + 1]!);
  }
  const edits: Edit[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) [edits[edits.length], i, j] = [{ kind: ' ', line: a[i]! }, i + 1, j + 1];
    else if (length[i + 1]![j]! >= length[i]![j + 1]!) edits.push(gone(a[i++]!));
    else edits.push(come(b[j++]!));
  }
  return [...edits, ...a.slice(i).map(gone), ...b.slice(j).map(come)];
}

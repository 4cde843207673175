/** Tables as Markdown that also reads well as plain text. */

/** First column to the left, the others to the right. */
export function markdown(titles: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = titles.map((title, i) => Math.max(title.length, ...lines.map((line) => line[i]?.length ?? 0)));
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  const rule = `|${widths.map((w, i) => (i === 0 ? '-'.repeat(w + 2) : `${'-'.repeat(w + 1)}:`)).join('|')}|`;
  return [row(titles), rule, ...lines.map(row)].join('\n');
}

/** With so many digits; a dash for what was not measured. */
export function figure(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(digits);
}

/** `a / b`; a dash when either is missing or not above 0, which a difference of two noisy numbers may be. */
export function ratio(a: number | null | undefined, b: number | null | undefined, digits = 2): string {
  return figure(
    a === undefined || a === null || b === undefined || b === null || a <= 0 || b <= 0 ? null : a / b,
    digits,
  );
}

/** The frame of every picture: SVG text with its own paper, in light or dark as the reader's system asks. */

/** Series in order: dark enough for white paper, light enough for black, apart for the colour-blind (after Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#8c7a00', '#5b6770'];

const STYLE = `
  .paper { fill: #ffffff } .ink { fill: #1f2328 } .faint { fill: #59636e } .grid { stroke: #d1d9e0 } .axis { stroke: #59636e }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .ink { fill: #f0f6fc } .faint { fill: #9198a1 } .grid { stroke: #30363d } .axis { stroke: #9198a1 }
    ${COLOURS.map((_, i) => `.s${i}f { fill: ${brighter(i)} } .s${i}l { stroke: ${brighter(i)} }`).join(' ')}
  }`;

/** CSS class for the fill of series `i`. */
export const fillOf = (i: number): string => `s${i % COLOURS.length}f`;
/** CSS class for the line of series `i`. */
export const lineOf = (i: number): string => `s${i % COLOURS.length}l`;

/** A whole document. `description` is read by screen readers. */
export function svg(
  width: number,
  height: number,
  title: string,
  description: string,
  parts: readonly string[],
): string {
  const colours = COLOURS.map((c, i) => `.s${i}f { fill: ${c} } .s${i}l { stroke: ${c} }`).join(' ');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${escape(title)}</title>`,
    `<desc>${escape(description)}</desc>`,
    `<style>${colours}${STYLE}</style>`,
    `<rect class="paper" width="${width}" height="${height}" rx="6"/>`,
    text(16, 24, title, 'ink', 'start', 15),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

export function text(
  x: number,
  y: number,
  words: string,
  colour: 'ink' | 'faint' = 'faint',
  anchor: 'start' | 'middle' | 'end' = 'middle',
  size = 12,
  rotated = false,
): string {
  const turn = rotated ? ` transform="rotate(-90 ${place(x)} ${place(y)})"` : '';
  return `<text class="${colour}" x="${place(x)}" y="${place(y)}" text-anchor="${anchor}" font-size="${size}"${turn}>${escape(words)}</text>`;
}

/** Coordinates with one digit: what nobody sees need not be in the file. */
export function place(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** XML's five. Other control characters have no place in XML 1.0 and are dropped. */
export function escape(words: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&apos;',
  };
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return words.replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '').replaceAll(/[&<>"']/g, (c) => names[c]!);
}

function brighter(i: number): string {
  return ['#58a6ff', '#ff9d5c', '#3fd6a3', '#e8a2cd', '#d6c34a', '#a8b3bd'][i]!;
}

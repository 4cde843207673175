/** Colour, where the output is a terminal and NO_COLOR (no-color.org) is not set. */

const CODES = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2, bold: 1 } as const;

export type Colour = keyof typeof CODES;

/** The text in a colour, when `stream` shows colours. */
export function paint(colour: Colour, text: string, stream: { readonly isTTY?: boolean } = process.stdout): string {
  const off = (process.env['NO_COLOR'] ?? '') !== '' || process.env['TERM'] === 'dumb' || stream.isTTY !== true;
  return off ? text : `\u001b[${CODES[colour]}m${text}\u001b[0m`;
}

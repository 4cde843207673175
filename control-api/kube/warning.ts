/** The `Warning:` header, which kubectl prints: RFC 7234, section 5.5, code 299. */

/** As long as the real API server lets one be. */
const LONGEST = 1024;

export function warningHeader(text: string): string {
  // Header values are ASCII; what is outside of it would make the whole header invalid.
  const ascii = text
    .replaceAll(/[\u2018\u2019]/g, "'")
    .replaceAll(/[\u201c\u201d]/g, '"')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[^\x20-\x7e]/g, '?');
  const cut = ascii.length > LONGEST ? `${ascii.slice(0, LONGEST - 3)}...` : ascii;
  return `299 - "${cut.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Text that callers chose, made safe to show: escaped for JSON, capped, and with the secrets of queries taken out. */

/** Nothing to escape: printable ASCII without quote and backslash. */
const PLAIN = /^[ !#-[\]-~]*$/;
/** JSON allows these as they are, but terminals and log viewers act on them: DEL, C1 controls, line separators, bidi controls. */
const UNSAFE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
/** What would end a line of plain text, or a quoted piece of it, or act on a terminal. */
const BREAKING = /["\\\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;
/** Names of query parameters whose values are credentials. */
const SECRET =
  /token|passw|pwd|secret|api[-_]?key|credential|signature|jwt|session|^(?:auth|authorization|code|sig|key)$/i;

/** A JSON string, quotes included. Longer texts are cut at `max` characters and end in `…`. */
export function jsonString(text: string, max: number): string {
  const short = text.length > max ? cut(text, max) : text;
  if (PLAIN.test(short)) return short.length === text.length ? `"${short}"` : `"${short}…"`;
  const shown = readable(short);
  return quoted(short.length === text.length ? shown : `${shown}…`);
}

/** A JSON string of text that is no bytes any more (`readable`). */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * A piece of a line of plain text: what could end the line, or the quotes around it, is escaped as nginx does it: `\x0a`, `\x22`, `\x5c`.
 * Envoy writes such bytes as they are. Longer texts are cut at `max` bytes and end in `mark`.
 */
export function plainText(text: string, max: number, mark = '…'): string {
  const short = text.length > max ? cut(text, max) : text;
  const safe = PLAIN.test(short) ? short : readable(short).replace(BREAKING, escapedByte);
  return short.length === text.length ? safe : safe + mark;
}

function escapedByte(c: string): string {
  const hex = c.charCodeAt(0).toString(16);
  return hex.length <= 2 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`;
}

/** At most `max` characters, and no part of a UTF-8 sequence at their end. */
export function cut(text: string, max: number): string {
  let end = max;
  while (end > max - 3 && (text.charCodeAt(end) & 0xc0) === 0x80 && text.charCodeAt(end) <= 0xff) end--;
  return text.slice(0, Math.max(end, 0));
}

/** Like `jsonString`, with `null` for what is absent. */
export function jsonOrNull(text: string | undefined | null, max: number): string {
  return text === undefined || text === null || text === '' ? 'null' : jsonString(text, max);
}

/** A request target without the values of query parameters that look like credentials: `?token=***`. Linear in its length. */
export function withoutSecrets(path: string): string {
  const query = path.indexOf('?') + 1;
  if (query === 0 || !path.includes('=', query)) return path;
  let shown = path.slice(0, query);
  for (let at = query; at < path.length;) {
    const amp = path.indexOf('&', at);
    const end = amp < 0 ? path.length : amp + 1;
    const pair = path.slice(at, end);
    const eq = pair.indexOf('=');
    shown += eq > 0 && SECRET.test(pair.slice(0, eq)) ? `${pair.slice(0, eq)}=***${amp < 0 ? '' : '&'}` : pair;
    at = end;
  }
  return shown;
}

/** Heads are read as latin1, one character a byte. Bytes that are valid UTF-8 were meant as such; others are shown as latin1. */
export function readable(text: string): string {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return text;
  try {
    return utf8.decode(Buffer.from(text, 'latin1'));
  } catch {
    return text;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

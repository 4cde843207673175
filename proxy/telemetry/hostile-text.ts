/** Text that callers chose, made safe to show: escaped for JSON, capped, and with the secrets of queries taken out. */

/** Nothing to escape: printable ASCII without quote and backslash. */
const PLAIN = /^[ !#-[\]-~]*$/;
/** JSON allows these as they are, but terminals and log viewers act on them: DEL, C1 controls, line separators, bidi controls. */
const UNSAFE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
/** Names of query parameters whose values are credentials. */
const SECRET =
  /token|passw|pwd|secret|api[-_]?key|credential|signature|jwt|session|^(?:auth|authorization|code|sig|key)$/i;

/** A JSON string, quotes included. Longer texts are cut at `max` characters and end in `…`. */
export function jsonString(text: string, max: number): string {
  const short = text.length > max ? text.slice(0, max) : text;
  if (PLAIN.test(short)) return short.length === text.length ? `"${short}"` : `"${short}…"`;
  const shown = fromBytes(short);
  const json = JSON.stringify(short.length === text.length ? shown : `${shown}…`);
  return json.replace(UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
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
function fromBytes(text: string): string {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return text;
  try {
    return utf8.decode(Buffer.from(text, 'latin1'));
  } catch {
    return text;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

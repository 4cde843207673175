/**
 * Field lines (RFC 9112 section 5) → a flat list of names and values, or the exact reason they are refused.
 * One pass over the bytes; strings are cut from one latin1 text, so that bytes above 0x7f survive unchanged.
 */
import type { HeaderList } from '../core/header-list.ts';

/** Why a message is refused: the status it deserves, and Envoy-style details. */
export type HeadProblem = {
  readonly problem: true;
  readonly status: 400 | 405 | 408 | 414 | 417 | 431 | 501 | 505;
  readonly details: string;
};

export const refuse = (status: HeadProblem['status'], details: string): HeadProblem => ({
  problem: true,
  status,
  details,
});

export const CR = 13;
export const LF = 10;
const TAB = 9;
const SPACE = 32;
const COLON = 58;

/** RFC 9110 section 5.6.2: tchar. */
export const TOKEN = table("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

/** What may stand in a field value: HTAB, SP, VCHAR, obs-text (RFC 9110 section 5.5). */
const VALUE = new Uint8Array(256).fill(1, SPACE).fill(0, 127, 128);
VALUE[TAB] = 1;

export function table(allowed: string): Uint8Array {
  const t = new Uint8Array(256);
  for (const c of allowed) t[c.charCodeAt(0)] = 1;
  return t;
}

/**
 * Reads field lines from `p` to `end` (exclusive; the last line's CRLF included) and appends them to `out`.
 * `text` is the latin1 text of `bytes` from `base` on.
 */
export function parseFields(
  bytes: Uint8Array,
  text: string,
  base: number,
  p: number,
  end: number,
  maxFields: number,
  out: HeaderList,
): HeadProblem | null {
  let fields = 0;
  while (p < end) {
    const nameStart = p;
    while (TOKEN[bytes[p]!] === 1) p++;
    // Space before the colon, a leading space (obs-fold), an empty name, a line without a colon: all end here.
    if (p === nameStart) return refuse(400, startsFolded(bytes[p]!) ? 'http1.obs_fold' : 'http1.invalid_header_name');
    if (bytes[p] !== COLON) return refuse(400, 'http1.invalid_header_name');
    const nameEnd = p++;
    while (bytes[p] === SPACE || bytes[p] === TAB) p++;
    const valueStart = p;
    while (VALUE[bytes[p]!] === 1) p++;
    if (bytes[p] !== CR || bytes[p + 1] !== LF) return refuse(400, 'http1.invalid_header_value');
    let valueEnd = p;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SPACE || bytes[valueEnd - 1] === TAB)) valueEnd--;
    if (++fields > maxFields) return refuse(431, 'http1.too_many_headers');
    out.push(text.slice(nameStart - base, nameEnd - base), text.slice(valueStart - base, valueEnd - base));
    p += 2;
  }
  return null;
}

const startsFolded = (byte: number): boolean => byte === SPACE || byte === TAB;

/**
 * Digits only, as RFC 9110 section 8.6 has it; -1 for anything else or what a double cannot count exactly, and for leading zeros:
 * `010` is eight to readers of octal.
 */
export function parseContentLength(value: string): number {
  if (value.length === 0 || value.length > 15 || (value.length > 1 && value.charCodeAt(0) === 48)) return -1;
  let n = 0;
  for (let i = 0; i < value.length; i++) {
    const digit = value.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return -1;
    n = n * 10 + digit;
  }
  return n;
}

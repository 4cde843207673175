/**
 * One spelling for one path: Istio's `BASE` normalization, which is Envoy's `normalize_path` (RFC 3986 section 6.2.2): unreserved
 * characters are decoded, dot segments resolved, `\` becomes `/`. `//`, `%2F` and `%5C` stay as they are, and so does the query.
 * Istio's other modes are made of the same: see `pathNormalizer`.
 */

/** istio.mesh.v1alpha1 MeshConfig.ProxyPathNormalization.NormalizationType; `DEFAULT` is `BASE`. */
export type PathNormalization = 'NONE' | 'BASE' | 'MERGE_SLASHES' | 'DECODE_AND_MERGE_SLASHES';

export const PATH_NORMALIZATIONS: readonly PathNormalization[] = [
  'NONE',
  'BASE',
  'MERGE_SLASHES',
  'DECODE_AND_MERGE_SLASHES',
];

const PERCENT = 0x25;
const DOT = 0x2e;
const SLASH = 0x2f;
const QUESTION = 0x3f;
const BACKSLASH = 0x5c;

/** By character code: 0 copy, 1 look closer, 2 never allowed in a target (controls, space, `#`, DEL; beyond ASCII too). */
const CLASS = new Uint8Array(128);
for (let c = 0; c <= 0x20; c++) CLASS[c] = 2;
CLASS[0x23] = 2;
CLASS[0x7f] = 2;
for (const c of [PERCENT, DOT, QUESTION, BACKSLASH]) CLASS[c] = 1;

/**
 * The normal form of a request target in origin-form, query included. Null: answer 400 (`#`, `%00`, controls, raw non-ASCII, no
 * leading slash). `*` stays `*`. Plain targets come back as the very same string after one scan.
 */
export function normalizePath(raw: string): string | null {
  if (raw.charCodeAt(0) !== SLASH && raw.charCodeAt(0) !== BACKSLASH) return raw === '*' ? raw : null;
  let normal = raw.charCodeAt(0) === SLASH;
  let query = -1;
  for (let i = 0; i < raw.length; i++) {
    const c = raw.charCodeAt(i);
    const kind = c < 128 ? CLASS[c] : 2;
    if (kind === 0) continue;
    if (kind === 2) return null;
    if (query >= 0) continue;
    if (c === QUESTION) query = i;
    // A dot matters only where it begins a segment.
    else if (c !== DOT || raw.charCodeAt(i - 1) === SLASH) normal = false;
  }
  if (normal) return raw;
  const path = canonical(query < 0 ? raw : raw.slice(0, query));
  return path === null || query < 0 ? path : path + raw.slice(query);
}

/**
 * The function that makes the normal form in a mode: `normalizePath` in `BASE`. Each returns null for what is answered 400, `%00`
 * among it in every mode, and leaves the query alone. Order of the steps as in Envoy's ConnectionManagerUtility::maybeNormalizePath:
 * slashes are decoded, the path is normalized, slashes are merged.
 */
export function pathNormalizer(mode: PathNormalization): (raw: string) => string | null {
  if (mode === 'NONE') return checkPath;
  if (mode === 'MERGE_SLASHES') return (raw) => mergeSlashes(normalizePath(raw));
  if (mode === 'DECODE_AND_MERGE_SLASHES') return (raw) => mergeSlashes(normalizePath(decodeSlashes(raw)));
  return normalizePath;
}

/** The path as it came, or null for what no mode lets through. */
function checkPath(raw: string): string | null {
  return normalizePath(raw) === null ? null : raw;
}

function mergeSlashes(path: string | null): string | null {
  if (path === null || !path.includes('//')) return path;
  const query = path.indexOf('?');
  return query < 0 ? merged(path) : merged(path.slice(0, query)) + path.slice(query);
}

const merged = (path: string): string => path.replace(/\/{2,}/g, '/');

function decodeSlashes(raw: string): string {
  if (!raw.includes('%')) return raw;
  const query = raw.indexOf('?');
  return query < 0 ? decoded(raw) : decoded(raw.slice(0, query)) + raw.slice(query);
}

const decoded = (path: string): string => path.replace(/%2f/gi, '/').replace(/%5c/gi, '\\');

/** A path without its query. */
export function withoutQuery(path: string): string {
  const query = path.indexOf('?');
  return query < 0 ? path : path.slice(0, query);
}

/** The path of a request target, its query included: of origin-form the target itself, of absolute-form what follows the authority. */
export function pathOfTarget(target: string): string {
  if (target.charCodeAt(0) === SLASH) return target;
  const authority = target.indexOf('://');
  if (authority < 0) return target;
  for (let i = authority + 3; i < target.length; i++) {
    const c = target.charCodeAt(i);
    if (c === SLASH || c === BACKSLASH) return target.slice(i);
    if (c === QUESTION) return `/${target.slice(i)}`;
  }
  return '/';
}

/** Null: a `%00`. Only a real slash ends a segment; `%2f` never does. */
function canonical(path: string): string | null {
  const written = path.split(/[/\\]/);
  const kept: string[] = [];
  for (let i = 1; i < written.length; i++) {
    const segment = decodeUnreserved(written[i]!);
    if (segment === null) return null;
    const dots = dotsOf(segment);
    if (dots === '..') kept.pop();
    if (dots === '') kept.push(segment);
    // What ends with a dot segment names a directory.
    else if (i === written.length - 1) kept.push('');
  }
  return `/${kept.join('/')}`;
}

/**
 * `.` or `..` when the segment is one, with parameters too (`..;a=b`): servers that read parameters see nothing else in it
 * (RFC 3986 section 3.3; CVE-2026-73551). "" when it is a name.
 */
function dotsOf(segment: string): '' | '.' | '..' {
  if (segment.charCodeAt(0) !== DOT) return '';
  const end = segment.indexOf(';');
  const name = end < 0 ? segment : segment.slice(0, end);
  return name === '.' || name === '..' ? name : '';
}

/** Broken escapes stay, and so do those of other characters, with the case of their hex digits (as Envoy has it). */
function decodeUnreserved(segment: string): string | null {
  let from = segment.indexOf('%');
  if (from < 0) return segment;
  let out = segment.slice(0, from);
  while (from < segment.length) {
    const decoded = segment.charCodeAt(from) === PERCENT ? decodeAt(segment, from) : -1;
    if (decoded === 0) return null;
    out += isUnreserved(decoded) ? String.fromCharCode(decoded) : segment.slice(from, from + (decoded < 0 ? 1 : 3));
    from += decoded < 0 ? 1 : 3;
  }
  return out;
}

/** The byte that `%XX` at `i` stands for, or -1. */
export function decodeAt(text: string, i: number): number {
  const high = hex(text.charCodeAt(i + 1));
  const low = hex(text.charCodeAt(i + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hex(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  const lower = c | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** RFC 3986 section 2.3: letters, digits, `-`, `.`, `_`, `~`. */
function isUnreserved(c: number): boolean {
  const lower = c | 0x20;
  return (
    (lower >= 0x61 && lower <= 0x7a) || (c >= 0x30 && c <= 0x39) || c === 0x2d || c === DOT || c === 0x5f || c === 0x7e
  );
}

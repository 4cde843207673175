/**
 * What a path may mean to the many programs that read it: for policies, which must not be talked around by spelling.
 *
 * Servers decode once or twice, take `\` for `/`, merge `//`, drop `;parameters`, resolve dots before or after. A DENY looks at
 * every such view and refuses when one matches; an ALLOW asks that all of them match (Istio CVE-2021-31920, -39156; Tomcat's `;`).
 */
import { decodeAt, normalizePath, withoutQuery } from './path.ts';

/** Rounds of percent-decoding: one more than any server known to do it twice. */
const ROUNDS = 3;

/** `%`, `\`, `;`, an empty segment, or one that begins with a dot: only then can a path be read in more than one way. */
const AMBIGUOUS = /[%\\;]|\/[/.]/;

/** Whether `decisionViews` would find anything beside the path itself. The query does not count. */
export function isAmbiguous(path: string): boolean {
  return AMBIGUOUS.test(path);
}

/**
 * Every distinct view of a path without its query, as written, `raw`, being the first; the normal form is among them. Bounded: at most
 * 18. Of a plain path it is the only one.
 */
export function decisionViews(raw: string): readonly string[] {
  const views = new Set([raw]);
  if (!isAmbiguous(raw)) return [raw];
  const normal = normalizePath(raw);
  if (normal !== null) views.add(normal);
  let text = raw;
  for (let round = 0; round <= ROUNDS; round++) {
    addReadings(views, text);
    const decoded = decodeOnce(text);
    if (decoded === text) break;
    text = decoded;
  }
  return [...views];
}

/** The path that policies see of a request: of the raw target when it can be read in more than one way, else the normal one. */
export function viewsOf(rawPath: string, normalPath: string): readonly string[] {
  const raw = withoutQuery(rawPath);
  if (!isAmbiguous(raw)) return [withoutQuery(normalPath)];
  const normal = withoutQuery(normalPath);
  const views = decisionViews(raw);
  // A path that was rewritten before it came here is judged in both forms.
  return views.includes(normal) ? views : [...views, normal];
}

/** With and without `;parameters`; slashes merged before dots are resolved, and after. */
function addReadings(views: Set<string>, text: string): void {
  const slashed = text.replaceAll('\\', '/');
  for (const path of slashed.includes(';') ? [slashed, slashed.replace(/;[^/]*/g, '')] : [slashed]) {
    views.add(resolveDots(path.replace(/\/{2,}/g, '/')));
    views.add(resolveDots(path).replace(/\/{2,}/g, '/'));
  }
}

function resolveDots(path: string): string {
  if (!path.includes('/.')) return path;
  const kept: string[] = [];
  const written = path.split('/');
  for (let i = 1; i < written.length; i++) {
    const segment = written[i]!;
    if (segment === '..') kept.pop();
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (i === written.length - 1) kept.push('');
  }
  return `/${kept.join('/')}`;
}

/** Bytes to characters, as Latin-1; over-long UTF-8 (`%c0%af`) gives the ASCII it hides. Broken escapes stay. */
function decodeOnce(text: string): string {
  if (!text.includes('%')) return text;
  const bytes = text.replace(/%[0-9A-Fa-f]{2}/g, (escape) => String.fromCharCode(decodeAt(escape, 0)));
  return bytes
    .replace(/[\xc0\xc1][\x80-\xbf]/g, (pair) => overlong(pair, 0x1f))
    .replace(/\xe0[\x80\x81][\x80-\xbf]/g, (triple) => overlong(triple, 0x0f));
}

/** The code point of a UTF-8 sequence, its lead byte masked. */
function overlong(sequence: string, mask: number): string {
  let code = sequence.charCodeAt(0) & mask;
  for (let i = 1; i < sequence.length; i++) code = code * 64 + (sequence.charCodeAt(i) & 0x3f);
  return String.fromCharCode(code);
}

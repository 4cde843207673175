/**
 * RE2 patterns that a backtracking engine runs in linear time, translated for V8; everything else is declined.
 *
 * Plain means a row of items: literal characters, escaped punctuation, `.`, `\d`, `\w`, classes of ASCII characters and ranges;
 * each once, or with `?`, `*`, `+`. At most two `?`; and every `*` or `+` but the last stands before an item that must be there
 * and shares no character with it, so that where it ends is never in doubt. Only the last can give characters back and go on, and
 * what follows it has a fixed length: the cost is (length of value) × (length of pattern).
 */

/** A set of ASCII characters; `beyond`: all others are in it. */
type Item = { readonly source: string; readonly ascii: readonly boolean[]; readonly beyond: boolean; repeat: string };

/** The equivalent V8 expression, anchored; null when the pattern is not plain enough. */
export function translateSimple(pattern: string): RegExp | null {
  const items = parse(pattern);
  if (items === null || !isLinear(items)) return null;
  // `u`: a character is a code point, as in RE2.
  return new RegExp(`^${items.map((item) => item.source + item.repeat).join('')}$`, 'u');
}

function isLinear(items: readonly Item[]): boolean {
  const last = items.findLastIndex(isUnbounded);
  return (
    items.filter(({ repeat }) => repeat === '?').length <= 2 &&
    items.slice(0, Math.max(last, 0)).every((item, i) => !isUnbounded(item) || isStopped(item, items[i + 1]!))
  );
}

const isUnbounded = ({ repeat }: Item): boolean => repeat === '*' || repeat === '+';
const isStopped = (item: Item, next: Item): boolean =>
  (next.repeat === '' || next.repeat === '+') && !overlap(item, next);

function overlap(a: Item, b: Item): boolean {
  return (a.beyond && b.beyond) || a.ascii.some((is, code) => is && b.ascii[code] === true);
}

function parse(pattern: string): Item[] | null {
  const items: Item[] = [];
  // Anchors at the ends say what a full match says anyway.
  const end = pattern.endsWith('$') && !pattern.endsWith('\\$') ? pattern.length - 1 : pattern.length;
  let i = pattern.startsWith('^') ? 1 : 0;
  while (i < end) {
    const c = pattern[i]!;
    const last = items.at(-1);
    if (c === '?' || c === '*' || c === '+') {
      // A second one would make it lazy or is an error: not plain.
      if (last === undefined || last.repeat !== '') return null;
      last.repeat = c;
      i++;
      continue;
    }
    const read = c === '[' ? readClass(pattern, i) : readItem(pattern, i);
    if (read === null) return null;
    items.push(read.item);
    i = read.next;
  }
  return i === end ? items : null;
}

type Read = { readonly item: Item; readonly next: number } | null;

function readItem(pattern: string, i: number): Read {
  const c = pattern[i]!;
  if (c === '\\') return readEscape(pattern, i);
  if (c === '.') return { item: set('[^\\n]', (char) => char !== '\n', true), next: i + 1 };
  // Code units outside ASCII, and whatever else has a meaning, is left to re2js.
  if (!isPlain(c)) return null;
  return { item: set(escape(c), (char) => char === c), next: i + 1 };
}

function readEscape(pattern: string, i: number): Read {
  const c = pattern[i + 1];
  if (c === undefined) return null;
  if (c === 'd') return { item: set('[0-9]', (char) => /[0-9]/.test(char)), next: i + 2 };
  if (c === 'w') return { item: set('[0-9A-Za-z_]', (char) => /[0-9A-Za-z_]/.test(char)), next: i + 2 };
  if (!isPunctuation(c)) return null;
  return { item: set(escape(c), (char) => char === c), next: i + 2 };
}

/** `[a-z0-9_-]`, `[^/]`: characters and ranges only, no `[:alpha:]`, no `\d` inside, escaped punctuation allowed. */
function readClass(pattern: string, from: number): Read {
  let i = from + 1;
  const negated = pattern[i] === '^';
  if (negated) i++;
  const ranges: [string, string][] = [];
  for (; pattern[i] !== ']' || ranges.length === 0;) {
    const low = readClassChar(pattern, i);
    if (low === null) return null;
    i = low.next;
    if (pattern[i] !== '-' || pattern[i + 1] === ']') {
      ranges.push([low.char, low.char]);
      continue;
    }
    const high = readClassChar(pattern, i + 1);
    if (high === null || high.char < low.char) return null;
    ranges.push([low.char, high.char]);
    i = high.next;
  }
  const source = ranges.map(([low, high]) => (low === high ? escape(low) : `${escape(low)}-${escape(high)}`)).join('');
  const has = (char: string): boolean => ranges.some(([low, high]) => char >= low && char <= high);
  return {
    item: negated ? set(`[^${source}]`, (char) => !has(char), true) : set(`[${source}]`, has),
    next: i + 1,
  };
}

function readClassChar(pattern: string, i: number): { readonly char: string; readonly next: number } | null {
  const c = pattern[i];
  if (c === undefined) return null;
  if (c === '\\') {
    const escaped = pattern[i + 1];
    return escaped !== undefined && isPunctuation(escaped) ? { char: escaped, next: i + 2 } : null;
  }
  return c !== '[' && c !== ']' && isAscii(c) ? { char: c, next: i + 1 } : null;
}

function set(source: string, has: (char: string) => boolean, beyond = false): Item {
  return {
    source,
    ascii: Array.from({ length: 128 }, (_, code) => has(String.fromCharCode(code))),
    beyond,
    repeat: '',
  };
}

const isAscii = (c: string): boolean => c >= ' ' && c <= '~';
const isPunctuation = (c: string): boolean => /^[!-/:-@[-`{-~]$/.test(c);
const isPlain = (c: string): boolean => isAscii(c) && !/[\\^$.|?*+()[\]{}]/.test(c);
const escape = (c: string): string => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`;

/**
 * Times of day as strftime writes them, with what Abseil's FormatTime and Envoy add: `%E3S`, `%E*S`, `%Ez`, `%E4Y`, `%s`, `%f`, `%3f`.
 * Of what nobody knows, the text stays as it is (as in Envoy). Names of days and months are English.
 */

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = 'January February March April May June July August September October November December'.split(' ');

/** Fields of a time in the wanted zone: its clock is read with the getters of UTC. `offset`: minutes east of Greenwich. */
type Fields = { readonly date: Date; readonly offset: number; readonly epochSecond: number };

const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`);
const spaced = (n: number): string => (n < 10 ? ` ${n}` : `${n}`);
const twelve = (hour: number): number => hour % 12 || 12;
const MS_A_DAY = 86_400_000;
const dayOfYear = (d: Date): number => Math.floor((d.getTime() - Date.UTC(d.getUTCFullYear(), 0, 1)) / MS_A_DAY) + 1;
/** Weeks that began with `first` (0: Sunday) so far this year. */
const week = (d: Date, first: number): number => Math.floor((dayOfYear(d) + 6 - ((d.getUTCDay() - first + 7) % 7)) / 7);

/** ISO 8601: the week belongs to the year its Thursday is in. */
function isoWeek(d: Date): { year: number; week: number } {
  const thursday = new Date(d.getTime() + (4 - (d.getUTCDay() || 7)) * MS_A_DAY);
  return { year: thursday.getUTCFullYear(), week: Math.ceil(dayOfYear(thursday) / 7) };
}

const zone = (minutes: number, colon: string): string => {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${colon}${two(size % 60)}`;
};

/** Of single letters; each changes once a second at most. */
const FIELDS: Readonly<Record<string, (t: Fields) => string>> = {
  a: ({ date }) => DAYS[date.getUTCDay()]!.slice(0, 3),
  A: ({ date }) => DAYS[date.getUTCDay()]!,
  b: ({ date }) => MONTHS[date.getUTCMonth()]!.slice(0, 3),
  B: ({ date }) => MONTHS[date.getUTCMonth()]!,
  C: ({ date }) => two(Math.floor(date.getUTCFullYear() / 100)),
  d: ({ date }) => two(date.getUTCDate()),
  e: ({ date }) => spaced(date.getUTCDate()),
  g: ({ date }) => two(isoWeek(date).year % 100),
  G: ({ date }) => `${isoWeek(date).year}`,
  h: ({ date }) => MONTHS[date.getUTCMonth()]!.slice(0, 3),
  H: ({ date }) => two(date.getUTCHours()),
  I: ({ date }) => two(twelve(date.getUTCHours())),
  j: ({ date }) => `${dayOfYear(date)}`.padStart(3, '0'),
  k: ({ date }) => spaced(date.getUTCHours()),
  l: ({ date }) => spaced(twelve(date.getUTCHours())),
  m: ({ date }) => two(date.getUTCMonth() + 1),
  M: ({ date }) => two(date.getUTCMinutes()),
  p: ({ date }) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  P: ({ date }) => (date.getUTCHours() < 12 ? 'am' : 'pm'),
  s: ({ epochSecond }) => `${epochSecond}`,
  S: ({ date }) => two(date.getUTCSeconds()),
  t: () => '\t',
  u: ({ date }) => `${date.getUTCDay() || 7}`,
  U: ({ date }) => two(week(date, 0)),
  V: ({ date }) => two(isoWeek(date).week),
  w: ({ date }) => `${date.getUTCDay()}`,
  W: ({ date }) => two(week(date, 1)),
  y: ({ date }) => two(date.getUTCFullYear() % 100),
  Y: ({ date }) => `${date.getUTCFullYear()}`,
  z: ({ offset }) => zone(offset, ''),
  Z: ({ offset }) => (offset === 0 ? 'UTC' : zone(offset, '')),
  '%': () => '%',
};

/** Letters that stand for several. */
const LONGER: Readonly<Record<string, string>> = {
  c: '%a %b %e %H:%M:%S %Y',
  D: '%m/%d/%y',
  F: '%Y-%m-%d',
  r: '%I:%M:%S %p',
  R: '%H:%M',
  T: '%H:%M:%S',
  x: '%m/%d/%y',
  X: '%H:%M:%S',
};

const SPECIFIER = /%(?:E([1-9]|\*)([Sf])|E(4Y|[zsT])|([1-9])?(f)|(.))/gs;

type Piece = { readonly fixed: ((t: Fields) => string) | null; readonly digits: number };

/** Null: it may stand in a line. */
export function timeFormatProblem(format: string): string | null {
  return /[\n\r\0]|%n/.test(format) ? 'a time must not have a line feed in it' : null;
}

/** `local`: in the zone of this machine, otherwise UTC. The function takes ms since 1970, with a fraction. */
export function compileTimeFormat(format: string, local = false): (epochMs: number) => string {
  const pieces = parse(format.replace(/%([%cDFrRTxX])/g, (whole, letter: string) => LONGER[letter] ?? whole));
  const texts = pieces.map(() => '');
  let second = Number.NaN;
  return (epochMs) => {
    const now = Math.floor(epochMs / 1000);
    if (now !== second) {
      second = now;
      const offset = local ? -new Date(now * 1000).getTimezoneOffset() : 0;
      const fields = { date: new Date((now + offset * 60) * 1000), offset, epochSecond: now };
      pieces.forEach(({ fixed }, i) => (texts[i] = fixed?.(fields) ?? ''));
    }
    let out = '';
    let nanos = '';
    for (let i = 0; i < pieces.length; i++) {
      const { fixed, digits } = pieces[i]!;
      if (fixed !== null) out += texts[i]!;
      else out += fraction((nanos ||= nanosOf(epochMs - now * 1000)), digits);
    }
    return out;
  };
}

/** Clocks tell microseconds; a float of today is off by a quarter of one at most. */
const nanosOf = (ms: number): string => `${Math.min(999_999, Math.floor(ms * 1000 + 0.25))}`.padStart(6, '0') + '000';

/** `digits` 0: as many as it has, after a dot; none for a whole second. Negative: after a dot. */
function fraction(nanos: string, digits: number): string {
  if (digits > 0) return nanos.slice(0, digits);
  if (digits < 0) return `.${nanos.slice(0, -digits)}`;
  const shown = nanos.replace(/0+$/, '');
  return shown === '' ? '' : `.${shown}`;
}

function parse(format: string): Piece[] {
  const pieces: Piece[] = [];
  const put = (text: string): void => {
    if (text !== '') pieces.push({ fixed: () => text, digits: 0 });
  };
  let at = 0;
  for (const match of format.matchAll(SPECIFIER)) {
    put(format.slice(at, match.index));
    at = match.index + match[0].length;
    const [whole, width, seconds, extended, places, f, letter] = match;
    if (seconds === 'S') {
      pieces.push({ fixed: FIELDS['S']!, digits: 0 }, { fixed: null, digits: width === '*' ? 0 : -Number(width) });
    } else if (seconds === 'f') pieces.push({ fixed: null, digits: width === '*' ? 9 : Number(width) });
    else if (f !== undefined) pieces.push({ fixed: null, digits: Number(places ?? 9) });
    else if (extended === 'z') pieces.push({ fixed: ({ offset }) => zone(offset, ':'), digits: 0 });
    else if (extended === 'T') put('T');
    else if (extended !== undefined) pieces.push({ fixed: FIELDS[extended === '4Y' ? 'Y' : 's']!, digits: 0 });
    else if (letter !== undefined && Object.hasOwn(FIELDS, letter)) pieces.push({ fixed: FIELDS[letter]!, digits: 0 });
    else put(whole);
  }
  put(format.slice(at));
  return pieces;
}

/** Numbers and times out of the environment. */

/** Throws a RangeError that names `name` when `text` is no whole number from 0 to `max`; unset or empty means `fallback`. */
export function wholeNumber(name: string, text: string | undefined, fallback: number, max: number): number {
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= max) return value;
  throw new RangeError(`${name}: expected a whole number from 0 to ${max}, got ${JSON.stringify(text)}`);
}

/** Milliseconds of `2s`, `0.5s`, `500ms` or `2` (seconds). Throws a RangeError that names `name` for anything else, and beyond ten minutes; unset or empty means 0. */
export function milliseconds(name: string, text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * (unit === 'ms' ? 1 : 1000));
  if (number !== undefined && ms <= 600_000) return ms;
  throw new RangeError(`${name}: expected a time from 0 to 600s, such as 2s or 500ms, got ${JSON.stringify(text)}`);
}

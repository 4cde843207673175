/** Numbers out of the environment. */

/** Throws a RangeError that names `name` when `text` is no whole number from 0 to `max`; unset or empty means `fallback`. */
export function wholeNumber(name: string, text: string | undefined, fallback: number, max: number): number {
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= max) return value;
  throw new RangeError(`${name}: expected a whole number from 0 to ${max}, got ${JSON.stringify(text)}`);
}

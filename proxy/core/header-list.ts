/**
 * Ordered, case-blind headers in one flat array: name, value, name, value …
 * Names keep the case they came in (many clients depend on it); a lookup compares blind to case.
 * Lookups take the wanted name in lower case, so that the common case is one length test a header.
 */

export type HeaderList = string[];

/** The index of the first header called `lower` (its name; the value is at +1), or -1. */
export function indexOf(list: HeaderList, lower: string, from = 0): number {
  const n = lower.length;
  const first = lower.charCodeAt(0);
  for (let i = from; i < list.length; i += 2) {
    const name = list[i]!;
    // Only letters differ in bit 5, and for other characters the whole comparison decides.
    if (name.length !== n || (name.charCodeAt(0) | 32) !== (first | 32)) continue;
    if (name === lower || name.toLowerCase() === lower) return i;
  }
  return -1;
}

/** The first value of `lower`, or undefined. */
export function get(list: HeaderList, lower: string): string | undefined {
  const i = indexOf(list, lower);
  return i < 0 ? undefined : list[i + 1];
}

/** All values of `lower` joined with `,` as Envoy's header matchers see them; undefined when absent. */
export function getJoined(list: HeaderList, lower: string): string | undefined {
  let i = indexOf(list, lower);
  if (i < 0) return undefined;
  let joined = list[i + 1]!;
  while ((i = indexOf(list, lower, i + 2)) >= 0) joined += `,${list[i + 1]!}`;
  return joined;
}

/** Every value of `lower`, in order. */
export function getAll(list: HeaderList, lower: string): string[] {
  const values: string[] = [];
  for (let i = indexOf(list, lower); i >= 0; i = indexOf(list, lower, i + 2)) values.push(list[i + 1]!);
  return values;
}

/** Replaces every occurrence by one; keeps the place and the case of the first, appends when there was none. */
export function set(list: HeaderList, lower: string, value: string, name = lower): void {
  const i = indexOf(list, lower);
  if (i < 0) {
    list.push(name, value);
    return;
  }
  list[i + 1] = value;
  removeFrom(list, lower, i + 2);
}

export function append(list: HeaderList, name: string, value: string): void {
  list.push(name, value);
}

/** Removes every occurrence; true when there was one. */
export function remove(list: HeaderList, lower: string): boolean {
  const i = indexOf(list, lower);
  if (i < 0) return false;
  removeFrom(list, lower, i);
  return true;
}

function removeFrom(list: HeaderList, lower: string, from: number): void {
  let i = indexOf(list, lower, from);
  if (i < 0) return;
  let to = i;
  for (; i < list.length; i += 2) {
    const name = list[i]!;
    if (name.length === lower.length && name.toLowerCase() === lower) continue;
    list[to] = name;
    list[to + 1] = list[i + 1]!;
    to += 2;
  }
  list.length = to;
}

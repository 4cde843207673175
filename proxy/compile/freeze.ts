/** Freezes plain data to its leaves: what is compiled never changes. */

/** Parts that are frozen already are taken to be so all through. */
export function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) freeze(inner);
  return value;
}

/** Names for what is made from templates: the pod-template-hash, and the random ends of names. */
import { createHash, randomInt } from 'node:crypto';

/** Letters and digits that spell no words; those of Kubernetes' own generated names. */
const SAFE = 'bcdfghjklmnpqrstvwxz2456789';

/** Ten characters that change exactly when the template does, whatever the order of its keys. */
export function templateHash(template: unknown): string {
  const digest = createHash('sha256').update(canonical(template)).digest();
  return Array.from(digest.subarray(0, 10), (byte) => SAFE[byte % SAFE.length]).join('');
}

/** The end of a generated name: five characters, as Kubernetes appends to `generateName`. */
export const randomSuffix = (length = 5): string => Array.from({ length }, () => SAFE[randomInt(SAFE.length)]).join('');

/** JSON with sorted keys. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(',')}}`;
}

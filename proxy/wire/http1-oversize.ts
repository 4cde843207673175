/** What is said to a head that is longer than it may be: which part of it is to blame (RFC 9112 section 3, RFC 6585 section 5). */
import { refuse, type HeadProblem } from './http1-fields.ts';

/**
 * Bytes of a method. Extension methods are passed on, and nobody knows them all; the longest that is registered
 * (UPDATEREDIRECTREF, in IANA's registry) has 17.
 */
export const MAX_METHOD = 32;

const SPACE = 32;

/** The head that starts at `start`, whole or not, has more bytes than all of it may have: 400 for its method, 414 for its target, else 431. */
export function refuseOversize(bytes: Buffer, start: number, maxTarget: number): HeadProblem {
  const method = bytes.indexOf(SPACE, start);
  if (method < 0 || method - start > MAX_METHOD) return refuse(400, 'http1.invalid_method');
  const target = bytes.indexOf(SPACE, method + 1);
  if (target < 0 || target - method - 1 > maxTarget) return refuse(414, 'http1.target_too_long');
  return refuse(431, 'http1.headers_too_large');
}

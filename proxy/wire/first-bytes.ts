/** What a connection whose protocol nobody declared speaks, told from the bytes that its client sends first. */
import { CR, LF, TOKEN } from './http1-fields.ts';
import { MAX_METHOD } from './http1-oversize.ts';

/** `more`: it cannot be told yet; never of MAX_FIRST_BYTES bytes and more. */
export type Speech = 'tls' | 'http' | 'other' | 'more';

/** By so many bytes it is told. */
export const MAX_FIRST_BYTES = 1024;

const SPACE = 32;
const HANDSHAKE = 22;
const TLS_MAJOR = 3;
/** Those that everybody knows. `PRI`: the preface of HTTP/2 (RFC 9113 section 3.4). */
const METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT', 'TRACE', 'PRI'].map((method) =>
  Buffer.from(method),
);
const VERSION = Buffer.from(' HTTP/');

/**
 * TLS: a handshake record, as readClientHello takes it. HTTP: a method everybody knows and a space, or any other method whose line
 * ends in HTTP's version: memcached's `get key` and Redis' `PING x` are not HTTP. Only what must be waited for is: final but for `more`.
 */
export function speaks(bytes: Buffer): Speech {
  if (bytes.length === 0) return 'more';
  if (bytes[0] === HANDSHAKE) return bytes.length < 2 ? 'more' : bytes[1] === TLS_MAJOR ? 'tls' : 'other';
  let p = 0;
  const most = Math.min(bytes.length, MAX_METHOD + 1);
  while (p < most && TOKEN[bytes[p]!] === 1) p++;
  if (p === 0 || p > MAX_METHOD) return 'other';
  if (p === bytes.length) return 'more';
  if (bytes[p] !== SPACE) return 'other';
  for (const method of METHODS) if (method.length === p && standsAt(bytes, 0, method)) return 'http';
  return speaksByLine(bytes, p + 1);
}

/** Of a request line whose method is not known; `p`: behind its space. */
function speaksByLine(bytes: Buffer, p: number): Speech {
  const most = Math.min(bytes.length, MAX_FIRST_BYTES);
  const from = p;
  while (p < most && bytes[p]! >= SPACE && bytes[p]! < 127) p++;
  // Text without an end: our own reader of HTTP shall be the judge, as policies on requests must not be passed by a long line.
  if (p === most) return most === MAX_FIRST_BYTES ? 'http' : 'more';
  if (bytes[p] === CR) {
    if (p + 1 === most) return most === MAX_FIRST_BYTES ? 'http' : 'more';
    if (bytes[p + 1] !== LF) return 'other';
  } else if (bytes[p] !== LF) return 'other';
  const version = p - VERSION.length - 3;
  return version >= from && standsAt(bytes, version, VERSION) ? 'http' : 'other';
}

/** A loop costs less than a call of Buffer's for so few bytes. */
function standsAt(bytes: Buffer, p: number, text: Buffer): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[p + i] !== text[i]) return false;
  return true;
}

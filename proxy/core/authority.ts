/** `host[:port]` as Host, `:authority` and CONNECT have it: its parts, and whether it is one at all. */

/** The longest host name DNS knows (RFC 1035 2.3.4), without the dot of the root. */
const MAX_HOST_LENGTH = 253;
const COLON = 0x3a;
const CLOSE_BRACKET = 0x5d;

/** Where the port's colon is, or -1. A colon inside `[…]` is part of an IPv6 address. */
function portColon(authority: string): number {
  for (let i = authority.length - 1; i >= 0; i--) {
    const c = authority.charCodeAt(i);
    if (c === COLON) return i;
    if (c === CLOSE_BRACKET) return -1;
    if (c < 0x30 || c > 0x39) return -1;
  }
  return -1;
}

/**
 * The host in lower case, without port and without the dot of the root: `Reviews.Default.:9080` → `reviews.default`; the brackets of
 * IPv6 stay. Costs nothing but two looks at the ends when the name is plain already.
 */
export function hostOf(authority: string): string {
  const colon = portColon(authority);
  const host = colon < 0 ? authority : authority.slice(0, colon);
  const lower = host.toLowerCase();
  return lower.endsWith('.') && lower.length > 1 ? lower.slice(0, -1) : lower;
}

/** As `hostOf`, without the brackets of IPv6: what can be resolved and connected to. */
export function bareHost(authority: string): string {
  const host = hostOf(authority);
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

/** The port, or `fallback` when none is written. */
export function portOf(authority: string, fallback: number): number {
  const colon = portColon(authority);
  return colon < 0 || colon === authority.length - 1 ? fallback : Number(authority.slice(colon + 1));
}

/**
 * Host and port apart; null when it is no valid authority: empty, userinfo, a list, a path, a bad port (1 to 65535 in plain
 * digits), no RFC 3986 host, an IPv6 address without brackets, longer than DNS allows. The host is as written, brackets gone.
 */
export function splitAuthority(authority: string): { readonly host: string; readonly port: number | null } | null {
  const colon = portColon(authority);
  const host = colon < 0 ? authority : authority.slice(0, colon);
  if (!isValidHost(host)) return null;
  const bare = host.startsWith('[') ? host.slice(1, -1) : host;
  if (colon < 0) return { host: bare, port: null };
  const digits = authority.slice(colon + 1);
  const port = Number(digits);
  // `0080` would be another port to readers of octal, and other text to whoever compares it.
  return digits !== '' && !digits.startsWith('0') && port <= 65535 ? { host: bare, port } : null;
}

/** Whether a Host header, `:authority` or absolute-form authority may be used at all (see `splitAuthority`). */
export function isValidAuthority(authority: string): boolean {
  // The common case, decided without making anything: letters, digits, `.`, `-`, one port.
  return (authority.length <= 128 && PLAIN.test(authority)) || splitAuthority(authority) !== null;
}

const PLAIN = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*(?::[1-9][0-9]{0,3})?$/;

/** RFC 3986 unreserved and sub-delims, less `,` (a list) and the quote; no percent-encoding: no name in use needs it. */
const NAME = /^[A-Za-z0-9._~!$&()*+;=-]+$/;
const V6 = /^\[[0-9A-Fa-f:.]{2,45}(?:%25[A-Za-z0-9._~-]{1,32})?\]$/;

function isValidHost(host: string): boolean {
  if (host.startsWith('[')) return V6.test(host) && host.includes(':');
  const length = host.endsWith('.') ? host.length - 1 : host.length;
  return length > 0 && length <= MAX_HOST_LENGTH && NAME.test(host) && !host.startsWith('.') && !host.includes('..');
}

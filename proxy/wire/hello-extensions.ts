/** The two extensions of a ClientHello that routing asks for: server_name (RFC 6066 section 3) and ALPN (RFC 7301 section 3.1). */

/** Why a hello may not be believed. */
export type HelloProblem = { readonly kind: 'broken'; readonly why: string };

const HOST_NAME = 0;
/** Bytes of a name on the wire: what OpenSSL and BoringSSL take. */
const MAX_NAME = 255;
/** Bytes of a DNS name without its last dot, and of one of its labels (RFC 1035 section 2.3.4). */
const MAX_DNS_NAME = 253;
const MAX_LABEL = 63;

// What a byte is to a name.
const DIGIT = 0;
const UPPER = 1;
const OTHER = 2;
const DOT = 4;
const BAD = 8;
const ZERO = 16;
/** The underscore is in the names that Istio's gateways route by. */
const KIND = new Uint8Array(256).fill(BAD).fill(UPPER, 65, 91).fill(OTHER, 97, 123).fill(DIGIT, 48, 58);
KIND[45] = KIND[95] = OTHER;
KIND[46] = DOT;
KIND[0] = ZERO;

export const broken = (why: string): HelloProblem => ({ kind: 'broken', why });

/**
 * The extension that lies from `p` to `end`: the one host name in it. A list of two, or of another type, which nobody ever defined,
 * is what OpenSSL and BoringSSL refuse too, and others read in their own ways.
 */
export function serverNameOf(bytes: Buffer, p: number, end: number): string | HelloProblem {
  const from = p + 5;
  if (from > end || p + 2 + bytes.readUInt16BE(p) !== end) return broken('a server name list that does not fit');
  if (bytes[p + 2] !== HOST_NAME) return broken('a server name that is no host name');
  const size = bytes.readUInt16BE(p + 3);
  if (from + size > end) return broken('a server name that does not fit');
  if (from + size < end) return broken('more than one server name');
  if (size === 0) return broken('an empty server name');
  if (size > MAX_NAME) return broken('a server name of more than 255 bytes');
  return hostName(bytes, from, end);
}

/** In lower case, without its last dot; "" when it is not a DNS name, as an address is none. */
function hostName(bytes: Buffer, from: number, end: number): string | HelloProblem {
  let seen = 0;
  let label = from;
  for (let p = from; p < end; p++) {
    const what = KIND[bytes[p]!]!;
    if (what === ZERO) return broken('a server name with a zero byte');
    seen |= what;
    if (what !== DOT) continue;
    if (p === label || p - label > MAX_LABEL) seen |= BAD;
    label = p + 1;
  }
  const last = label === end ? end - 1 : end;
  // Digits and dots alone are an IPv4 address in one of its forms, or nothing.
  if ((seen & BAD) !== 0 || (seen & (UPPER | OTHER)) === 0) return '';
  if (end - label > MAX_LABEL || last - from > MAX_DNS_NAME) return '';
  const name = bytes.latin1Slice(from, last);
  return (seen & UPPER) === 0 ? name : name.toLowerCase();
}

/** The extension that lies from `p` to `end`: the protocols in it, in the client's order. */
export function alpnOf(bytes: Buffer, p: number, end: number): readonly string[] | HelloProblem {
  if (p + 2 > end || p + 2 + bytes.readUInt16BE(p) !== end || p + 2 === end)
    return broken('a protocol list that does not fit');
  const protocols: string[] = [];
  for (p += 2; p < end;) {
    const from = p + 1;
    p = from + bytes[p]!;
    if (p === from || p > end) return broken('a protocol that does not fit');
    protocols.push(bytes.latin1Slice(from, p));
  }
  return protocols;
}

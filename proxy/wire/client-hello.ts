/**
 * The server name and the application protocols of a TLS ClientHello, read without answering it (RFC 8446 sections 4.1.2 and 5.1,
 * RFC 6066 section 3, RFC 7301 section 3.1). Strict where two readers could see two names: such a hello is `broken`, not half believed.
 */
import { alpnOf, broken, serverNameOf, type HelloProblem } from './hello-extensions.ts';

export type ClientHello = {
  readonly kind: 'hello';
  /** Lower case, without a trailing dot; "": none was sent, or none that is a DNS name. */
  readonly serverName: string;
  /** In the client's order; latin1 text, as protocol ids are bytes. */
  readonly alpn: readonly string[];
};

/**
 * `more`: not all of it is here. `not-tls`: the bytes cannot be the beginning of TLS. `broken`: TLS, but no hello that may be believed.
 * Each but `more` is final: bytes that follow never change it.
 */
export type HelloReading = ClientHello | { readonly kind: 'more' } | { readonly kind: 'not-tls' } | HelloProblem;

/** Bytes of a hello with the headers of its records: what Envoy's TLS inspector reads at most (SSL3_RT_MAX_PLAIN_LENGTH). */
export const MAX_CLIENT_HELLO = 16_384;

const MORE = { kind: 'more' } as const;
const NOT_TLS = { kind: 'not-tls' } as const;
const NO_PROTOCOLS: readonly string[] = [];

const RECORD_HEADER = 5;
/** Bytes of a record's content (RFC 8446 section 5.1). */
const MAX_RECORD = 16_384;
/**
 * Records that one hello may be cut into. OpenSSL cuts into 512 bytes at least; without a bound, records and segments of a byte each
 * would cost the square of their number.
 */
const MAX_RECORDS = 64;
const MESSAGE_HEADER = 4;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const TLS_MAJOR = 3;
const SSL3 = 0x0300;
const RANDOM = 32;
const MAX_SESSION_ID = 32;
const SERVER_NAME = 0;
const ALPN = 16;

/** Reads the bytes that a connection began with, all of them each time; never throws. What follows the hello is not looked at. */
export function readClientHello(bytes: Buffer): HelloReading {
  if (bytes.length > 0 && bytes[0] !== HANDSHAKE) return NOT_TLS;
  // The minor version says nothing (RFC 8446 section 5.1: it must be ignored).
  if (bytes.length > 1 && bytes[1] !== TLS_MAJOR) return NOT_TLS;
  const end = Math.min(bytes.length, MAX_CLIENT_HELLO);
  if (end <= RECORD_HEADER) return end === RECORD_HEADER ? (recordProblem(bytes, 0, end) ?? MORE) : MORE;
  const problem = recordProblem(bytes, 0, end);
  if (problem !== null) return problem;
  if (bytes[RECORD_HEADER] !== CLIENT_HELLO) return broken('the first handshake message is no ClientHello');
  const inRecord = bytes.readUInt16BE(3);
  if (inRecord < MESSAGE_HEADER) return readFragments(bytes, end);
  if (end < RECORD_HEADER + MESSAGE_HEADER) return MORE;
  const size = MESSAGE_HEADER + bytes.readUIntBE(RECORD_HEADER + 1, 3);
  if (size > inRecord) return readFragments(bytes, end);
  if (RECORD_HEADER + size > MAX_CLIENT_HELLO) return broken('the hello is too long');
  if (size < inRecord) return broken('bytes follow the hello in its record');
  if (end < RECORD_HEADER + size) return MORE;
  return readMessage(bytes, RECORD_HEADER + MESSAGE_HEADER, RECORD_HEADER + size);
}

/** A hello over several records. Bytes are judged in the order they came in, so that a part is never judged otherwise than the whole. */
function readFragments(bytes: Buffer, end: number): HelloReading {
  const message = Buffer.allocUnsafe(end);
  let have = 0;
  let size = -1;
  for (let p = 0, left = MAX_RECORDS; ; left--) {
    if (left === 0 && p < end) return broken('too many records');
    const problem = recordProblem(bytes, p, end);
    if (problem !== null) return problem;
    if (p + RECORD_HEADER > end) break;
    const inRecord = bytes.readUInt16BE(p + 3);
    p += RECORD_HEADER;
    have += bytes.copy(message, have, p, Math.min(end, p + inRecord));
    if (size < 0 && have >= MESSAGE_HEADER) {
      size = MESSAGE_HEADER + message.readUIntBE(1, 3);
      if (size > MAX_CLIENT_HELLO - RECORD_HEADER) return broken('the hello is too long');
    }
    if (p + inRecord > end) {
      // Judged when the last of its bytes is here, like all that is said of a message's end.
      if (size < 0 || have < size) break;
      return broken('bytes follow the hello in its record');
    }
    p += inRecord;
    if (size >= 0 && have > size) return broken('bytes follow the hello in its record');
    if (have === size) return readMessage(message, MESSAGE_HEADER, size);
  }
  return end === MAX_CLIENT_HELLO ? broken('the hello is too long') : MORE;
}

/** What is wrong with the header of the record at `p`, of which there may be only a part. */
function recordProblem(bytes: Buffer, p: number, end: number): HelloProblem | null {
  if (p < end && bytes[p] !== HANDSHAKE) return broken('another record cuts into the hello');
  if (p + 1 < end && bytes[p + 1] !== TLS_MAJOR) return broken('a record of another protocol cuts into the hello');
  if (p + 4 >= end) return null;
  const inRecord = bytes.readUInt16BE(p + 3);
  // RFC 8446 section 5.1: handshake records of length 0 must not be sent.
  if (inRecord === 0) return broken('an empty record');
  return inRecord > MAX_RECORD ? broken('a record is too long') : null;
}

/** The body of a ClientHello, all of it. Each length is held against what it lies in. */
function readMessage(bytes: Buffer, start: number, end: number): HelloReading {
  let p = start + 2 + RANDOM;
  if (p >= end) return broken('the hello is cut short');
  // RFC 8446 appendix D.5: SSL 3.0 and before must be refused. What is newer than all we know is no fault.
  if (bytes.readUInt16BE(start) <= SSL3) return broken('a version before TLS');
  const sessionId = bytes[p]!;
  p += 1 + sessionId;
  if (sessionId > MAX_SESSION_ID || p + 2 > end) return broken('a session id that does not fit');
  const suites = bytes.readUInt16BE(p);
  p += 2 + suites;
  if (suites < 2 || suites % 2 !== 0 || p >= end) return broken('cipher suites that do not fit');
  const compressions = bytes[p]!;
  p += 1 + compressions;
  if (compressions === 0 || p > end) return broken('compression methods that do not fit');
  if (p === end) return { kind: 'hello', serverName: '', alpn: NO_PROTOCOLS };
  if (p + 2 > end || p + 2 + bytes.readUInt16BE(p) !== end) return broken('extensions that do not fit');
  return readExtensions(bytes, p + 2, end);
}

function readExtensions(bytes: Buffer, p: number, end: number): HelloReading {
  let serverName: string | HelloProblem | null = null;
  let alpn: readonly string[] | HelloProblem | null = null;
  while (p < end) {
    if (p + 4 > end) return broken('an extension that does not fit');
    const type = bytes.readUInt16BE(p);
    const from = p + 4;
    p = from + bytes.readUInt16BE(p + 2);
    if (p > end) return broken('an extension that does not fit');
    if (type === SERVER_NAME) {
      if (serverName !== null) return broken('two server name extensions');
      serverName = serverNameOf(bytes, from, p);
      if (typeof serverName === 'object') return serverName;
    } else if (type === ALPN) {
      if (alpn !== null) return broken('two protocol extensions');
      alpn = alpnOf(bytes, from, p);
      if ('kind' in alpn) return alpn;
    }
  }
  return { kind: 'hello', serverName: serverName ?? '', alpn: alpn ?? NO_PROTOCOLS };
}

/**
 * One request or response head → flat headers and framing, or the exact reason it is refused (RFC 9112).
 * Strict on purpose: a head that two parsers could read differently is refused, in both directions.
 * Framing and connection fields (`Transfer-Encoding`, `Connection`, `Keep-Alive`, `Upgrade` …) are taken out of the list here;
 * who writes the message again puts its own.
 */
import { remove, type HeaderList } from '../core/header-list.ts';
import { CR, LF, parseContentLength, parseFields, refuse, table, TOKEN, type HeadProblem } from './http1-fields.ts';
import { MAX_METHOD, refuseOversize } from './http1-oversize.ts';

export type { HeadProblem } from './http1-fields.ts';

export type HeadLimits = {
  /** Bytes of the whole head. */
  readonly maxBytes: number;
  readonly maxFields: number;
  /** Bytes of the request target. */
  readonly maxTarget: number;
};

export const DEFAULT_LIMITS: HeadLimits = { maxBytes: 61_440, maxFields: 100, maxTarget: 16_384 };

export type Framing =
  /** No body follows. */
  | 'none'
  | 'length'
  | 'chunked'
  /** Responses only: the body ends with the connection. */
  | 'close';

type Common = {
  readonly problem: false;
  readonly headers: HeaderList;
  /** Minor version: 0 or 1. */
  readonly minor: number;
  framing: Framing;
  /** For framing `length`; 0 otherwise. */
  contentLength: number;
  keepAlive: boolean;
  /** Value of Upgrade when Connection names it; null otherwise. */
  upgrade: string | null;
};

export type RequestHead = Common & {
  readonly method: string;
  readonly target: string;
  /** Null: no Host field (HTTP/1.0). */
  host: string | null;
  expectContinue: boolean;
  /** Fields that Connection names, in lower case: policies see them, the next hop must not. Null: none. */
  readonly nominated: readonly string[] | null;
  /** `TE: trailers` was sent. */
  acceptsTrailers: boolean;
};

export type ResponseHead = Common & {
  readonly status: number;
  readonly reason: string;
  /** Value of Keep-Alive (`timeout=5`): how long the server will wait for the next request; null when it did not say. */
  readonly keepAliveHint: string | null;
};

const SPACE = 32;

/** RFC 3986 characters of a target; no fragment, no raw `"<>\^`{|}` or anything outside of ASCII. */
const TARGET = table("!$%&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~");

/**
 * Where the head that starts at `from` ends: the index of its final CRLFCRLF, or -1 when it is not all here yet.
 * `scanned`: bytes of it already searched, so that slow senders cost no more than fast ones.
 */
export function findHeadEnd(bytes: Buffer, from: number, scanned: number): number {
  // Compiled, this beats a search in C++: heads are short, and a call costs more than they do.
  for (let i = Math.max(from, from + scanned - 3) + 3; i < bytes.length; i++) {
    if (bytes[i] === LF && bytes[i - 1] === CR && bytes[i - 2] === LF && bytes[i - 3] === CR) return i - 3;
  }
  return -1;
}

/** True when an unfinished head can no longer become valid: a line feed without its carriage return. */
export function hasBareLineFeed(bytes: Buffer, from: number, scanned: number): boolean {
  for (let i = bytes.indexOf(LF, from + scanned); i >= 0; i = bytes.indexOf(LF, i + 1)) {
    if (i === from || bytes[i - 1] !== CR) return true;
  }
  return false;
}

/** `end`: as found by findHeadEnd. */
export function parseRequestHead(
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
): RequestHead | HeadProblem {
  if (end - start > limits.maxBytes) return refuseOversize(bytes, start, limits.maxTarget);
  const text = bytes.latin1Slice(start, end);
  let p = start;
  while (TOKEN[bytes[p]!] === 1) p++;
  if (p === start || p - start > MAX_METHOD || bytes[p] !== SPACE) return refuse(400, 'http1.invalid_method');
  const method = text.slice(0, p - start);
  // Methods are case-sensitive; not every server treats them so, and a policy on GET must not be passed by `get`.
  if (method !== 'GET' && LOWER_CASE.test(method)) return refuse(400, 'http1.invalid_method');
  // TRACE sends credentials back to whoever asked (RFC 9110 section 9.3.8).
  if (method === 'TRACE') return refuse(405, 'http1.method_not_allowed');
  const targetStart = ++p;
  while (TARGET[bytes[p]!] === 1) p++;
  if (p === targetStart || bytes[p] !== SPACE) return refuse(400, 'http1.invalid_target');
  if (p - targetStart > limits.maxTarget) return refuse(414, 'http1.target_too_long');
  const target = text.slice(targetStart - start, p - start);
  const minor = versionAt(text, p + 1 - start);
  if (minor < 0) return refuse(minor === OTHER_VERSION ? 505 : 400, 'http1.invalid_version');
  p += 9;
  if (bytes[p] !== CR || bytes[p + 1] !== LF) return refuse(400, 'http1.invalid_version');
  const raw: HeaderList = [];
  const problem = parseFields(bytes, text, start, p + 2, end + 2, limits.maxFields, raw);
  if (problem !== null) return problem;
  // The preface of HTTP/2 is refused for its version; else PRI is no method of anything (RFC 9113 section 3.4).
  if (method === 'PRI') return refuse(405, 'http1.method_not_allowed');
  if (text.includes('_')) dropLookalikes(raw);
  return requestOf(method, target, minor, raw, text);
}

export function parseResponseHead(
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
): ResponseHead | HeadProblem {
  if (end - start > limits.maxBytes) return refuse(431, 'http1.headers_too_large');
  const text = bytes.latin1Slice(start, end);
  const minor = versionAt(text, 0);
  if (minor < 0 || bytes[start + 8] !== SPACE) return refuse(400, 'http1.invalid_status_line');
  const status = parseContentLength(text.slice(9, 12));
  if (status < 100 || status > 999) return refuse(400, 'http1.invalid_status_line');
  let p = start + 12;
  // The space before an empty reason is often missing; no two parsers disagree on it.
  if (bytes[p] === SPACE) p++;
  else if (bytes[p] !== CR) return refuse(400, 'http1.invalid_status_line');
  const reasonStart = p;
  while (bytes[p] === 9 || (bytes[p]! >= SPACE && bytes[p] !== 127)) p++;
  if (bytes[p] !== CR || bytes[p + 1] !== LF) return refuse(400, 'http1.invalid_status_line');
  const reason = text.slice(reasonStart - start, p - start);
  const raw: HeaderList = [];
  const problem = parseFields(bytes, text, start, p + 2, end + 2, limits.maxFields, raw);
  if (problem !== null) return problem;
  return responseOf(status, reason, minor, raw, text);
}

const LOWER_CASE = /[a-z]/;

/** With `_` for `-`: CGI and its heirs take `content_length` for `content-length`, and a policy would not have seen it. */
const LOOKALIKE =
  /^(?:end-user|keep-alive|http2-settings|transfer-encoding|(?:content|proxy|x-forwarded|x-envoy|x-istio|x-lateen|x-b3)-.*|x-real-ip|x-request-id)$/;

/** Fields that only pass for one of framing, routing or identity are dropped; other names with underscores are names like any. */
function dropLookalikes(headers: HeaderList): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) if (isLookalike(headers[i]!)) headers.splice(i, 2);
}

const isLookalike = (name: string): boolean =>
  name.includes('_') && LOOKALIKE.test(name.toLowerCase().replaceAll('_', '-'));

const OTHER_VERSION = -2;

/** Minor version of `HTTP/1.x` at `i`; OTHER_VERSION for another well-formed one; -1 for anything else. */
function versionAt(text: string, i: number): number {
  if (text.startsWith('HTTP/1.', i)) {
    const minor = text.charCodeAt(i + 7) - 48;
    if (minor === 0 || minor === 1) return minor;
    return minor > 1 && minor <= 9 ? OTHER_VERSION : -1;
  }
  return /^HTTP\/\d\.\d$/.test(text.slice(i, i + 8)) ? OTHER_VERSION : -1;
}

/** What the special fields of a head said. */
class Special {
  contentLength = -1;
  transferEncoding: string | null = null;
  connection: string | null = null;
  upgrade: string | null = null;
  host: string | null = null;
  hosts = 0;
  expect: string | null = null;
  te: string | null = null;
  trailer = false;
  keepAliveHint: string | null = null;
  problem: HeadProblem | null = null;
}

/** Sorts the special fields out of `raw`; returns the list of the others, in order (`raw` itself, shortened in place). */
function sortOut(raw: HeaderList, s: Special, isRequest: boolean): HeaderList {
  let to = 0;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!;
    const value = raw[i + 1]!;
    if (!mayBeSpecial(name) || keep(name.toLowerCase(), value, s, isRequest)) {
      if (to !== i) {
        raw[to] = name;
        raw[to + 1] = value;
      }
      to += 2;
    }
  }
  if (to !== raw.length) raw.length = to;
  return raw;
}

/**
 * By length and first letter (as one bit of 32), the names that `keep` knows: te host expect upgrade trailer connection keep-alive
 * content-length http2-settings proxy-connection transfer-encoding proxy-authorization. Few others get past, so lower-casing is rare.
 */
const SPECIAL = new Uint32Array(256);
for (const name of [
  'te host expect upgrade trailer connection keep-alive content-length http2-settings',
  'proxy-connection transfer-encoding proxy-authorization',
].flatMap((names) => names.split(' ')))
  SPECIAL[name.length]! |= 1 << (name.charCodeAt(0) & 31);

const mayBeSpecial = (name: string): boolean =>
  name.length < 256 && ((SPECIAL[name.length]! >>> (name.charCodeAt(0) & 31)) & 1) === 1;

/** Notes what a field says; true when it stays in the list. */
function keep(lower: string, value: string, s: Special, isRequest: boolean): boolean {
  switch (lower) {
    case 'host':
      s.hosts++;
      s.host = value;
      return true;
    case 'content-length':
      if (s.contentLength >= 0) s.problem = refuse(400, 'http1.duplicate_content_length');
      s.contentLength = parseContentLength(value);
      if (s.contentLength < 0) s.problem = refuse(400, 'http1.invalid_content_length');
      return true;
    case 'transfer-encoding':
      if (s.transferEncoding !== null) s.problem = refuse(400, 'http1.duplicate_transfer_encoding');
      s.transferEncoding = value;
      return false;
    case 'connection':
      s.connection = s.connection === null ? value : `${s.connection},${value}`;
      return false;
    case 'upgrade':
      s.upgrade = s.upgrade === null ? value : `${s.upgrade},${value}`;
      return false;
    case 'expect':
      if (!isRequest) return true;
      s.expect = s.expect === null ? value : `${s.expect},${value}`;
      return false;
    case 'te':
      s.te = value;
      return false;
    case 'keep-alive':
      s.keepAliveHint = value;
      return false;
    case 'trailer':
      s.trailer = true;
      return true;
    case 'proxy-connection':
    case 'http2-settings':
    // Meant for the proxy it was sent to (RFC 9110 section 11.7.2), which is this one.
    case 'proxy-authorization':
      return false;
    default:
      return true;
  }
}

function requestOf(
  method: string,
  target: string,
  minor: number,
  raw: HeaderList,
  text: string,
): RequestHead | HeadProblem {
  const s = new Special();
  const headers = sortOut(raw, s, true);
  if (s.problem !== null) return s.problem;
  if (s.hosts > 1) return refuse(400, 'http1.multiple_hosts');
  if (s.hosts === 0 && minor === 1) return refuse(400, 'missing_host_header');
  let framing: Framing = s.contentLength >= 0 ? 'length' : 'none';
  if (hasFramingTab(text)) return refuse(400, 'http1.tab_in_framing');
  if (s.transferEncoding !== null) {
    if (minor === 0) return refuse(400, 'http1.transfer_encoding_in_http10');
    if (s.contentLength >= 0) return refuse(400, 'http1.content_length_and_chunked_not_allowed');
    if (s.transferEncoding.toLowerCase() !== 'chunked') return refuseCoding(s.transferEncoding);
    framing = 'chunked';
  }
  // What follows the head of a CONNECT is the tunnel's; a body would make two readers disagree where that begins.
  if (method === 'CONNECT' && framing !== 'none') return refuse(400, 'http1.connect_with_body');
  if (s.trailer && framing !== 'chunked') remove(headers, 'trailer');
  if (s.expect !== null && s.expect.toLowerCase() !== '100-continue') return refuse(417, 'http1.unknown_expectation');
  const connection = readConnection(s.connection, minor);
  // h2c is a matter of two neighbours; it is dropped with its settings, and the request stays what it is. HTTP/1.0 knows no upgrade.
  const upgrades = minor === 1 && connection.upgrade && s.upgrade !== null && s.upgrade.toLowerCase() !== 'h2c';
  const wanted = upgrades ? s.upgrade : null;
  // An upgrade that carries a body is a way to disagree on where the tunnel begins.
  if (wanted !== null && framing !== 'none') return refuse(400, 'http1.upgrade_with_body');
  return {
    problem: false,
    method,
    target,
    minor,
    headers,
    host: s.host,
    framing,
    contentLength: framing === 'length' ? s.contentLength : 0,
    keepAlive: connection.keepAlive,
    nominated: connection.nominated,
    upgrade: wanted,
    expectContinue:
      s.expect !== null && minor === 1 && framing !== 'none' && !(framing === 'length' && s.contentLength === 0),
    acceptsTrailers: s.te !== null && /(?:^|,)\s*trailers\s*(?:,|$)/i.test(s.te),
  };
}

/** A coding that is not known is 501; chunks under another one leave no way to tell where the body ends: 400 (RFC 9112 section 6.3). */
const refuseCoding = (codings: string): HeadProblem =>
  refuse(/(?:^|,)[ \t]*chunked[ \t]*,/i.test(codings) ? 400 : 501, 'http1.invalid_transfer_encoding');

function responseOf(
  status: number,
  reason: string,
  minor: number,
  raw: HeaderList,
  text: string,
): ResponseHead | HeadProblem {
  const s = new Special();
  const headers = sortOut(raw, s, false);
  if (s.problem !== null) return s.problem;
  let framing: Framing = s.contentLength >= 0 ? 'length' : 'close';
  if (hasFramingTab(text)) return refuse(400, 'http1.tab_in_framing');
  if (s.transferEncoding !== null) {
    if (minor === 0) return refuse(400, 'http1.transfer_encoding_in_http10');
    if (s.contentLength >= 0) return refuse(400, 'http1.content_length_and_chunked_not_allowed');
    if (s.transferEncoding.toLowerCase() !== 'chunked') return refuse(501, 'http1.invalid_transfer_encoding');
    framing = 'chunked';
  }
  const connection = readConnection(s.connection, minor);
  for (const name of connection.nominated ?? []) remove(headers, name);
  return {
    problem: false,
    status,
    reason,
    minor,
    headers,
    framing,
    contentLength: framing === 'length' ? s.contentLength : 0,
    keepAlive: connection.keepAlive,
    upgrade: connection.upgrade ? s.upgrade : null,
    keepAliveHint: s.keepAliveHint,
  };
}

/**
 * A tab beside the value of a framing field is white space to some and part of the value to others (two releases of llhttp): nobody
 * needs it, so nobody gets it.
 */
const hasFramingTab = (head: string): boolean =>
  head.includes('\t') && /\n(?:transfer-encoding|content-length):[^\r]*\t/i.test(head);

const PERSIST: Persistence = { keepAlive: true, upgrade: false, nominated: null };
const CLOSE: Persistence = { keepAlive: false, upgrade: false, nominated: null };

type Persistence = {
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
  /** Fields that are for this hop only, in lower case; null: none. */
  readonly nominated: readonly string[] | null;
};

/** What Connection says (RFC 9110 section 7.6.1). */
function readConnection(value: string | null, minor: number): Persistence {
  if (value === null) return minor === 1 ? PERSIST : CLOSE;
  const lower = value.toLowerCase();
  if (lower === 'keep-alive') return PERSIST;
  if (lower === 'close') return CLOSE;
  let keepAlive = minor === 1;
  let closing = false;
  let upgrade = false;
  const nominated: string[] = [];
  for (const part of lower.split(',')) {
    const option = part.trim();
    if (option === 'close') closing = true;
    else if (option === 'keep-alive') keepAlive = true;
    else if (option === 'upgrade') upgrade = true;
    else if (option !== '' && !END_TO_END.has(option)) nominated.push(option);
  }
  return { keepAlive: keepAlive && !closing, upgrade, nominated: nominated.length === 0 ? null : nominated };
}

/**
 * A peer may not take these away by naming them in Connection: framing, routing, identity and tracing depend on them
 * (request smuggling by hop-by-hop abuse).
 */
const END_TO_END = new Set(
  [
    'host content-length content-type authorization cookie set-cookie x-request-id forwarded via',
    'x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-client-cert x-real-ip end-user',
    'b3 x-b3-traceid x-b3-spanid x-b3-parentspanid x-b3-sampled x-b3-flags traceparent tracestate',
  ].flatMap((names) => names.split(' ')),
);

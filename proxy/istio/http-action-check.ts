/** What redirects, answers, rewrites, retries, faults and CORS must keep to beyond their schemas (Istio's validation). */
import { RE2JS } from 're2js';
import { parseDuration } from '../core/duration.ts';
import { suggest } from '../core/suggest.ts';
import {
  CORS_METHODS,
  type CorsPolicy,
  type Headers,
  type HttpDirectResponse,
  type HttpFault,
  type HttpRedirect,
  type HttpRetry,
  type HttpRewrite,
} from './http-action.ts';
import type { HttpMatchRequest } from './http-match.ts';
import type { Report } from './report.ts';
import { shown } from './shown.ts';

export function checkRedirect(redirect: HttpRedirect, matches: readonly HttpMatchRequest[], report: Report): void {
  const { uri, prefixRewrite, authority, port, derivePort, scheme, redirectCode = 301 } = redirect;
  if ([uri, prefixRewrite, authority, port, derivePort, scheme].every((field) => field === undefined)) {
    report.error('expected a uri, authority, port or scheme to redirect to, got none of them');
  }
  if (uri !== undefined && prefixRewrite !== undefined) report.error('expected uri or prefixRewrite, got both');
  if (prefixRewrite !== undefined) checkPrefixRewrite(matches, report.at('prefixRewrite'));
  if (![301, 302, 303, 307, 308].includes(redirectCode)) {
    report.at('redirectCode').error(`expected 301, 302, 303, 307 or 308, got ${redirectCode}`);
  }
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https')
    report.at('scheme').error(`expected http or https, got ${shown(scheme)}`);
}

function checkPrefixRewrite(matches: readonly HttpMatchRequest[], report: Report): void {
  const prefixed = matches.length > 0 && matches.every(({ uri }) => uri?.prefix !== undefined);
  if (!prefixed) report.error('expected a uri prefix in every match of the route, to rewrite it');
}

const KB = 1024;

export function checkDirectResponse({ body }: HttpDirectResponse, report: Report): void {
  const bytes = body?.bytes;
  if (bytes !== undefined && !isBase64(bytes)) report.at('body', 'bytes').error(`expected base64, got ${shown(bytes)}`);
  const size =
    body?.string === undefined
      ? Math.floor(((bytes ?? '').length * 3) / 4)
      : new TextEncoder().encode(body.string).length;
  if (size > KB * KB) report.at('body').error(`expected at most 1 MB, got ${size} bytes`);
  else if (size > 100 * KB) report.at('body').warning(`is large (${size} bytes): every proxy holds a copy`);
}

export const isBase64 = (text: string): boolean => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);

export function checkRewrite(rewrite: HttpRewrite, headers: Headers | undefined, report: Report): void {
  const { uri, authority, uriRegexRewrite } = rewrite;
  if (uri === undefined && authority === undefined && uriRegexRewrite === undefined) {
    report.error('expected uri, uriRegexRewrite or authority, got none of them');
  }
  if (uri !== undefined && uriRegexRewrite !== undefined) report.error('expected uri or uriRegexRewrite, got both');
  if (uriRegexRewrite !== undefined) checkRegexRewrite(uriRegexRewrite, report.at('uriRegexRewrite'));
  const { set = {}, add = {} } = headers?.request ?? {};
  const twice = [...Object.keys(set), ...Object.keys(add)].find((name) =>
    ['host', ':authority'].includes(name.toLowerCase()),
  );
  if (authority !== undefined && twice !== undefined)
    report.at('authority').error(`expected the host to be set once, got it here and in headers (${twice})`);
}

function checkRegexRewrite({ match, rewrite }: NonNullable<HttpRewrite['uriRegexRewrite']>, report: Report): void {
  if (match === undefined) report.at('match').error('is required: the regular expression whose matches are replaced');
  if (rewrite === undefined) report.at('rewrite').error('is required: what to put in place of a match');
  if (match === undefined || rewrite === undefined) return;
  const groups = RE2JS.compile(match).groupCount();
  for (const [, digit] of rewrite.matchAll(/\\(\d)/g)) {
    if (Number(digit) > groups)
      report.at('rewrite').error(`expected at most \\${groups}, as many groups as the match has, got \\${digit}`);
  }
}

const RETRY_ON = `
  5xx gateway-error reset reset-before-request connect-failure retriable-4xx refused-stream
  retriable-status-codes retriable-headers envoy-ratelimited http3-post-connect-failure
  cancelled deadline-exceeded internal resource-exhausted unavailable
`
  .trim()
  .split(/\s+/);

export function checkRetries(retries: HttpRetry, report: Report): void {
  const { attempts = 0, perTryTimeout, retryOn = '', retryRemoteLocalities } = retries;
  if (attempts === 0 && (perTryTimeout !== undefined || retryOn !== '' || retryRemoteLocalities !== undefined)) {
    report.error('expected attempts above 0 beside other settings: with 0, or without attempts, there are no retries');
  }
  for (const word of retryOn === '' ? [] : retryOn.split(',')) {
    if (RETRY_ON.includes(word) || isStatus(word)) continue;
    const near = suggest(word.trim(), RETRY_ON);
    const hint = near === null ? `a status code or one of ${RETRY_ON.join(', ')}` : `\`${near}\``;
    report.at('retryOn').error(`expected ${hint}, got ${shown(word)}`);
  }
}

/** Status codes that Go has a text for, which is what Istio goes by: first, last of each run. */
const STATUS_RUNS: readonly (readonly [number, number])[] = [
  [100, 103],
  [200, 208],
  [226, 226],
  [300, 305],
  [307, 308],
  [400, 418],
  [421, 426],
  [428, 429],
  [431, 431],
  [451, 451],
  [500, 508],
  [510, 511],
];

function isStatus(word: string): boolean {
  if (!/^\d{3}$/.test(word)) return false;
  const status = Number(word);
  return STATUS_RUNS.some(([first, last]) => status >= first && status <= last);
}

const GRPC_STATUSES = `
  OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS
  PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE
  UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED
`
  .trim()
  .split(/\s+/);

export function checkFault({ delay, abort }: HttpFault, report: Report): void {
  if (delay === undefined && abort === undefined) report.error('expected delay or abort, got neither');
  if (delay !== undefined && delay.fixedDelay === undefined)
    report.at('delay', 'fixedDelay').error('is required: how long requests wait');
  checkPercent(delay?.percentage?.value, report.at('delay', 'percentage', 'value'));
  checkPercent(abort?.percentage?.value, report.at('abort', 'percentage', 'value'));
  if (abort === undefined) return;
  if (abort.httpStatus === undefined && abort.grpcStatus === undefined) {
    report.at('abort').warning('has no effect: abort configured, but error type not set (httpStatus or grpcStatus)');
  }
  if (abort.grpcStatus !== undefined && !GRPC_STATUSES.includes(abort.grpcStatus)) {
    const near = suggest(abort.grpcStatus, GRPC_STATUSES);
    report
      .at('abort', 'grpcStatus')
      .error(
        `expected ${near === null ? `one of ${GRPC_STATUSES.join(', ')}` : `\`${near}\``}, got ${shown(abort.grpcStatus)}`,
      );
  }
}

/** Envoy's grain is one in a million. */
function checkPercent(value: number | undefined, report: Report): void {
  if (value !== undefined && value > 0 && value < 0.0001) report.error(`expected 0, or 0.0001 to 100, got ${value}`);
}

export function checkCors(cors: CorsPolicy, report: Report): void {
  for (const [i, origin] of (cors.allowOrigins ?? []).entries()) {
    const empty = Object.values(origin).every((text) => text === '');
    if (empty) report.at('allowOrigins', i).error('expected exact, prefix or regex with some text, got none');
  }
  for (const [i, method] of (cors.allowMethods ?? []).entries()) {
    const known = (CORS_METHODS as readonly string[]).includes(method);
    if (!known) report.at('allowMethods', i).error(`expected one of ${CORS_METHODS.join(', ')}, got ${shown(method)}`);
  }
  if (cors.maxAge !== undefined && (parseDuration(cors.maxAge) ?? 0) % 1000 !== 0) {
    report.at('maxAge').error(`expected whole seconds, got ${shown(cors.maxAge)}`);
  }
}

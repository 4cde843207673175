/** What a VirtualService's http route may do with a request, besides forwarding it: redirect, answer, rewrite, retry, fail, allow CORS. */
import { headerName, regex } from './format.ts';
import {
  bool,
  described,
  duration,
  enumeration,
  ignored,
  int32,
  list,
  map,
  object,
  refused,
  required,
  string,
  uint32,
} from './field.ts';
import type { Infer } from './schema.ts';
import { percent, stringMatch } from './string-match.ts';

const headerOperations = object(
  {
    set: map(string('Value of the header'), 'Headers to set, replacing what was there'),
    add: map(string('Value of the header'), 'Headers to add to those that are there'),
    remove: list(string('Name of the header'), 'Headers to take away'),
  },
  'Changes to headers',
);
export type HeaderOperations = Infer<typeof headerOperations>;

export const headers = object(
  {
    request: described(headerOperations, 'Changes before the request is forwarded'),
    response: described(headerOperations, 'Changes before the response is handed to the caller'),
  },
  'Changes to the headers of requests and responses',
);
export type Headers = Infer<typeof headers>;

export const httpRedirect = object(
  {
    uri: string('Replaces the whole path; the query is kept unless this has one'),
    prefixRewrite: string('Replaces the prefix that the match matched'),
    authority: string('Host of the new location'),
    port: uint32('Port of the new location', { min: 1, max: 65_535 }),
    derivePort: enumeration(
      ['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT'],
      'Where the port of the new location comes from: 80 or 443 by its scheme, or the port of the request',
    ),
    scheme: string('Scheme of the new location: http or https'),
    redirectCode: uint32('Status: 301, 302, 303, 307 or 308', { default: 301 }),
  },
  'Answers with a redirect',
  { oneOf: [['port', 'derivePort']] },
);
export type HttpRedirect = Infer<typeof httpRedirect>;

export const httpDirectResponse = object(
  {
    status: required(uint32('HTTP status, 200 to 599', { min: 200, max: 599 })),
    body: object(
      { string: string('Text'), bytes: string('Bytes, in base64', { formatName: 'byte' }) },
      'Body of the answer; absent: none',
      { oneOf: [['string', 'bytes']] },
    ),
  },
  'Answers at once, without any upstream',
);
export type HttpDirectResponse = Infer<typeof httpDirectResponse>;

export const httpRewrite = object(
  {
    uri: string('Replaces the matched prefix, or the whole path after an exact or regex match'),
    authority: string('Host header that the upstream sees'),
    uriRegexRewrite: object(
      {
        match: string('RE2 expression; every part of the path that matches is replaced', {
          format: regex,
          maxLength: 1024,
        }),
        rewrite: string('What to put there; \\1 is the first group'),
      },
      'Replaces parts of the path by a regular expression',
    ),
  },
  'Changes path or host before the request is forwarded',
);
export type HttpRewrite = Infer<typeof httpRewrite>;

export const httpRetry = object(
  {
    attempts: int32('How many times to retry; 0 turns retries off', { min: 0, default: 0 }),
    perTryTimeout: duration('Time limit of one try', { default: "the route's timeout" }),
    retryOn: string('Comma-separated conditions, and status codes, under which a retry may help', {
      default: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
    }),
    retryRemoteLocalities: ignored(
      bool('Retry in other localities', { default: false }),
      'Lateen balances without localities so far',
    ),
    retryIgnorePreviousHosts: ignored(
      bool('Avoid hosts that were tried', { default: true }),
      'Lateen does not take this setting so far',
    ),
    backoff: duration('Base of the exponential wait before a retry', { default: '25ms' }),
  },
  'When and how often a failed request is tried again',
);
export type HttpRetry = Infer<typeof httpRetry>;

export const httpFault = object(
  {
    delay: object(
      {
        fixedDelay: duration('How long the request waits before it is forwarded'),
        exponentialDelay: refused(
          duration('Mean of an exponentially distributed delay'),
          'Istio does not support it either; use fixedDelay',
        ),
        percentage: percent('Share of requests that are delayed; absent: none'),
        percent: int32('Share of requests that are delayed (deprecated: use percentage)', { min: 0, max: 100 }),
      },
      'Delays requests',
      { oneOf: [['fixedDelay', 'exponentialDelay']] },
    ),
    abort: object(
      {
        httpStatus: int32('HTTP status of the answer', { min: 200, max: 599 }),
        grpcStatus: string('gRPC status of the answer, by name: `UNAVAILABLE`'),
        http2Error: refused(string('HTTP/2 error'), 'Istio does not support it either; use httpStatus'),
        percentage: percent('Share of requests that are aborted; absent: none'),
      },
      'Answers requests with an error instead of forwarding them',
      { oneOf: [['httpStatus', 'grpcStatus', 'http2Error']] },
    ),
  },
  'Faults to inject, to see how callers bear them',
);
export type HttpFault = Infer<typeof httpFault>;

export const CORS_METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'CONNECT',
  '*',
] as const;

export const corsPolicy = object(
  {
    allowOrigin: list(string('An origin, or `*`'), 'Origins that are allowed (deprecated: use allowOrigins)'),
    allowOrigins: list(stringMatch, 'Origins that are allowed; any match suffices'),
    allowMethods: list(string('A method, or `*`'), 'For Access-Control-Allow-Methods'),
    allowHeaders: list(string('A header, or `*`', { format: headerName }), 'For Access-Control-Allow-Headers'),
    exposeHeaders: list(string('A header, or `*`', { format: headerName }), 'For Access-Control-Expose-Headers'),
    maxAge: duration('How long a preflight may be cached, in whole seconds'),
    allowCredentials: bool('Whether a request may carry credentials'),
    unmatchedPreflights: enumeration(
      ['UNSPECIFIED', 'FORWARD', 'IGNORE'],
      'What happens to a preflight whose origin does not match: it is forwarded, or answered without CORS headers',
      { default: 'FORWARD' },
    ),
  },
  'Which other origins a browser may call from',
);
export type CorsPolicy = Infer<typeof corsPolicy>;

const NO_MIRROR = 'Lateen does not mirror traffic so far';
export const mirrorPercent = ignored(
  uint32('Percent of requests to mirror (deprecated: use mirrorPercentage)'),
  NO_MIRROR,
);
export const mirrorPercentage = ignored(percent('Share of requests to mirror; absent: all'), NO_MIRROR);
export const notMirrored = NO_MIRROR;

/** Headers an application must hand on for its proxies' spans to join into one trace, and for routing by user. */
import type { IncomingHttpHeaders } from 'node:http';

/** Every service hands these on as they came. */
const TRACE = [
  'x-request-id',
  'x-ot-span-context',
  'x-datadog-trace-id',
  'x-datadog-parent-id',
  'x-datadog-sampling-priority',
  'traceparent',
  'tracestate',
  'x-cloud-trace-context',
  'grpc-trace-bin',
  'sw8',
  'user-agent',
  'cookie',
  'authorization',
  'jwt',
] as const;

const B3 = ['x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags'] as const;

/** What reviews and details hand on: everything verbatim, `end-user` included. */
export const verbatim = (headers: IncomingHttpHeaders): Record<string, string> =>
  pick(headers, [...TRACE, ...B3, 'end-user']);

/**
 * What productpage hands on. It speaks B3 through a tracing library, which extracts the context and injects it again: the
 * parent span id and the flags are not repeated. `end-user` comes from the session alone: whoever sets that header from
 * outside does not become that user.
 */
export function fromSession(headers: IncomingHttpHeaders, user: string | null): Record<string, string> {
  const out = pick(headers, TRACE);
  const { 'x-b3-traceid': traceId, 'x-b3-spanid': spanId, 'x-b3-sampled': sampled, 'x-b3-flags': flags } = headers;
  if (isId(traceId, /^(?:[0-9a-f]{16}){1,2}$/i) && isId(spanId, /^[0-9a-f]{16}$/i)) {
    out['x-b3-traceid'] = traceId;
    out['x-b3-spanid'] = spanId;
    if (flags === '1') out['x-b3-sampled'] = '1';
    else if (sampled !== undefined) out['x-b3-sampled'] = ['1', 'true', 'd'].includes(String(sampled)) ? '1' : '0';
  }
  // A header value is bytes; names beyond ASCII travel as UTF-8.
  if (user !== null) out['end-user'] = Buffer.from(user, 'utf8').toString('latin1');
  return out;
}

function pick(headers: IncomingHttpHeaders, names: readonly string[]): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of names) {
    const value = headers[name];
    if (value !== undefined) out[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return out;
}

const isId = (value: string | string[] | undefined, form: RegExp): value is string =>
  typeof value === 'string' && form.test(value) && !/^0+$/.test(value);

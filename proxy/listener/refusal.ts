/** What a client is told whose bytes are no request; the connection is closed after it. */
import { httpDate } from '../core/http-date.ts';
import { reasonPhrase } from '../core/reason-phrase.ts';
import type { HeadProblem } from '../wire/http1-fields.ts';
import { responseHead } from '../wire/http1-write.ts';

/** What a 405 has to tell (RFC 9110 section 15.5.6). Of extension methods the origin would have to be asked. */
export const SERVED_METHODS = 'GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH';

/** The whole response as latin1. Envoy tells a codec's refusal by its reason phrase, and a request without Host by nothing. */
export function refusal({ status, details }: HeadProblem): string {
  const reason = reasonPhrase(status);
  const body = details === 'missing_host_header' ? '' : reason;
  const type = body === '' ? [] : ['content-type', 'text/plain'];
  const allow = status === 405 ? ['allow', SERVED_METHODS] : [];
  const headers = ['content-length', String(body.length), ...type, ...allow, 'date', httpDate()];
  return responseHead(status, reason, headers, false, 'close') + body;
}

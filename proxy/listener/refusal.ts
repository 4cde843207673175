/** What a client is told whose bytes are no request; the connection is closed after it. */
import { STATUS_CODES } from 'node:http';
import { httpDate } from '../core/http-date.ts';
import type { HeadProblem } from '../wire/http1-fields.ts';
import { responseHead } from '../wire/http1-write.ts';

/** The whole response as latin1. Envoy tells a codec's refusal by its reason phrase, and a request without Host by nothing. */
export function refusal({ status, details }: HeadProblem): string {
  const reason = STATUS_CODES[status] ?? 'Bad Request';
  const body = details === 'missing_host_header' ? '' : reason;
  const type = body === '' ? [] : ['content-type', 'text/plain'];
  const headers = ['content-length', String(body.length), ...type, 'date', httpDate()];
  return responseHead(status, reason, headers, false, 'close') + body;
}

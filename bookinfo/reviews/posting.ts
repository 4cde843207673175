/** `POST /postReview` and `/deleteReviews`, which the gateway sends straight to reviews: checked, done, and back to the page. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Database } from '../mysql/database.ts';
import { json, type AppRequest, type Reply } from '../service.ts';
import { add, deleteAll } from './board.ts';
import { readReview } from './form.ts';
import { notice, question } from './notice.ts';
import { isBrowser, isCrossSite } from './origin.ts';

/** Null: the path is none of these. */
export async function posting(database: Database, request: AppRequest): Promise<Reply | null> {
  const { path, method, headers } = request;
  if (path !== '/postReview' && path !== '/deleteReviews') return null;
  const allowed = path === '/postReview' ? ['POST'] : ['GET', 'POST'];
  if (!allowed.includes(method))
    return { ...refusal(headers, 405, `please ${allowed.join(' or ')}`), headers: { allow: allowed.join(', ') } };
  if (isCrossSite(headers))
    return refusal(headers, 403, 'please use the form of our own page: this came from another site');
  if (path === '/postReview') return await post(database, request);
  if (method === 'GET' && isBrowser(headers)) return question();
  return after(headers, await deleteAll(database));
}

async function post(database: Database, { headers, body }: AppRequest): Promise<Reply> {
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(headers['content-type'] ?? ''))
    return refusal(headers, 415, 'please send a form (application/x-www-form-urlencoded)');
  const form = readReview(new URLSearchParams(await body()));
  if ('faults' in form) return refusal(headers, 400, 'the review is not complete', form.faults);
  const result = await add(database, form.review);
  if (result !== 'refused') return after(headers, result);
  return refusal(headers, 400, 'the database cannot keep these characters: its tables know fewer than Unicode has');
}

function after(
  headers: IncomingHttpHeaders,
  result: Awaited<ReturnType<typeof add> | ReturnType<typeof deleteAll>>,
): Reply {
  if (typeof result === 'string')
    return { status: 302, headers: { location: back(headers), 'cache-control': 'no-store' }, body: '' };
  return { ...refusal(headers, 500, 'the database is unavailable: please try again later'), problem: result.reason };
}

/** As the original: an absolute address of the host the browser knows us by. */
function back({ host, 'x-forwarded-proto': proto }: IncomingHttpHeaders): string {
  if (host === undefined || !/^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i.test(host)) return '/productpage';
  return `${proto === 'https' ? 'https' : 'http'}://${host}/productpage`;
}

/** A page for people, JSON for programs. */
function refusal(
  headers: IncomingHttpHeaders,
  status: number,
  error: string,
  faults: Readonly<Record<string, string>> = {},
): Reply {
  if (/\btext\/html\b/.test(headers.accept ?? '')) return notice(status, error, faults);
  return json(status, { error, ...(Object.keys(faults).length > 0 ? { fields: faults } : {}) });
}

/** What productpage asks of the other services, with the original's patience: 3 s a try, one more try for reviews. */
import { baseUrl, caller, type Answer } from '../outgoing.ts';
import type { Env } from '../service.ts';

export type Part = 'details' | 'reviews' | 'ratings';

/** Either the JSON the service gave with 200, or why there is none: its status, or 500 when it did not answer at all. */
export type Result =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly status: number; readonly error: string };

export type Ask = (part: Part, productId: string, headers: Readonly<Record<string, string>>) => Promise<Result>;

const TIMEOUT_MS = 3_000;
const ATTEMPTS: Record<Part, number> = { details: 1, reviews: 2, ratings: 1 };

/** `count` hears of each service's final answer, for the metrics. */
export function catalog(env: Env, count: (part: Part, status: number) => void): Ask {
  const bases = {
    details: `${baseUrl(env, 'details')}/details`,
    reviews: `${baseUrl(env, 'reviews')}/reviews`,
    ratings: `${baseUrl(env, 'ratings')}/ratings`,
  };
  const call = caller(env);

  return async (part, productId, headers) => {
    const url = `${bases[part]}/${encodeURIComponent(productId)}`;
    let status = 500;
    for (let attempt = 0; attempt < ATTEMPTS[part]; attempt++) {
      const answer = await call({ url, headers, timeoutMs: TIMEOUT_MS }).catch(() => null);
      const value = answer?.status === 200 ? parsed(answer) : undefined;
      status = answer === null || (answer.status === 200 && value === undefined) ? 500 : answer.status;
      if (value === undefined) continue;
      count(part, 200);
      return { ok: true, value };
    }
    count(part, status);
    return { ok: false, status, error: `Sorry, product ${part} are currently unavailable for this book.` };
  };
}

/** Undefined when it is no JSON object. */
function parsed(answer: Answer): object | undefined {
  try {
    const value: unknown = JSON.parse(answer.body);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

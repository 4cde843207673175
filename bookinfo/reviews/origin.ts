/**
 * Who asks: a page of ours, a page of somebody else's, or a program. A browser says so itself (Fetch Metadata, and Origin where that is missing), and a
 * foreign page cannot change it; so no token is needed. As CrossOriginProtection in Go's net/http decides.
 */
import type { IncomingHttpHeaders } from 'node:http';

/** Would a browser send this for a page of another site? Programs send none of these headers, and are let in. */
export function isCrossSite(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const from = headers.origin ?? headers.referer;
  if (from === undefined) return false;
  const page = URL.parse(from);
  // Read as the page's address is, so that `:80` means nothing in both.
  const here = page === null ? null : URL.parse(`${page.protocol}//${headers.host ?? ''}`);
  return page === null || here === null || page.host !== here.host;
}

/** Node's own fetch sends sec-fetch-mode, and is no browser. */
const MARKS = ['sec-fetch-site', 'sec-fetch-dest', 'sec-fetch-user', 'sec-purpose', 'sec-ch-ua', 'purpose', 'x-moz'];

/** A browser follows links, draws images and prefetches by GET, whoever wrote them down: its GET must not change anything. */
export const isBrowser = (headers: IncomingHttpHeaders): boolean =>
  /\bMozilla\//.test(headers['user-agent'] ?? '') ||
  headers.origin !== undefined ||
  headers.referer !== undefined ||
  MARKS.some((name) => headers[name] !== undefined);

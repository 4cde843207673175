/** What a request asks for: authority and path out of the four forms of a request target (RFC 9112 section 3.2). */
import { refuse, type HeadProblem } from '../wire/http1-fields.ts';
import type { RequestHead } from '../wire/http1-head.ts';

export type Target = {
  readonly problem: false;
  readonly authority: string;
  /** With its query; `*` for OPTIONS *; "" for CONNECT. */
  readonly path: string;
  readonly scheme: string;
};

const ABSOLUTE = /^(https?):\/\/([^/?#]*)(.*)$/i;

/** A host: DNS name or IPv4 as far as characters go, or an IPv6 literal; then an optional port. No userinfo, ever. */
const AUTHORITY = /^(?:[A-Za-z0-9._~-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?$/;

export function targetOf(head: RequestHead): Target | HeadProblem {
  const { method, target, host } = head;
  if (host !== null && !isAuthority(host)) return refuse(400, 'http1.invalid_host');
  if (method === 'CONNECT')
    return isAuthority(target) ? found(target, '', 'http') : refuse(400, 'http1.invalid_target');
  if (target.charCodeAt(0) === 47) {
    if (host === null) return refuse(400, 'missing_host_header');
    return found(host, target, 'http');
  }
  if (target === '*') {
    if (method !== 'OPTIONS' || host === null) return refuse(400, 'http1.invalid_target');
    return found(host, '*', 'http');
  }
  const absolute = ABSOLUTE.exec(target);
  if (absolute === null) return refuse(400, 'http1.invalid_target');
  const scheme = absolute[1]!.toLowerCase();
  const authority = absolute[2]!;
  if (!isAuthority(authority)) return refuse(400, 'http1.invalid_target');
  // RFC 9112 lets the target win over Host; two readers of one message must not be able to choose: they have to agree.
  if (host !== null && canonical(host, scheme) !== canonical(authority, scheme))
    return refuse(400, 'http1.host_mismatch');
  const rest = absolute[3]!;
  return found(authority, rest.startsWith('/') ? rest : `/${rest}`, scheme);
}

const found = (authority: string, path: string, scheme: string): Target => ({
  problem: false,
  authority,
  path,
  scheme,
});

function isAuthority(text: string): boolean {
  const match = AUTHORITY.exec(text);
  return match !== null && (match[1] === undefined || (Number(match[1]) > 0 && Number(match[1]) <= 65_535));
}

function canonical(authority: string, scheme: string): string {
  const lower = authority.toLowerCase();
  const port = scheme === 'https' ? ':443' : ':80';
  return lower.endsWith(port) ? lower.slice(0, -port.length) : lower;
}

/** What a request asks for: authority and path out of the four forms of a request target (RFC 9112 section 3.2). */
import { isValidAuthority } from '../core/authority.ts';
import { refuse, type HeadProblem } from '../wire/http1-fields.ts';
import type { RequestHead } from '../wire/http1-head.ts';

export type Target = {
  readonly problem: false;
  readonly authority: string;
  /** With its query; `*` for OPTIONS *; "" for CONNECT. */
  readonly path: string;
  readonly scheme: string;
};

/** The last Host that was found valid: most connections ask for the same one again and again. */
let known = '';

function isValidHost(host: string): boolean {
  if (host === known) return true;
  if (!isValidAuthority(host)) return false;
  known = host;
  return true;
}

const ABSOLUTE = /^(https?):\/\/([^/?#]*)(.*)$/i;

export function targetOf(head: RequestHead): Target | HeadProblem {
  const { method, target, host } = head;
  if (host !== null && !isValidHost(host)) return refuse(400, 'http1.invalid_host');
  if (method === 'CONNECT')
    return isValidAuthority(target) ? found(target, '', 'http') : refuse(400, 'http1.invalid_target');
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
  if (!isValidAuthority(authority)) return refuse(400, 'http1.invalid_target');
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

function canonical(authority: string, scheme: string): string {
  const lower = authority.toLowerCase();
  const port = scheme === 'https' ? ':443' : ':80';
  return lower.endsWith(port) ? lower.slice(0, -port.length) : lower;
}

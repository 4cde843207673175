/** Sends the client elsewhere. */
import { hostOf, portOf } from '../core/authority.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Filter } from '../live/verdict.ts';
import type { RouteAction } from '../snapshot/route.ts';
import { because } from './because.ts';

export type Redirect = Extract<RouteAction, { readonly kind: 'redirect' }>;

/** Answers every request with the redirect; what it does not name stays as it was asked for. */
export function redirectFilter(redirect: Redirect): Filter {
  return (x) => {
    const location = locationOf(redirect, x);
    because(x, `redirected to ${location}`);
    return {
      kind: 'local',
      status: redirect.status,
      details: 'direct_response',
      headers: ['location', location],
      body: '',
    };
  };
}

/** `scheme://host[:port]path` (Envoy newUri); a port that its scheme implies is left out. */
export function locationOf(redirect: Redirect, x: Exchange): string {
  const scheme = redirect.scheme ?? x.scheme;
  const authority = redirect.authority ?? authorityFor(x, scheme, redirect.port !== null);
  const port = redirect.port === null || redirect.port === DEFAULT_PORT[scheme] ? '' : `:${redirect.port}`;
  return safe(`${scheme}://${authority}${port}${pathFor(redirect, x.path)}`);
}

const DEFAULT_PORT: Readonly<Record<string, number | undefined>> = { http: 80, https: 443 };

/** Host as it came, without a port that is replaced, or that only its old scheme implied. */
function authorityFor(x: Exchange, scheme: string, newPort: boolean): string {
  const port = portOf(x.authority, 0);
  const implied = scheme !== x.scheme && port === DEFAULT_PORT[x.scheme];
  return port > 0 && (newPort || implied) ? hostOf(x.authority) : x.authority;
}

function pathFor({ path, prefix }: Redirect, asked: string): string {
  const query = asked.indexOf('?');
  if (path !== null) return query < 0 || path.includes('?') ? path : path + asked.slice(query);
  // The route matched this prefix, so it is there, in whatever case.
  return prefix === null ? asked : prefix.by + asked.slice(prefix.matched.length);
}

/** A header value, whatever the configuration or the path hold. */
const safe = (location: string): string => location.replace(/[^!-~]/gu, (c) => encodeURIComponent(c.toWellFormed()));

/** Cross-origin requests: answers preflights, and marks the responses that a page of another origin may read (Envoy's cors filter). */
import { get, set, type HeaderList } from '../core/header-list.ts';
import { stringPredicate } from '../core/string-match.ts';
import type { Exchange } from '../live/exchange.ts';
import { CONTINUE, type Filter } from '../live/verdict.ts';
import type { Cors } from '../snapshot/route.ts';
import { because } from './because.ts';

export type CorsSteps = {
  /** OPTIONS with Origin and Access-Control-Request-Method is answered here; all else goes on. */
  readonly preflight: Filter;
  /** For every response of the route. */
  readonly actual: (x: Exchange, headers: HeaderList) => void;
};

export function makeCors(cors: Cors): CorsSteps {
  const allowed = originTest(cors);
  return {
    preflight: (x) => {
      if (x.method !== 'OPTIONS') return CONTINUE;
      const origin = get(x.headers, 'origin');
      if (origin === undefined || (get(x.headers, 'access-control-request-method') ?? '') === '') return CONTINUE;
      const isAllowed = allowed(origin);
      if (!isAllowed && cors.forwardUnmatchedPreflights) return CONTINUE;
      because(x, `preflight: the CORS policy ${isAllowed ? 'allows' : 'does not know'} this origin`);
      const headers = isAllowed ? preflightHeaders(cors, origin) : [];
      return { kind: 'local', status: 200, details: 'cors_response', headers, body: '' };
    },
    actual: (x, headers) => {
      const origin = get(x.headers, 'origin');
      if (origin === undefined || !allowed(origin)) return;
      set(headers, 'access-control-allow-origin', origin);
      if (cors.allowCredentials) set(headers, 'access-control-allow-credentials', 'true');
      if (cors.exposeHeaders !== null) set(headers, 'access-control-expose-headers', cors.exposeHeaders);
    },
  };
}

/** The exact origin `*` means any; a response names the caller's own, never `*`. */
function originTest({ allowOrigins }: Cors): (origin: string) => boolean {
  const tests = allowOrigins.map(stringPredicate);
  if (tests.some((test) => test('*'))) return () => true;
  return (origin) => tests.some((test) => test(origin));
}

function preflightHeaders(cors: Cors, origin: string): HeaderList {
  const headers = ['access-control-allow-origin', origin];
  if (cors.allowCredentials) headers.push('access-control-allow-credentials', 'true');
  if (cors.allowMethods !== null) headers.push('access-control-allow-methods', cors.allowMethods);
  if (cors.allowHeaders !== null) headers.push('access-control-allow-headers', cors.allowHeaders);
  if (cors.maxAge !== null) headers.push('access-control-max-age', cors.maxAge);
  return headers;
}

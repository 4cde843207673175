/** Productpage: the page people see, made of what details and reviews say; sign-in; a small JSON API. */
import { randomBytes } from 'node:crypto';
import { Counter, Registry } from 'prom-client';
import { fromSession } from '../propagation.ts';
import { run } from '../run.ts';
import { html, json, type AppRequest, type Env, type Handler, type Reply } from '../service.ts';
import { wholeNumber } from '../whole-number.ts';
import { catalog, type Ask, type Part } from './catalog.ts';
import { indexPage } from './index-page.ts';
import { productPage } from './page.ts';
import { PRODUCT, productJson } from './products.ts';
import { sessions, type Sessions } from './session.ts';
import { asset } from './static.ts';

/** As short as the original's server: a proxy in front meets connections that end just as it wants to use them. */
export const KEEP_ALIVE_MS = 2_000;

const MAX_NAME = 64;

/** Serves until it is told to stop; resolves with the exit code. See `run` for PORT and its companions. */
export const main = (env: Env, argv: readonly string[]): Promise<number> =>
  run({ name: 'productpage', handle: productpage(env), keepAliveMs: KEEP_ALIVE_MS }, env, argv);

/**
 * SESSION_SECRET signs the sessions: replicas that share it share who is signed in; without it each process has its own.
 * FLOOD_FACTOR asks for so many reviews more before each page. DETAILS_*, REVIEWS_*, RATINGS_*, SERVICES_DOMAIN: addresses.
 */
export function productpage(env: Env): Handler {
  const registry = new Registry();
  const results = new Counter({
    name: 'request_result_total',
    help: 'Results of requests',
    labelNames: ['destination_app', 'response_code'],
    registers: [registry],
  });
  const ask = catalog(env, (part, status) => results.inc({ destination_app: part, response_code: status }));
  const signed = sessions(env['SESSION_SECRET'] || randomBytes(32));
  const flood = wholeNumber('FLOOD_FACTOR', env['FLOOD_FACTOR'], 0, 10_000);

  return async (request) => {
    const { method, path } = request;
    if (path === '/login')
      return method === 'POST' || method === 'GET' ? signIn(signed, request) : notAllowed('GET, POST');
    if (method !== 'GET' && method !== 'HEAD') return notAllowed('GET, HEAD');
    const user = signed.read(request.headers.cookie);
    switch (path) {
      case '/':
      case '/index.html':
        return html(200, indexPage(user, env));
      case '/health':
        return html(200, 'Product page is healthy');
      case '/productpage':
        return unframed(html(200, await assemble(ask, request, user, flood)));
      case '/logout':
        return backWith(request, signed.signOut());
      case '/metrics':
        return { status: 200, headers: { 'content-type': registry.contentType }, body: await registry.metrics() };
      case '/api/v1/products':
        return json(200, [productJson(PRODUCT)]);
      default:
        return (await api(ask, request, user)) ?? asset(path) ?? html(404, 'Not found');
    }
  };
}

/** One call after the other, as the original: a slow details delays reviews. Failures become part of the page. */
async function assemble(ask: Ask, request: AppRequest, user: string | null, flood: number): Promise<string> {
  const headers = fromSession(request.headers, user);
  const id = String(PRODUCT.id);
  for (let i = 0; i < flood; i++) await ask('reviews', id, headers);
  const details = await ask('details', id, headers);
  const reviews = await ask('reviews', id, headers);
  return productPage({ user, product: PRODUCT, details, reviews });
}

/** Null: the path is none of the API's. */
async function api(ask: Ask, request: AppRequest, user: string | null): Promise<Reply | null> {
  const [, segment, kind = 'details'] =
    /^\/api\/v1\/products\/([^/]+)(?:\/(reviews|ratings))?$/.exec(request.path) ?? [];
  const id = segment === undefined ? null : decoded(segment);
  // Dots would climb out of the path of the service that is asked.
  if (id === null || id === '.' || id === '..') return null;
  const result = await ask(kind as Part, id, fromSession(request.headers, user));
  return result.ok ? json(200, result.value) : json(result.status, { error: result.error });
}

/** Any name is welcome and any password; no name signs out. */
async function signIn(signed: Sessions, request: AppRequest): Promise<Reply> {
  const form = request.method === 'POST' ? new URLSearchParams(await request.body()) : request.query;
  const user = (form.get('username') ?? request.query.get('username') ?? '').trim();
  if (user === '') return backWith(request, signed.signOut());
  // It travels on in a header, where control characters would be another header.
  if (user.length > MAX_NAME || /\p{Cc}/u.test(user))
    return html(400, `Please give a user name of at most ${MAX_NAME} characters, without control characters.`);
  return backWith(request, signed.signIn(user));
}

/** The page has buttons that change things: nobody may lay another page over it. */
const unframed = (reply: Reply): Reply => ({
  ...reply,
  headers: { ...reply.headers, 'content-security-policy': "frame-ancestors 'none'" },
});

const notAllowed = (allow: string): Reply => ({ ...html(405, `Please ${allow}`), headers: { allow } });

/** Sets the cookie and sends the browser back to where it was, or to the product page. */
function backWith({ headers }: AppRequest, cookie: string): Reply {
  const { referer } = headers;
  const known = referer !== undefined && /^https?:$/.test(URL.parse(referer)?.protocol ?? '');
  return { status: 302, headers: { location: known ? referer : '/productpage', 'set-cookie': cookie }, body: '' };
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

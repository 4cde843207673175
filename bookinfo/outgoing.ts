/**
 * Calls to other services. Each call has a connection of its own and gives it up afterwards, as the original's do, so that
 * load balancing shows: with kept connections a plain TCP balancer would see one client for ever.
 * `http_proxy`, `https_proxy` and `no_proxy` are honoured: http goes to the proxy in absolute form, https by CONNECT.
 */
import { EnvHttpProxyAgent } from 'undici';
import type { Env } from './service.ts';
import { wholeNumber } from './whole-number.ts';

export type Answer = { readonly status: number; readonly body: string };

export type Call = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds for the head to come, and again for each further piece of the body. */
  readonly timeoutMs: number;
};

/** Rejects when there is no whole answer in time: refused, reset, too slow, or longer than 1 MiB. */
export type Caller = (call: Call) => Promise<Answer>;

const MAX_ANSWER_BYTES = 1024 * 1024;

export function caller(env: Env): Caller {
  const proxies = {
    httpProxy: env['http_proxy'] || env['HTTP_PROXY'] || '',
    httpsProxy: env['https_proxy'] || env['HTTPS_PROXY'] || '',
    noProxy: env['no_proxy'] || env['NO_PROXY'] || '',
  };
  return async ({ url, headers, timeoutMs }) => {
    // undici's own timeouts tick in half seconds; a page that must take 6 s should not take 7.
    const agent = new EnvHttpProxyAgent({ ...proxies, allowH2: false, headersTimeout: 0, bodyTimeout: 0 });
    const timer = setTimeout(() => void agent.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    try {
      const { origin, pathname, search } = new URL(url);
      const answer = await agent.request({ origin, path: pathname + search, method: 'GET', headers, reset: true });
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        timer.refresh();
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) throw new Error(`answer longer than ${MAX_ANSWER_BYTES} bytes`);
        chunks.push(chunk);
      }
      return { status: answer.statusCode, body: Buffer.concat(chunks).toString('utf8') };
    } finally {
      clearTimeout(timer);
      void agent.destroy();
    }
  };
}

/** `http://reviews.default:9080`, out of REVIEWS_HOSTNAME, REVIEWS_SERVICE_PORT and SERVICES_DOMAIN. */
export function baseUrl(env: Env, service: 'details' | 'reviews' | 'ratings'): string {
  const name = service.toUpperCase();
  const domain = env['SERVICES_DOMAIN'] ? `.${env['SERVICES_DOMAIN']}` : '';
  const port = wholeNumber(`${name}_SERVICE_PORT`, env[`${name}_SERVICE_PORT`], 9080, 65_535);
  return `http://${env[`${name}_HOSTNAME`] || service}${domain}:${port}`;
}

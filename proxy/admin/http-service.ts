/** A small HTTP server of fixed routes: what all admin ports are made of. It answers everything, and nothing a client sends ends it. */
import type * as Http from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { gzip } from 'node:zlib';
import { PageWriter } from './page-writer.ts';

/** Not by `import`: that reads every export, and `http.WebSocket` loads all of Node's own fetch, 4 MB, into a proxy that never calls it. */
const { createServer }: typeof Http = process.getBuiltinModule('node:http');

export type Answer = {
  readonly status: number;
  /** Pages are written as they are taken; whoever takes none for a while is cut off. */
  readonly body: string | AsyncIterable<string>;
  /** `text/plain; charset=UTF-8` by default. */
  readonly type?: string;
};

export type Ask = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly accept?: string | undefined;
};

export type AdminRoute = {
  /** `GET` answers HEAD as well. */
  readonly method: 'GET' | 'POST';
  readonly help: string;
  readonly handle: (ask: Ask) => Answer | Promise<Answer>;
};

export type ServiceOptions = {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** By path. */
  readonly routes: ReadonlyMap<string, AdminRoute>;
  /** Only requests that name this machine itself in `Host` are answered, against pages that point their own name at it (DNS rebinding). */
  readonly loopbackOnly: boolean;
  /** By default, a port that is taken is an error; shared ones may be taken by a process that shares them, too. */
  readonly shared?: boolean;
};

export type Service = { readonly host: string; readonly port: number; close(): Promise<void> };

/** How long answers may take when the server is closed, ms. */
const CLOSE_MS = 200;
/** Shorter bodies are not worth compressing. */
const GZIP_FROM = 1024;

/** Rejects when the address cannot be bound. */
export async function startService({ host, port, routes, loopbackOnly, shared }: ServiceOptions): Promise<Service> {
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000, connectionsCheckingInterval: 10_000 });
  server.maxConnections = 256;
  const pages = new PageWriter();
  server.on('request', (request, response) => void serve(request, response, routes, loopbackOnly, pages));
  server.on('clientError', (_, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const reusePort = shared === true && process.platform === 'linux';
    server.listen({ host, port, reusePort }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return { host, port: portOf(server), close: () => closeServer(server) };
}

export const text = (body: string, status = 200): Answer => ({ status, body });

export const json = (value: unknown, status = 200): Answer => ({
  status,
  body: `${JSON.stringify(value, null, 1)}\n`,
  type: 'application/json',
});

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  routes: ServiceOptions['routes'],
  loopbackOnly: boolean,
  pages: PageWriter,
): Promise<void> {
  // Bodies mean nothing here.
  request.resume();
  response.on('error', () => {});
  const answer = await answerOf(request, routes, loopbackOnly);
  const headers: Record<string, string> = {
    'content-type': answer.type ?? 'text/plain; charset=UTF-8',
    'cache-control': 'no-cache, max-age=0',
    'x-content-type-options': 'nosniff',
    ...(answer.allow === undefined ? {} : { allow: answer.allow }),
  };
  const isZipped = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(request.headers['accept-encoding'] ?? '');
  if (typeof answer.body !== 'string') {
    headers['vary'] = 'accept, accept-encoding';
    if (isZipped) headers['content-encoding'] = 'gzip';
    response.writeHead(answer.status, headers);
    if (request.method === 'HEAD') return void response.end();
    return pages.write(answer.body, response, isZipped);
  }
  let body: Buffer = Buffer.from(answer.body);
  if (body.length >= GZIP_FROM && isZipped) {
    body = await compressed(body);
    headers['content-encoding'] = 'gzip';
  }
  if (body.length >= GZIP_FROM) headers['vary'] = 'accept-encoding';
  response.writeHead(answer.status, { ...headers, 'content-length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function answerOf(
  request: IncomingMessage,
  routes: ServiceOptions['routes'],
  loopbackOnly: boolean,
): Promise<Answer & { readonly allow?: string }> {
  if (loopbackOnly && !isLoopbackName(request.headers.host ?? '')) {
    return text('the Host header must name the loopback interface (localhost, 127.0.0.1, ::1)\n', 403);
  }
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
  if (method === 'POST' && fromAnotherSite(request)) return text('requests from web pages are refused\n', 403);
  return pageOf(routes, method, request.url ?? '', request.headers.accept);
}

/** What one of the routes answers, wherever the question came from. `target`: path and query. Never rejects. */
export async function pageOf(
  routes: ServiceOptions['routes'],
  method: string,
  target: string,
  accept?: string,
): Promise<Answer & { readonly allow?: string }> {
  const url = URL.parse(target, 'http://admin');
  if (url === null) return text('the request target is not valid\n', 400);
  const route = routes.get(url.pathname);
  if (route === undefined) return text(`no such path; GET /help lists them\n`, 404);
  if (method !== route.method) {
    return { ...text(`use ${route.method} for ${url.pathname}\n`, 405), allow: route.method };
  }
  try {
    return await route.handle({ method, path: url.pathname, query: url.searchParams, accept });
  } catch (error) {
    return text(`${error instanceof Error ? error.message : String(error)}\n`, 500);
  }
}

/** A browser says where a request comes from; no admin tool has an Origin. */
function fromAnotherSite(request: IncomingMessage): boolean {
  const { origin } = request.headers;
  if (request.headers['sec-fetch-site'] === 'cross-site') return true;
  if (origin === undefined) return false;
  const url = URL.parse(origin);
  return url === null || !isLoopbackName(url.host);
}

/** `host[:port]` of the loopback interface. */
export function isLoopbackName(authority: string): boolean {
  const name = authority.replace(/:\d*$/, '').toLowerCase();
  if (name === 'localhost' || name === '[::1]' || name === '::1') return true;
  return isIP(name) === 4 && name.startsWith('127.');
}

function compressed(body: Buffer): Promise<Buffer> {
  // Level 1: label sets repeat so much that the better levels gain little for several times the time.
  return new Promise((resolve, reject) =>
    gzip(body, { level: 1 }, (error, out) => (error === null ? resolve(out) : reject(error))),
  );
}

function portOf(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

/** Answers under way get a moment; a connection that came in just now is accepted before the socket closes. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => {
      server.close(() => resolve());
      setTimeout(() => server.closeAllConnections(), CLOSE_MS).unref();
    });
  });
}

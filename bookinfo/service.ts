/** The shell every BookInfo service lives in: an HTTP server on PORT, one log line a request, and a graceful end. */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { finished } from 'node:stream/promises';

export type Env = Readonly<Record<string, string | undefined>>;

export type AppRequest = {
  readonly method: string;
  /** As it came, without the query: still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The whole body as text. Rejects with BodyTooLarge beyond 64 KiB. */
  readonly body: () => Promise<string>;
};

export type Reply = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
  /** What went wrong behind the answer: for the log alone. */
  readonly problem?: string;
};

export type Handler = (request: AppRequest) => Reply | Promise<Reply>;

export type ServiceOptions = {
  readonly name: string;
  readonly handle: Handler;
  /** Where it listens; port 0 takes a free one. */
  readonly host: string;
  readonly port: number;
  /** Milliseconds an idle connection is kept: each service has the habit of the server it stands for. */
  readonly keepAliveMs: number;
  /** Takes one JSON line a request, without its newline. */
  readonly log: (line: string) => void;
};

export type Service = AsyncDisposable & {
  readonly name: string;
  /** `http://127.0.0.1:41234` */
  readonly url: string;
  /** From now on `/health` answers 503, so that whoever sends requests here finds others; everything else goes on. */
  failHealth(): void;
  /** Stops accepting and lets requests in flight finish; cuts what is left after `graceMs` (10 s). */
  close(graceMs?: number): Promise<void>;
};

/** What probes and Prometheus ask for. */
const QUIET: ReadonlySet<string> = new Set(['/health', '/metrics']);

export class BodyTooLarge extends Error {}

const MAX_BODY_BYTES = 64 * 1024;

export const json = (status: number, value: unknown): Reply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});

export const html = (status: number, body: string): Reply => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body,
});

/** Resolves once it listens; rejects when it cannot, for instance because the port is taken. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { name, host, port } = options;
  const server = createServer({
    keepAliveTimeout: options.keepAliveMs,
    // A client has this long for its whole request, so that slow ones cannot pile up.
    requestTimeout: 30_000,
    headersTimeout: 15_000,
  });
  let closing = false;
  let failing = false;
  const handle: Handler = (request) =>
    failing && request.path === '/health' ? json(503, { status: `${name} is shutting down` }) : options.handle(request);
  const within = { ...options, handle };
  server.on('request', (incoming, response) => void serve(within, incoming, response, () => closing));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address() as AddressInfo;
  const close = (graceMs = 10_000): Promise<void> => {
    closing = true;
    return drain(server, graceMs);
  };
  return {
    name,
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    failHealth: () => void (failing = true),
    close,
    [Symbol.asyncDispose]: () => close(0),
  };
}

async function serve(
  options: ServiceOptions,
  incoming: IncomingMessage,
  response: ServerResponse,
  closing: () => boolean,
): Promise<void> {
  const started = performance.now();
  const target = targetOf(incoming.url ?? '/');
  let reply: Reply;
  let error: unknown;
  try {
    reply =
      target === null
        ? json(400, { error: 'please send a path that starts with /' })
        : await options.handle({
            method: incoming.method ?? 'GET',
            ...target,
            headers: incoming.headers,
            body: () => readBody(incoming),
          });
  } catch (cause) {
    error = cause;
    reply =
      cause instanceof BodyTooLarge
        ? json(413, { error: `please send at most ${MAX_BODY_BYTES} bytes` })
        : json(500, { error: 'internal error' });
  }
  const body = incoming.method === 'HEAD' ? '' : reply.body;
  // A body that nobody read would be taken for the next request: end the connection instead.
  if (!incoming.complete || closing()) response.shouldKeepAlive = false;
  try {
    response.writeHead(reply.status, { 'content-length': Buffer.byteLength(reply.body), ...reply.headers });
    response.end(body);
    await finished(response);
  } catch (cause) {
    error ??= cause; // the client went away: only the log hears of it
    response.destroy();
  }
  // They come every few seconds; that all is well says nothing.
  if (QUIET.has(target?.path ?? '') && reply.status === 200 && error === undefined) return;
  options.log(
    JSON.stringify({
      time: new Date().toISOString(),
      service: options.name,
      method: incoming.method,
      path: incoming.url,
      status: reply.status,
      ms: Math.round(performance.now() - started),
      requestId: incoming.headers['x-request-id'],
      traceId: incoming.headers['x-b3-traceid'],
      user: incoming.headers['end-user'],
      ...(error === undefined ? {} : { error: error instanceof Error ? error.message : 'unknown' }),
      ...(reply.problem === undefined ? {} : { problem: reply.problem }),
    }),
  );
}

/** Origin form, or absolute form as a proxy would send it (RFC 9112, 3.2); null for `*`, authorities and nonsense. */
function targetOf(url: string): { path: string; query: URLSearchParams } | null {
  const relative = /^https?:\/\/[^/?]*(.*)$/i.exec(url)?.[1] ?? url;
  if (!relative.startsWith('/')) return null;
  const mark = relative.indexOf('?');
  return mark < 0
    ? { path: relative, query: new URLSearchParams() }
    : { path: relative.slice(0, mark), query: new URLSearchParams(relative.slice(mark + 1)) };
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new BodyTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function drain(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}

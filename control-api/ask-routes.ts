/** Admin pages of proxies in the server's table: asked for by people, answered by proxies. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { SHOWN_PAGES } from '#proxy/core/admin-pages.ts';
import type { Asks } from './asks.ts';
import { badRequest, methodNotAllowed } from './kube/status-error.ts';
import { checkedProxy } from './proxy-routes.ts';
import type { Route } from './route.ts';

const ADMIN = '/lateen/v1/proxies/:proxy/admin/*';
const MAX_QUERY = 4096;

/** `GET /lateen/v1/proxies/reviews-v1.default/admin/config_dump?resource=clusters` */
export function askRoutes(asks: Asks): readonly Route[] {
  return [
    {
      method: 'GET',
      path: ADMIN,
      handler: async (request, reply) => {
        const proxy = checkedProxy((request.params as { proxy: string }).proxy);
        const path = pathOf(request);
        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort());
        const page = await asks.ask(proxy, path, gone.signal);
        return (
          reply
            .code(page.status)
            .type(page.type)
            .header('cache-control', 'no-cache, private')
            .header('x-content-type-options', 'nosniff')
            // What a proxy says must not act as the console, which has the same origin.
            .header('content-security-policy', "default-src 'none'; sandbox")
            .send(page.body)
        );
      },
    },
    {
      method: ['POST', 'PUT', 'PATCH', 'DELETE'],
      path: ADMIN,
      handler: () => {
        throw methodNotAllowed('admin pages are shown here (GET); what changes a proxy is asked of its own admin port');
      },
    },
  ];
}

/** Apart from the table, since bodies are not read here but passed on. */
export function answerRoutes(app: FastifyInstance, asks: Asks): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.put('/lateen/v1/proxies/:proxy/answers/:id', { config: { audience: 'proxies' } }, async (request, reply) => {
    try {
      const { proxy, id } = request.params as { proxy: string; id: string };
      const body = request.raw as Readable;
      const page = { status: statusOf(request), type: typeOf(request), body };
      const length = request.headers['content-length'];
      await asks.answer(checkedProxy(proxy), id, page, length === undefined ? null : Number(length));
      return reply.send({});
    } catch (error) {
      return refuse(reply, error);
    }
  });
}

/** A body that nobody wants is not waited for: the connection ends with the refusal. */
function refuse(reply: FastifyReply, error: unknown): never {
  reply.header('connection', 'close');
  throw error;
}

/** Of the page, with its query. Throws BadRequest. */
function pathOf(request: FastifyRequest): string {
  const path = `/${(request.params as { '*': string })['*']}`;
  if (!SHOWN_PAGES.includes(path))
    throw badRequest(`path: expected one of ${SHOWN_PAGES.join(', ')}, got ${JSON.stringify(path.slice(0, 200))}`);
  const at = request.url.indexOf('?');
  const query = at < 0 ? '' : request.url.slice(at);
  if (query.length > MAX_QUERY)
    throw badRequest(`query: expected at most ${MAX_QUERY} characters, got ${query.length}`);
  return path + query;
}

/** `?status=200`. Throws BadRequest. */
function statusOf(request: FastifyRequest): number {
  const { status } = request.query as { status?: unknown };
  if (typeof status === 'string' && /^(?:200|[45]\d\d)$/.test(status)) return Number(status);
  throw badRequest(`status: expected 200, or one from 400 to 599, got ${JSON.stringify(status)?.slice(0, 80)}`);
}

function typeOf(request: FastifyRequest): string {
  const type = request.headers['content-type'] ?? '';
  return /^[\w.+-]+\/[\w.+-]+(?:; *[\w-]+=[\w.-]+)*$/.test(type) && type.length <= 200 ? type : 'text/plain';
}

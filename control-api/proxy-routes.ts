/** The proxies' part of the server's table: their stream, their reports, and the list of them. */
import type { FastifyRequest } from 'fastify';
import type { Asks } from './asks.ts';
import { badRequest } from './kube/status-error.ts';
import { readReport } from './proxy-report.ts';
import type { Proxies } from './proxies.ts';
import { bytesOf, type Route } from './route.ts';
import { sendStream } from './stream.ts';

export function proxyRoutes(proxies: Proxies, asks: Asks): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/lateen/v1/config',
      audience: 'proxies',
      handler: (request, reply) => {
        const id = checkedProxy((request.query as { proxy?: unknown }).proxy);
        sendStream(reply, 'application/x-ndjson', (sink) => {
          const end = proxies.connect(id, sink);
          return () => {
            end();
            // Unless a newer stream of it has taken over.
            if (!proxies.isConnected(id)) asks.lost(id);
          };
        });
      },
    },
    {
      method: 'PUT',
      path: '/lateen/v1/proxies/:proxy',
      audience: 'proxies',
      handler: (request, reply) => {
        const id = checkedProxy((request.params as { proxy: string }).proxy);
        proxies.report(id, reportOf(request));
        return reply.send({});
      },
    },
    { method: 'GET', path: '/lateen/v1/proxies', handler: () => ({ proxies: proxies.list() }) },
  ];
}

const reportOf = (request: FastifyRequest): ReturnType<typeof readReport> =>
  readReport(bytesOf(request), request.headers['content-type']);

/** An id of a proxy: `<pod>.<namespace>`. Throws BadRequest. */
export function checkedProxy(id: unknown): string {
  if (typeof id === 'string' && /^[a-z0-9]([a-z0-9.-]{0,400})\.[a-z0-9-]{1,63}$/.test(id)) return id;
  throw badRequest(`proxy: expected POD.NAMESPACE, got ${JSON.stringify(id)?.slice(0, 200)}`);
}

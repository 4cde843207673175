/** Lateen's own part of the server's table, under /lateen/v1. */
import type { FastifyRequest } from 'fastify';
import type { Problem } from '#proxy/istio/problem.ts';
import type { ResourceSet } from '#proxy/istio/resource.ts';
import { meshResources } from './admit.ts';
import { badRequest } from './kube/status-error.ts';
import type { HistoryStore } from './open-store.ts';
import type { Route } from './route.ts';

export type Readiness = {
  readonly ready: boolean;
  /** What is still missing, in words. */
  readonly reasons: readonly string[];
};

export type LateenContext = {
  readonly store: HistoryStore;
  readonly ready: () => Readiness;
  readonly analyze: (resources: ResourceSet) => readonly Problem[];
  /** Of files and other sources: what could not be taken over. */
  readonly problems: () => readonly Problem[];
};

export function lateenRoutes({ store, ready, analyze, problems }: LateenContext): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/lateen/v1/ready',
      handler: (_, reply) => {
        const state = ready();
        return reply.code(state.ready ? 200 : 503).send(state);
      },
    },
    {
      method: 'GET',
      path: '/lateen/v1/analyze',
      handler: (request) => {
        const { namespace } = queryOf(request);
        const problems = analyze(meshResources(store));
        return { problems: problems.filter((p) => namespace === undefined || p.resource?.namespace === namespace) };
      },
    },
    { method: 'GET', path: '/lateen/v1/problems', handler: () => ({ problems: problems() }) },
    {
      method: 'GET',
      path: '/lateen/v1/history',
      handler: (request) => {
        const { limit, ...filter } = queryOf(request);
        return { revision: store.revision, changes: store.history({ ...filter, ...limitOf(limit) }) };
      },
    },
  ];
}

/** `?kind=VirtualService&namespace=default&name=reviews&limit=20` */
function queryOf(request: FastifyRequest): Partial<Record<'kind' | 'namespace' | 'name' | 'limit', string>> {
  const all = request.query as Record<string, unknown>;
  const known = ['kind', 'namespace', 'name', 'limit'].filter((key) => typeof all[key] === 'string' && all[key] !== '');
  return Object.fromEntries(known.map((key) => [key, all[key]]));
}

function limitOf(text: string | undefined): { limit?: number } {
  if (text === undefined) return {};
  const limit = Number(text);
  if (Number.isInteger(limit) && limit > 0 && limit <= 10_000) return { limit };
  throw badRequest(`limit: expected a number from 1 to 10000, got "${text}"`);
}

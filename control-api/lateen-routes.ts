/** Lateen's own part of the server's table, under /lateen/v1. */
import type { FastifyRequest } from 'fastify';
import type { Problem } from '#proxy/istio/problem.ts';
import type { ResourceSet } from '#proxy/istio/resource.ts';
import { meshResources } from './admit.ts';
import { egressRoutes } from './egress.ts';
import { decodeBody } from './kube/body.ts';
import { badRequest } from './kube/status-error.ts';
import { warningHeader } from './kube/warning.ts';
import type { Change } from './journal.ts';
import type { HistoryStore } from './open-store.ts';
import type { PodRuntime } from './pod-runtime.ts';
import { rollback } from './rollback.ts';
import { readRollback } from './rollback-input.ts';
import { authorOf, bytesOf, type Route } from './route.ts';
import { statsRoutes } from './stats.ts';

export type Readiness = {
  readonly ready: boolean;
  /** What is still missing, in words. */
  readonly reasons: readonly string[];
};

export type LateenContext = {
  readonly store: HistoryStore;
  readonly runtime: PodRuntime | null;
  readonly ready: () => Readiness | Promise<Readiness>;
  readonly analyze: (resources: ResourceSet) => readonly Problem[];
  /** Of files and other sources: what could not be taken over. */
  readonly problems: () => readonly Problem[];
};

export function lateenRoutes(context: LateenContext): readonly Route[] {
  const { store, ready, analyze, problems } = context;
  return [
    {
      method: 'GET',
      path: '/lateen/v1/ready',
      handler: async (_, reply) => {
        const state = await ready();
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
    ...egressRoutes(store),
    ...statsRoutes(),
    { method: 'GET', path: '/lateen/v1/problems', handler: () => ({ problems: problems() }) },
    {
      method: 'GET',
      path: '/lateen/v1/history',
      handler: (request) => {
        const { limit, by, ...filter } = queryOf(request);
        const changes = store.history({ ...filter, people: isPeople(by), ...limitOf(limit) });
        return { revision: store.revision, changes: changes.map(withoutSecrets) };
      },
    },
    {
      method: 'POST',
      path: '/lateen/v1/rollback',
      handler: (request, reply) => {
        const wish = readRollback(decodeBody(bytesOf(request), request.headers['content-type']));
        const { warnings, ...answer } = rollback(context, wish, authorOf(request));
        if (warnings.length > 0) reply.header('warning', warnings.map(warningHeader));
        // Bodies are what a dry run is for; whoever rolled back has no use for them.
        const items = wish.dryRun ? answer.items : answer.items.map(({ before: _b, after: _a, ...item }) => item);
        return { ...answer, items };
      },
    },
  ];
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** A history is printed, kept and mailed; what a Secret holds is asked for by its name. */
function withoutSecrets(change: Change): Change {
  if (change.kind !== 'Secret' || change.resource === null) return change;
  const { metadata, ...rest } = change.resource;
  const { [LAST_APPLIED]: _, ...annotations } = metadata.annotations ?? {};
  const keys = Object.keys((rest['data'] as object | undefined) ?? {});
  const data = Object.fromEntries(keys.map((key) => [key, '***']));
  return { ...change, resource: { ...rest, metadata: { ...metadata, annotations }, data } };
}

const QUERY = ['kind', 'namespace', 'name', 'limit', 'by'] as const;

/** `?kind=VirtualService&namespace=default&name=reviews&limit=20&by=people` */
function queryOf(request: FastifyRequest): Partial<Record<(typeof QUERY)[number], string>> {
  const all = request.query as Record<string, unknown>;
  const known = QUERY.filter((key) => typeof all[key] === 'string' && all[key] !== '');
  return Object.fromEntries(known.map((key) => [key, all[key]]));
}

function isPeople(by: string | undefined): boolean {
  if (by === undefined || by === 'all') return false;
  if (by === 'people') return true;
  throw badRequest(`by: expected people or all, got "${by}"`);
}

function limitOf(text: string | undefined): { limit?: number } {
  if (text === undefined) return {};
  const limit = Number(text);
  if (Number.isInteger(limit) && limit > 0 && limit <= 10_000) return { limit };
  throw badRequest(`limit: expected a number from 1 to 10000, got "${text}"`);
}

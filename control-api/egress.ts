/** Egress in the server's table: what proxies report of it, what of it is shown, and what is proposed. */
import type { FastifyRequest } from 'fastify';
import { parseDuration } from '#proxy/core/duration.ts';
import { EGRESS_VERDICTS } from '#proxy/core/egress.ts';
import { readEgress } from './egress-input.ts';
import { propose } from './egress-proposal.ts';
import { EgressRegistry } from './egress-registry.ts';
import { EgressStore, type EgressFilter, type EgressEntry } from './egress-store.ts';
import { badRequest } from './kube/status-error.ts';
import { checkedProxy } from './proxy-routes.ts';
import { bytesOf, type Route } from './route.ts';
import type { Store } from './store.ts';

/** As `GET /lateen/v1/egress` shows a row. */
export type EgressView = Omit<EgressEntry, 'firstSeen' | 'lastSeen'> & {
  /** ISO 8601. */
  readonly firstSeen: string;
  readonly lastSeen: string;
  /** `ServiceEntry default/mysql`: what stands for it by now, whether it did then or not. Null: nothing. */
  readonly by: string | null;
};

export function egressRoutes(store: Store, egress = new EgressStore()): readonly Route[] {
  return [
    {
      method: 'PUT',
      path: '/lateen/v1/proxies/:proxy/egress',
      audience: 'proxies',
      handler: (request) => {
        const proxy = checkedProxy((request.params as { proxy: string }).proxy);
        egress.accept(proxy, readEgress(bytesOf(request), request.headers['content-type']));
        return {};
      },
    },
    {
      method: 'GET',
      path: '/lateen/v1/egress',
      handler: (request) => ({ egress: view(egress.list(filterOf(request)), new EgressRegistry(store)) }),
    },
    {
      method: 'GET',
      path: '/lateen/v1/egress/proposals',
      handler: (request) =>
        propose(
          egress.list(filterOf(request)),
          new EgressRegistry(store),
          (namespace, name) => store.get('ServiceEntry', namespace, name) !== undefined,
        ),
    },
    {
      method: 'DELETE',
      path: '/lateen/v1/egress',
      handler: () => {
        egress.clear();
        return {};
      },
    },
  ];
}

/** A ServiceEntry can tell that what it stands for is part of the mesh; proxies do not know. */
function view(rows: readonly EgressEntry[], registry: EgressRegistry): readonly EgressView[] {
  return rows.flatMap((row) => {
    const allowed = row.verdict === 'allowed';
    const host = allowed && !row.service.startsWith('*') ? row.service : row.host;
    const cover = registry.find({ ...row, host });
    if (allowed && cover?.internal === true) return [];
    const by = cover !== null && (allowed || cover.port) ? cover.by : null;
    const iso = (ms: number): string => new Date(ms).toISOString();
    return [{ ...row, firstSeen: iso(row.firstSeen), lastSeen: iso(row.lastSeen), by }];
  });
}

/** `?namespace=default&workload=details-v1&verdict=blocked&since=10m`; `since` may be a time (ISO 8601), too. */
function filterOf(request: FastifyRequest): EgressFilter {
  const query = request.query as Record<string, unknown>;
  const text = (name: string): string | undefined => {
    const value = query[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const verdict = text('verdict');
  const known = EGRESS_VERDICTS.find((v) => v === verdict);
  if (verdict !== undefined && known === undefined)
    throw badRequest(`verdict: expected one of ${EGRESS_VERDICTS.join(', ')}, got "${verdict.slice(0, 80)}"`);
  return {
    namespace: text('namespace'),
    workload: text('workload'),
    verdict: known,
    since: sinceOf(text('since')),
  };
}

function sinceOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ago = parseDuration(text);
  if (ago !== null) return Date.now() - ago;
  const time = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(time)) return time;
  throw badRequest(`since: expected a duration such as 10m, or a time in ISO 8601, got "${text.slice(0, 80)}"`);
}

/** Statistics of edges in the server's table: what proxies report, and what is asked of it. */
import type { FastifyRequest } from 'fastify';
import { parseDuration } from '#proxy/core/duration.ts';
import { badRequest } from './kube/status-error.ts';
import { checkedProxy } from './proxy-routes.ts';
import { bytesOf, type Route } from './route.ts';
import { readStats } from './stats-input.ts';
import { StatsStore } from './stats-store.ts';
import { KEYS, viewOf, type By, type StatsRow } from './stats-view.ts';

/** As `GET /lateen/v1/stats` answers. */
export type Stats = {
  readonly by: By;
  /** What is really covered, s: at least the window, since what is kept is whole slots of 10 s; less, when the control API is younger. */
  readonly seconds: number;
  readonly rows: readonly StatsRow[];
};

const DEFAULT_WINDOW_MS = 60_000;
const LONGEST_WINDOW_MS = 3_600_000;
const SHORTEST_WINDOW_MS = 1000;

/** `GET /lateen/v1/stats?window=1m&by=workload&namespace=default&workload=reviews-v3&service=reviews` */
export function statsRoutes(stats = new StatsStore()): readonly Route[] {
  return [
    {
      method: 'PUT',
      path: '/lateen/v1/proxies/:proxy/stats',
      audience: 'proxies',
      handler: (request) => {
        const proxy = checkedProxy((request.params as { proxy: string }).proxy);
        stats.accept(proxy, readStats(bytesOf(request), request.headers['content-type']));
        return {};
      },
    },
    {
      method: 'GET',
      path: '/lateen/v1/stats',
      handler: (request): Stats => {
        const query = textsOf(request);
        const by = KEYS.find((key) => key === (query['by'] ?? 'workload'));
        if (by === undefined) throw badRequest(`by: expected one of ${KEYS.join(', ')}, got "${query['by']}"`);
        const { covered, totals } = stats.totals(windowOf(query['window']));
        return { by, seconds: Math.round(covered / 1000), rows: viewOf(totals, by, query, covered) };
      },
    },
  ];
}

function textsOf(request: FastifyRequest): Readonly<Record<string, string>> {
  const given = Object.entries(request.query as Record<string, unknown>);
  const texts = given.filter((pair): pair is [string, string] => typeof pair[1] === 'string' && pair[1] !== '');
  return Object.fromEntries(texts.map(([name, value]) => [name, value.slice(0, 256)]));
}

function windowOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_WINDOW_MS;
  const window = parseDuration(text);
  if (window !== null && window >= SHORTEST_WINDOW_MS && window <= LONGEST_WINDOW_MS) return window;
  throw badRequest(`window: expected a duration from 1s to 1h, got "${text}"`);
}

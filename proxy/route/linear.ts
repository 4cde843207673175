/** Route matching the obvious way, every domain and every route in turn: the oracle of `match.ts`, never in a request's way. */
import { hostOf } from '../core/authority.ts';
import { withoutQuery } from '../core/path.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Route, RouteTable, VirtualHost } from '../snapshot/route.ts';
import { withoutRootDot } from './host.ts';
import { routePredicate } from './predicate.ts';

/** Same contract as `buildMatcher`. */
export function buildLinearMatcher<T>(table: RouteTable, link: (route: Route) => T): (x: Exchange) => T | null {
  return (x) => {
    const host = bestHost(table.virtualHosts, hostOf(x.authority));
    const path = withoutQuery(x.path);
    const route = host?.routes.find(({ match }) => routePredicate(match)?.(x, path) ?? true);
    return route === undefined ? null : link(route);
  };
}

function bestHost(hosts: readonly VirtualHost[], host: string): VirtualHost | null {
  let best: VirtualHost | null = null;
  let bestRank = -1;
  for (const candidate of hosts) {
    for (const written of candidate.domains) {
      const rank = rankOf(withoutRootDot(written.toLowerCase()), host);
      if (rank > bestRank) {
        best = candidate;
        bestRank = rank;
      }
    }
  }
  return best;
}

/** -1: does not match; `*` 0; a wildcard by its length; an exact name above all. */
function rankOf(domain: string, host: string): number {
  if (domain === host) return Infinity;
  if (domain === '*') return 0;
  if (!domain.startsWith('*')) return -1;
  return host.length >= domain.length && host.endsWith(domain.slice(1)) ? domain.length : -1;
}

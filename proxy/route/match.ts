/** Finds the route of a request: virtual host by name, then the first route that matches, without trying them all. */
import { hostOf } from '../core/authority.ts';
import { withoutQuery } from '../core/path.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Route, RouteTable, VirtualHost } from '../snapshot/route.ts';
import { hostLookup } from './host.ts';
import { indexRoutes } from './path-index.ts';
import { routePredicate, type RoutePredicate } from './predicate.ts';

/** What a virtual host answers; null: none of its routes matches. */
export type RouteFinder<T> = (x: Exchange, path: string) => T | null;

/** Up to so many routes, asking each in turn is as fast as any index. */
const FEW = 6;

/** The routes of a virtual host are linked by the first request that comes for it. */
type Entry<T> = { readonly host: VirtualHost; find: RouteFinder<T> | null };

/**
 * Answers what `link` made of the route, or null: no such host, or no such route. `link` is called once for each route that a
 * request can reach, when the first request for its virtual host comes: a change of configuration stops the data path no longer
 * with ten thousand hosts than with ten. The matcher keeps nothing of the request and changes nothing in it.
 */
export function buildMatcher<T>(table: RouteTable, link: (route: Route) => T): (x: Exchange) => T | null {
  const lookup = hostLookup(table.virtualHosts, (host): Entry<T> => ({ host, find: null }));
  return (x) => {
    const entry = lookup(hostOf(x.authority));
    if (entry === null) return null;
    entry.find ??= routeFinder(entry.host, link);
    return entry.find(x, withoutQuery(x.path));
  };
}

function routeFinder<T>(host: VirtualHost, link: (route: Route) => T): RouteFinder<T> {
  const predicates = host.routes.map(({ match }) => routePredicate(match));
  // What stands behind a route that takes everything is out of reach.
  const last = predicates.indexOf(null);
  const routes = last < 0 ? host.routes : host.routes.slice(0, last + 1);
  const plans = routes.map(link);
  const [only] = plans;
  if (only === undefined) return () => null;
  if (last === 0) return () => only;
  if (plans.length > FEW) return indexRoutes(routes, plans);
  return inTurn(plans, predicates);
}

function inTurn<T>(plans: readonly T[], predicates: readonly (RoutePredicate | null)[]): RouteFinder<T> {
  return (x, path) => {
    for (let i = 0; i < plans.length; i++) if (predicates[i]?.(x, path) ?? true) return plans[i]!;
    return null;
  };
}

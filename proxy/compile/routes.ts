/** VirtualService http rules → compiled routes, in the order they are to be tried. */
import { routeName, type ClusterName } from '../core/brand.ts';
import type { HttpMatchRequest } from '../istio/http-match.ts';
import type { Resource } from '../istio/resource.ts';
import type { HttpRoute, VirtualServiceSpec } from '../istio/virtual-service.ts';
import type { Route, RouteAction, RouteMatch } from '../snapshot/route.ts';
import { compileAction, type ClusterFor } from './actions.ts';
import { outboundName } from './clusters.ts';
import { ANY, appliesHere, compileRouteMatch, isCatchAll, type Place } from './matches.ts';
import { type Problems, sourceOf } from './problems.ts';
import { compileCors, compileDuration, compileFault, compileRetry, DEFAULT_RETRY } from './traffic.ts';

type Rules = Resource<VirtualServiceSpec>;

/**
 * Each entry of `match` becomes a route of its own. A rule that every request matches ends the list: what stands behind it is
 * out of reach (core/route/route.go BuildHTTPRoutesForVirtualService). Empty: no rule applies at this place.
 */
export function compileRoutes(vs: Rules, place: Place, clusterFor: ClusterFor, problems: Problems): readonly Route[] {
  const routes: Route[] = [];
  for (const [i, rule] of (vs.spec.http ?? []).entries()) {
    const matches: readonly (HttpMatchRequest | null)[] = rule.match?.length ? rule.match : [null];
    for (const [j, match] of matches.entries()) {
      if (match !== null && !appliesHere(match, place, vs.metadata.namespace)) continue;
      const path = match === null ? `spec.http[${i}]` : `spec.http[${i}].match[${j}]`;
      const route = compileRoute(vs, rule, match, path, place, clusterFor);
      if (route === null) {
        problems.error(vs, `spec.http[${i}]`, 'expected a route, a redirect or a directResponse; the rule is left out');
        continue;
      }
      routes.push(route);
      if (isCatchAll(route.match)) return routes;
    }
  }
  return routes;
}

function compileRoute(
  vs: Rules,
  rule: HttpRoute,
  request: HttpMatchRequest | null,
  path: string,
  place: Place,
  clusterFor: ClusterFor,
): Route | null {
  const match = request === null ? ANY : compileRouteMatch(request);
  const done = compileAction(rule, match, place.port, clusterFor);
  if (done === null) return null;
  return {
    name: routeName(nameOf(rule.name, request?.name)),
    match,
    action: done.action,
    timeout: compileDuration(rule.timeout),
    retry: compileRetry(rule.retries),
    fault: compileFault(rule.fault),
    cors: compileCors(rule.corsPolicy),
    mirrors: done.mirrors,
    requestHeaders: done.requestHeaders,
    responseHeaders: done.responseHeaders,
    operation: operationOf(done.action, match, vs.metadata.name, place.port),
    source: sourceOf(vs, path),
  };
}

/** `rule.match` in Istio's logs; only what was named. */
const nameOf = (rule = '', match = ''): string => (match === '' ? rule : `${rule}.${match}`);

/** Span name: `host:port/path` of a single destination, else the VirtualService's name in the host's place (GetRouteOperation). */
function operationOf(action: RouteAction, match: RouteMatch, owner: string, port: number): string {
  const path = match.path?.kind === 'prefix' ? `${match.path.value}*` : pathOf(match);
  if (action.kind !== 'forward' || action.split.length !== 1) return `${owner}:${port}${path}`;
  const [, number, , host] = action.split[0]!.cluster.split('|');
  return `${host}:${number}${path}`;
}

const pathOf = ({ path }: RouteMatch): string => (path === null || path.kind === 'present' ? '/*' : path.value);

/** What holds for a service without a VirtualService. */
export function defaultRoute(host: string, port: number): Route {
  return {
    ...plainRoute('default', outboundName(port, '', host), `${host}:${port}/*`),
    retry: DEFAULT_RETRY,
  };
}

/** Everything to one cluster, with nothing added. */
export function plainRoute(name: string, cluster: ClusterName, operation: string): Route {
  return direct(name, operation, {
    kind: 'forward',
    split: [{ cluster, weight: 100, requestHeaders: null, responseHeaders: null }],
    rewrite: null,
  });
}

/** One action for everything, made by no resource. */
export function direct(name: string, operation: string, action: RouteAction): Route {
  return {
    name: routeName(name),
    match: ANY,
    action,
    timeout: null,
    retry: null,
    fault: null,
    cors: null,
    mirrors: [],
    requestHeaders: null,
    responseHeaders: null,
    operation,
    source: null,
  };
}

/** What a VirtualService rule does with a request: redirect, answer, or forward by weight. */
import type { HttpDirectResponse, HttpRedirect, HttpRewrite } from '../istio/http-action.ts';
import type { Destination } from '../istio/selector.ts';
import type { HttpRoute } from '../istio/virtual-service.ts';
import type { ClusterName } from '../core/brand.ts';
import type { HeaderOps, Mirror, Rewrite, RouteAction, RouteMatch, WeightedCluster } from '../snapshot/route.ts';
import { REDIRECT_STATUS } from './defaults.ts';
import { authorityIn, compileHeaderOps } from './header-ops.ts';

/** The cluster a destination means, seen from this listener. */
export type ClusterFor = (destination: Destination) => ClusterName;

export type Action = {
  readonly action: RouteAction;
  readonly requestHeaders: HeaderOps | null;
  readonly responseHeaders: HeaderOps | null;
  readonly mirrors: readonly Mirror[];
};

/** A redirect goes before a direct response goes before destinations. Null: the rule does none of them. */
export function compileAction(rule: HttpRoute, match: RouteMatch, port: number, clusterFor: ClusterFor): Action | null {
  const mirrors = compileMirrors(rule, clusterFor);
  const own = {
    requestHeaders: compileHeaderOps([rule.headers?.request]),
    responseHeaders: compileHeaderOps([rule.headers?.response]),
    mirrors: [],
  };
  if (rule.redirect !== undefined) return { ...own, action: compileRedirect(rule.redirect, match, port) };
  if (rule.directResponse !== undefined) return { ...own, action: compileDirect(rule.directResponse) };
  const targets = rule.route ?? [];
  const only = targets.length === 1 ? targets[0]! : null;
  const split = only === null ? weighted(targets, clusterFor) : [whole(clusterFor(only.destination))];
  if (split.length === 0) return null;
  const host = rule.rewrite?.authority ?? authorityIn(rule.headers?.request) ?? authorityIn(only?.headers?.request);
  return {
    action: { kind: 'forward', split, rewrite: compileRewrite(rule.rewrite, match, host) },
    // Of a single destination the operations stand on the route, after the route's own.
    requestHeaders: compileHeaderOps([rule.headers?.request, only?.headers?.request]),
    responseHeaders: compileHeaderOps([rule.headers?.response, only?.headers?.response]),
    mirrors,
  };
}

/** One destination gets everything, whatever its weight. */
const whole = (cluster: ClusterName): WeightedCluster => ({
  cluster,
  weight: 100,
  requestHeaders: null,
  responseHeaders: null,
});

function weighted(targets: NonNullable<HttpRoute['route']>, clusterFor: ClusterFor): WeightedCluster[] {
  return targets
    .filter(({ weight }) => (weight ?? 0) > 0)
    .map(({ destination, weight, headers }) => ({
      cluster: clusterFor(destination),
      weight: weight!,
      requestHeaders: compileHeaderOps([headers?.request]),
      responseHeaders: compileHeaderOps([headers?.response]),
    }));
}

function compileRedirect(redirect: HttpRedirect, match: RouteMatch, port: number): RouteAction {
  const { prefixRewrite } = redirect;
  return {
    kind: 'redirect',
    status: redirect.redirectCode ?? REDIRECT_STATUS,
    scheme: redirect.scheme ?? null,
    authority: redirect.authority ?? null,
    port: redirect.port ?? derivedPort(redirect, port),
    path: redirect.uri ?? null,
    prefix: prefixRewrite === undefined ? null : { matched: prefixOf(match), by: prefixRewrite },
  };
}

/** Null: by the scheme, which needs no number in a URL. */
const derivedPort = (redirect: HttpRedirect, listener: number): number | null =>
  redirect.derivePort === 'FROM_REQUEST_PORT' ? listener : null;

const prefixOf = ({ path }: RouteMatch): string => (path?.kind === 'prefix' ? path.value : '/');

function compileDirect({ status, body }: HttpDirectResponse): RouteAction {
  const bodyIsBase64 = body?.bytes !== undefined;
  return { kind: 'direct', status, body: body?.string ?? body?.bytes ?? '', bodyIsBase64 };
}

function compileRewrite(rewrite: HttpRewrite | undefined, match: RouteMatch, authority: string | null): Rewrite | null {
  const path = rewritePath(rewrite, match);
  return path === null && authority === null ? null : { path, authority };
}

/** A prefix is replaced as a prefix (no `uri` matches like the prefix `/`), an exact or regex match as a whole. */
function rewritePath(rewrite: HttpRewrite | undefined, { path }: RouteMatch): Rewrite['path'] {
  const regex = rewrite?.uriRegexRewrite;
  if (regex !== undefined) return { kind: 'regex', match: regex.match ?? '', by: regex.rewrite ?? '' };
  if (rewrite?.uri === undefined) return null;
  if (path === null) return { kind: 'prefix', matched: '/', by: rewrite.uri, ignoreCase: false };
  if (path.kind !== 'prefix') return { kind: 'whole', by: rewrite.uri };
  return { kind: 'prefix', matched: path.value, by: rewrite.uri, ignoreCase: path.ignoreCase ?? false };
}

/** An explicit 0 % turns a mirror off; nothing said means all. */
function compileMirrors(rule: HttpRoute, clusterFor: ClusterFor): readonly Mirror[] {
  const single = rule.mirror === undefined ? [] : [{ destination: rule.mirror, percent: singlePercent(rule) }];
  const several = (rule.mirrors ?? []).map((m) => ({
    destination: m.destination,
    percent: m.percentage === undefined ? 100 : (m.percentage.value ?? 0),
  }));
  return [...single, ...several]
    .filter(({ percent }) => percent > 0)
    .map(({ destination, percent }) => ({ cluster: clusterFor(destination), percent }));
}

const singlePercent = (rule: HttpRoute): number =>
  rule.mirrorPercentage === undefined ? (rule.mirrorPercent ?? 100) : (rule.mirrorPercentage.value ?? 0);

/** `match` of a VirtualService's http rule: what can be decided now is decided here; the rest becomes a RouteMatch. */
import type { HttpMatchRequest } from '../istio/http-match.ts';
import type { HeaderMatch, QueryMatch, RouteMatch } from '../snapshot/route.ts';
import { compileKeyMatch, compileMatch } from './strings.ts';

/** Which proxy, and which of its listeners, a rule is compiled for. */
export type Place = {
  /** `mesh` for sidecars, else `namespace/name` of the Gateway resources that open this port. */
  readonly gateways: readonly string[];
  /** Port of the service, or of the gateway's server. */
  readonly port: number;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
};

export const ANY: RouteMatch = {
  path: null,
  method: null,
  authority: null,
  scheme: null,
  headers: [],
  query: [],
};

type Scoped = {
  readonly port?: number;
  readonly gateways?: readonly string[];
  readonly sourceLabels?: Readonly<Record<string, string>>;
  readonly sourceNamespace?: string;
};

/**
 * Whether a match can hold here at all: the port must be this one, and the caller (this proxy) the one that is meant.
 * `gateways`, when given, stand in place of sourceLabels and sourceNamespace (core/route/route.go sourceMatchHTTP).
 * `owner`: namespace of the VirtualService, in which gateway names are resolved.
 */
export function appliesHere(match: Scoped, place: Place, owner: string): boolean {
  if (match.port !== undefined && match.port !== place.port) return false;
  if (match.gateways !== undefined && match.gateways.length > 0) {
    return match.gateways.some((name) => place.gateways.includes(resolveGateway(name, owner)));
  }
  if (
    match.sourceNamespace !== undefined &&
    match.sourceNamespace !== '' &&
    match.sourceNamespace !== place.namespace
  ) {
    return false;
  }
  return hasLabels(place.labels, match.sourceLabels);
}

/** Whether all of `wanted` are on `labels`. */
export const hasLabels = (
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>> | undefined,
): boolean => Object.entries(wanted ?? {}).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);

/** `gw` → `default/gw`; `./gw` → the same; `gw.ns.svc.cluster.local` (as Istio 1.0 wrote it) → `ns/gw`; `mesh` stays. */
export function resolveGateway(name: string, namespace: string): string {
  if (name === 'mesh') return name;
  if (name.includes('/')) return name.startsWith('./') ? `${namespace}/${name.slice(2)}` : name;
  const [gateway, other] = name.split('.');
  return other === undefined ? `${namespace}/${gateway}` : `${other}/${gateway}`;
}

export function compileRouteMatch(match: HttpMatchRequest): RouteMatch {
  const headers: HeaderMatch[] = [];
  for (const [name, value] of Object.entries(match.headers ?? {})) {
    headers.push({ name: name.toLowerCase(), match: compileKeyMatch(value), invert: false });
  }
  for (const [name, value] of Object.entries(match.withoutHeaders ?? {})) {
    headers.push({ name: name.toLowerCase(), match: compileKeyMatch(value), invert: true });
  }
  const query: QueryMatch[] = Object.entries(match.queryParams ?? {}).map(([name, value]) => ({
    name,
    match: compileKeyMatch(value),
  }));
  return {
    path: match.uri === undefined ? null : compileMatch(match.uri, match.ignoreUriCase === true),
    method: match.method === undefined ? null : compileMatch(match.method),
    authority: match.authority === undefined ? null : compileMatch(match.authority),
    scheme: match.scheme === undefined ? null : compileMatch(match.scheme),
    headers,
    query,
  };
}

/** Whether every request fits: rules behind such a one are out of reach (IsCatchAllRoute). */
export function isCatchAll({ path, method, authority, scheme, headers, query }: RouteMatch): boolean {
  if (method !== null || authority !== null || scheme !== null || headers.length > 0 || query.length > 0) return false;
  if (path === null) return true;
  return (path.kind === 'prefix' && path.value === '/') || (path.kind === 'regex' && path.value === '.*');
}

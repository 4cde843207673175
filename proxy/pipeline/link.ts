/** Snapshot + live clusters → plan: only what a route uses is in its steps. */
import { authorizer } from '../authz/policy.ts';
import type { HeaderList } from '../core/header-list.ts';
import { pathNormalizer } from '../core/path.ts';
import type { Exchange } from '../live/exchange.ts';
import { fail, type Filter } from '../live/verdict.ts';
import { buildMatcher } from '../route/match.ts';
import { makeSplit } from '../route/split.ts';
import type { CapturedPort, HttpListener, Listener } from '../snapshot/listener.ts';
import type { HeaderOps, Route, RouteTable, WeightedCluster } from '../snapshot/route.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { makeCors, type CorsSteps } from '../traffic/cors.ts';
import { directResponseFilter } from '../traffic/direct-response.ts';
import { faultFilter } from '../traffic/fault.ts';
import { requestOps, responseOps } from '../traffic/header-ops.ts';
import { redirectFilter } from '../traffic/redirect.ts';
import { makeRewrite } from '../traffic/rewrite.ts';
import type { Environment } from './environment.ts';
import { linkCaptured, linkConnect, linkTcp } from './link-tcp.ts';
import type { ForwardPlan, HttpListenerPlan, ListenerPlan, Plan, RoutePlan } from './plan.ts';

type Matcher = (x: Exchange) => RoutePlan | null;

export function link(snapshot: Snapshot, env: Environment): Plan {
  const matchers = new Map<string, Matcher>();
  const matcher = (name: string): Matcher => {
    const known = matchers.get(name);
    if (known !== undefined) return known;
    const table: RouteTable | undefined = snapshot.tables[name];
    const made = table === undefined ? () => null : buildMatcher(table, (route) => linkRoute(route, env));
    matchers.set(name, made);
    return made;
  };
  const listeners = new Map<string, ListenerPlan>();
  for (const listener of snapshot.listeners) listeners.set(listener.name, linkListener(listener, matcher, env));
  return { snapshot, listeners, normalizePath: pathNormalizer(snapshot.pathNormalization) };
}

function linkListener(listener: Listener, matcher: (name: string) => Matcher, env: Environment): ListenerPlan {
  return listener.kind === 'http' ? linkHttp(listener, matcher, env) : linkTcp(listener, env);
}

function linkHttp(settings: HttpListener, matcher: (name: string) => Matcher, env: Environment): HttpListenerPlan {
  const fallback = matcher(settings.fallback);
  const byPort = new Map(Object.entries(settings.tables).map(([port, name]) => [port, matcher(name)]));
  const captured =
    settings.captured === null
      ? null
      : linkCaptured(settings.captured, (port) => linkCapturedHttp(settings, port, matcher, env), env);
  return {
    kind: 'http',
    settings,
    authorize: settings.authz === null ? null : authorizer(settings.authz, authzEnv(env)),
    match: settings.pick === 'fixed' ? fallback : (x) => (byPort.get(portOf(x)) ?? fallback)(x),
    connect: settings.forwardProxy === null ? null : linkConnect(settings.forwardProxy, captured, env),
    captured,
  };
}

/** What is redirected has one port, whatever Host says; and it is no forward proxy that it talks to. */
function linkCapturedHttp(
  settings: HttpListener,
  { table, authz }: CapturedPort,
  matcher: (name: string) => Matcher,
  env: Environment,
): HttpListenerPlan | null {
  if (table === null) return null;
  return {
    kind: 'http',
    settings,
    authorize: authz === null ? null : authorizer(authz, authzEnv(env)),
    match: matcher(table),
    connect: null,
    captured: null,
  };
}

/** Istio's name for the route that REGISTRY_ONLY ends every table with. */
const BLOCK_ALL = 'block_all';
const blocked: Filter = (x) => fail({ kind: 'blocked-egress', host: x.authority });

const authzEnv = ({ node }: Environment) => ({ labels: node.labels, trustDomain: node.trustDomain });

/** The port in Host, or the scheme's own. */
function portOf(x: Exchange): string {
  const { authority } = x;
  const colon = authority.lastIndexOf(':');
  if (colon > 0 && authority.charCodeAt(authority.length - 1) !== 93) return authority.slice(colon + 1);
  return x.scheme === 'https' ? '443' : '80';
}

function linkRoute(route: Route, env: Environment): RoutePlan {
  const { action } = route;
  const cors = route.cors === null ? null : makeCors(route.cors);
  const filters: Filter[] = [];
  // Envoy's order in Istio: fault, then CORS, then the route's own action.
  if (route.fault !== null) filters.push(faultFilter(route.fault, env.random, env.clock));
  if (cors !== null) filters.push(cors.preflight);
  if (action.kind === 'redirect') filters.push(redirectFilter(action));
  if (action.kind === 'direct') filters.push(route.name === BLOCK_ALL ? blocked : directResponseFilter(action));
  return {
    route,
    filters,
    pick: action.kind === 'forward' ? linkSplit(action.split, env) : null,
    rewrite: requestSteps(action.kind === 'forward' ? action.rewrite : null, route.requestHeaders),
    responseHeaders: responseSteps(cors, route.responseHeaders),
  };
}

function linkSplit(split: readonly WeightedCluster[], env: Environment): () => ForwardPlan {
  const targets = split.map((w): ForwardPlan => ({
    cluster: env.upstreams.clusters.get(w.cluster) ?? null,
    name: w.cluster,
    requestHeaders: w.requestHeaders === null ? null : requestOps(w.requestHeaders),
    responseHeaders: w.responseHeaders === null ? null : responseOps(w.responseHeaders),
  }));
  const only = targets[0]!;
  if (targets.length === 1) return () => only;
  // Not from the beginning each time: a rule that is applied again and again would starve its small shares.
  const choose = makeSplit(
    split.map(({ weight }) => weight),
    Math.floor(env.random() * 1024),
  );
  return () => targets[choose()]!;
}

function requestSteps(
  rewrite: Parameters<typeof makeRewrite>[0] | null,
  ops: HeaderOps | null,
): ((x: Exchange) => void) | null {
  const path = rewrite === null ? null : makeRewrite(rewrite);
  const headers = ops === null ? null : requestOps(ops);
  if (path === null || headers === null) return path ?? headers;
  return (x) => {
    headers(x);
    path(x);
  };
}

function responseSteps(
  cors: CorsSteps | null,
  ops: HeaderOps | null,
): ((x: Exchange, headers: HeaderList) => void) | null {
  const headers = ops === null ? null : responseOps(ops);
  if (cors === null || headers === null) return cors?.actual ?? headers;
  return (x, list) => {
    cors.actual(x, list);
    headers(x, list);
  };
}

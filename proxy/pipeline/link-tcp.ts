/** Rules for connections → plan: what decides before a byte of a request is read. */
import { connectionAuthorizer } from '../authz/policy.ts';
import { cidrPredicate } from '../core/cidr.ts';
import type { Seen } from '../listener/first-look.ts';
import { hostLookup } from '../route/host.ts';
import { makeSplit } from '../route/split.ts';
import type { LiveCluster } from '../live/cluster.ts';
import type { Authz } from '../snapshot/authz.ts';
import type { Captured, CapturedPort, ForwardProxy, TcpListener, TcpRule, TcpShare } from '../snapshot/listener.ts';
import type { Environment } from './environment.ts';
import type { CapturedPlan, ConnectTarget, HttpListenerPlan, PortPlan, TcpListenerPlan, TcpRulePlan } from './plan.ts';
import { wayOf } from './tcp-route.ts';

export function linkTcp(settings: TcpListener, env: Environment): TcpListenerPlan {
  return { kind: 'tcp', settings, ...linkRules(settings.rules, settings.authz, env), http: null };
}

/** Ports are linked when the first connection to them comes: a mesh may have thousands. */
export function linkCaptured(
  { ports, unknown }: Captured,
  http: (port: CapturedPort) => HttpListenerPlan | null,
  env: Environment,
): CapturedPlan {
  const linked = new Map<number, PortPlan | null>();
  const link = (port: CapturedPort): PortPlan => ({ ...linkRules(port.rules, port.authz, env), http: http(port) });
  return {
    unknown: link(unknown),
    of(number) {
      let plan = linked.get(number);
      if (plan === undefined) {
        const port = ports[number];
        plan = port === undefined ? null : link(port);
        if (port !== undefined) linked.set(number, plan);
      }
      return plan;
    },
  };
}

function linkRules(
  rules: readonly TcpRule[],
  authz: Authz | null,
  env: Environment,
): Pick<PortPlan, 'rules' | 'authorize'> {
  const { labels, trustDomain } = env.node;
  return {
    rules: rules.map((rule) => linkRule(rule, env)),
    authorize: authz === null ? null : connectionAuthorizer(authz, { labels, trustDomain }),
  };
}

function linkRule({ destinations, serverNames, split, source }: TcpRule, env: Environment): TcpRulePlan {
  return {
    covers: destinations.length === 0 ? null : cidrPredicate(destinations),
    named: serverNames.length === 0 ? null : named(serverNames),
    source,
    pick: linkShares(split, env),
  };
}

/** A hello without a name is for `*` alone. */
function named(names: readonly string[]): (serverName: string) => boolean {
  if (names.includes('*')) return () => true;
  const find = hostLookup([{ name: '', domains: names, routes: [] }], () => true);
  return (serverName) => serverName !== '' && find(serverName) === true;
}

function linkShares(split: readonly TcpShare[], env: Environment): () => LiveCluster | null {
  const clusters = split.map(({ cluster }) => env.upstreams.clusters.get(cluster) ?? null);
  if (clusters.length < 2) return () => clusters[0] ?? null;
  // Not from the beginning each time: a rule that is applied again and again would starve its small shares.
  const choose = makeSplit(
    split.map(({ weight }) => weight),
    Math.floor(env.random() * 1024),
  );
  return () => clusters[choose()] ?? null;
}

/** CONNECT says a name or an address: names are known by themselves, addresses by what redirected connections to them become. */
export function linkConnect(
  { connect, unknown }: ForwardProxy,
  captured: CapturedPlan | null,
  env: Environment,
): (host: string, port: number) => ConnectTarget {
  const byPort = new Map<number, (host: string) => (() => LiveCluster | null) | null>();
  const domains = new Map<number, Map<string, readonly TcpShare[]>>();
  for (const [key, split] of Object.entries(connect)) {
    const colon = key.lastIndexOf(':');
    const port = Number(key.slice(colon + 1));
    const known = domains.get(port) ?? new Map<string, readonly TcpShare[]>();
    known.set(key.slice(0, colon), split);
    domains.set(port, known);
  }
  for (const [port, known] of domains) {
    const hosts = [...known].map(([domain, split]) => ({ name: domain, domains: [domain], routes: [], split }));
    const find = hostLookup(hosts, (host) => linkShares(known.get(host.name)!, env));
    byPort.set(port, find);
  }
  const passed = (): LiveCluster | null =>
    captured?.unknown.rules[0]?.pick() ?? env.upstreams.clusters.get('PassthroughCluster') ?? null;
  return (host, port) => {
    const pick = byPort.get(port)?.(host) ?? atAddress(captured, host, port);
    if (pick === null) return unknown === 'REGISTRY_ONLY' ? { blocked: true } : { cluster: passed() };
    return { cluster: pick() };
  };
}

/** What may come behind CONNECT is not seen yet: rules that tell by a server name are out, unless they say any. */
const UNSEEN: Seen = { speaks: 'other', serverName: '', broken: '' };

function atAddress(captured: CapturedPlan | null, host: string, number: number): (() => LiveCluster | null) | null {
  const port = captured?.of(number) ?? null;
  if (port === null || !/^[\d.]+$|:/.test(host)) return null;
  const rule = port.rules.find(({ covers }) => covers !== null && covers(host)) ?? wayOf(port, host, UNSEEN);
  return rule === null || typeof rule === 'string' ? null : rule.pick;
}

/** One rule of an AuthorizationPolicy → one predicate: who (from), what (to), under which conditions (when). */
import type { AuthorizationRule, Condition, Operation, Source } from '../istio/authorization-policy.ts';
import type { Attribute, Predicate } from '../snapshot/authz.ts';
import { all, ALWAYS, any, type AuthzPlace, known, not, portIn, string } from './predicate.ts';
import { compilePattern } from './strings.ts';

export type RuleContext = {
  /** Whether a match refuses (DENY, CUSTOM) or lets in (ALLOW). What cannot be read errs to the side that refuses. */
  readonly refuses: boolean;
  /** Of the policy: in it a service account without a namespace is looked for. */
  readonly namespace: string;
  readonly trustDomain: string;
  /** Of this proxy's workload. */
  readonly labels: Readonly<Record<string, string>>;
  readonly place: AuthzPlace;
  readonly complain: (path: string, message: string) => void;
};

export function compileRule(rule: AuthorizationRule, path: string, c: RuleContext): Predicate {
  return all([
    rule.from === undefined
      ? ALWAYS
      : any(rule.from.map((from, i) => compileSource(from.source, `${path}.from[${i}].source`, c))),
    rule.to === undefined
      ? ALWAYS
      : any(rule.to.map((to, i) => compileOperation(to.operation, `${path}.to[${i}].operation`, c))),
    ...(rule.when ?? []).map((when, i) => compileCondition(when, `${path}.when[${i}]`, c)),
  ]);
}

/** Of something that cannot be asked: a refusing rule holds without it, a permitting one never. */
function unreadable(c: RuleContext, path: string, message: string): Predicate {
  c.complain(path, `${message}; until it can, the rule ${c.refuses ? 'refuses without it' : 'never lets anyone in'}`);
  return known(c.refuses);
}

type Values = readonly string[] | undefined;
type Ask = (value: string) => Predicate;

/** Any of `values`, and none of `notValues`; nothing given asks nothing. */
function asks(values: Values, notValues: Values, ask: Ask, askNot: Ask = ask): Predicate {
  return all([
    values === undefined || values.length === 0 ? ALWAYS : any(values.map(ask)),
    notValues === undefined || notValues.length === 0 ? ALWAYS : not(any(notValues.map(askNot))),
  ]);
}

const text =
  (attribute: Attribute, ignoreCase = false): Ask =>
  (value) =>
    string(attribute, compilePattern(value, ignoreCase));

function cidrs(attribute: 'source.ip' | 'remote.ip' | 'destination.ip', ranges: Values, notRanges: Values): Predicate {
  const inside = (list: Values): Predicate => ({ kind: 'cidr', attribute, ranges: list ?? [] });
  return all([ranges?.length ? inside(ranges) : ALWAYS, notRanges?.length ? not(inside(notRanges)) : ALWAYS]);
}

/** `cluster.local` in a principal stands for the mesh's own trust domain, whatever its name (trustdomain/bundle.go). */
function principal({ trustDomain }: RuleContext): Ask {
  const ask = text({ of: 'source.principal' });
  return (value) => ask(value.startsWith('cluster.local/') ? trustDomain + value.slice('cluster.local'.length) : value);
}

const account =
  ({ namespace }: RuleContext): Ask =>
  (value) =>
    string(
      { of: 'source.serviceAccount' },
      { kind: 'exact', value: value.includes('/') ? value : `${namespace}/${value}` },
    );

const NO_TOKENS = 'request tokens are not checked so far';

function compileSource(source: Source | undefined, path: string, c: RuleContext): Predicate {
  if (source === undefined) return unreadable(c, path, 'expected a source');
  const unasked = (['requestPrincipals', 'notRequestPrincipals', 'trustDomains', 'notTrustDomains'] as const)
    .filter((field) => source[field] !== undefined)
    .map((field) => unreadable(c, `${path}.${field}`, /trust/i.test(field) ? NO_TRUST : NO_TOKENS));
  return all([
    asks(source.principals, source.notPrincipals, principal(c)),
    asks(source.namespaces, source.notNamespaces, text({ of: 'source.namespace' })),
    asks(source.serviceAccounts, source.notServiceAccounts, account(c)),
    cidrs('source.ip', source.ipBlocks, source.notIpBlocks),
    cidrs('remote.ip', source.remoteIpBlocks, source.notRemoteIpBlocks),
    ...unasked,
  ]);
}

const NO_TRUST = 'callers have no trust domain so far';

/** Ports of a listener that has one are decided here; `not` turns the side it errs to round. */
const ports =
  (c: RuleContext, refuses: boolean): Ask =>
  (value) =>
    portIn(c.place, [Number(value)], refuses);

const path: Ask = (value) =>
  value.includes('{') ? { kind: 'path-template', template: value } : text({ of: 'request.path' })(value);

function compileOperation(operation: Operation | undefined, where: string, c: RuleContext): Predicate {
  if (operation === undefined) return unreadable(c, where, 'expected an operation');
  return all([
    asks(operation.hosts, operation.notHosts, text({ of: 'request.host' }, true)),
    asks(operation.ports, operation.notPorts, ports(c, c.refuses), ports(c, !c.refuses)),
    asks(operation.methods, operation.notMethods, text({ of: 'request.method' })),
    asks(operation.paths, operation.notPaths, path),
  ]);
}

function compileCondition({ key, values, notValues }: Condition, where: string, c: RuleContext): Predicate {
  if (!values?.length && !notValues?.length) return unreadable(c, where, 'expected values or notValues');
  const [, name = '', inner = ''] = /^([^[\]]+)(?:\[(.+)\])?$/.exec(key) ?? [];
  switch (name) {
    case 'request.headers':
      return asks(values, notValues, text({ of: 'request.header', name: inner.toLowerCase() }));
    case 'source.labels':
      return asks(values, notValues, text({ of: 'source.label', name: inner }));
    case 'destination.labels':
      return asks(values, notValues, (value) => known(fits(c.labels, inner, value)));
    case 'source.ip':
    case 'remote.ip':
    case 'destination.ip':
      return cidrs(name, values, notValues);
    case 'source.namespace':
    case 'connection.sni':
      return asks(values, notValues, text({ of: name }));
    case 'source.principal':
      return asks(values, notValues, principal(c));
    case 'source.serviceAccount':
      return asks(values, notValues, account(c));
    case 'destination.port':
      return asks(values, notValues, ports(c, c.refuses), ports(c, !c.refuses));
    default:
      return unreadable(c, `${where}.key`, `"${key}" cannot be asked so far`);
  }
}

/** This proxy's own labels are known. */
function fits(labels: Readonly<Record<string, string>>, name: string, pattern: string): boolean {
  if (!Object.hasOwn(labels, name)) return false;
  const value = labels[name]!;
  const match = compilePattern(pattern);
  switch (match.kind) {
    case 'present':
      return value !== '';
    case 'prefix':
      return value.startsWith(match.value);
    case 'suffix':
      return value.endsWith(match.value);
    case 'exact':
    case 'regex':
      return value === match.value;
  }
}

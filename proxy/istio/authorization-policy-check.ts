/** What an AuthorizationPolicy must keep to beyond its schema (Istio's ValidateAuthorizationPolicy and security.ValidateAttribute). */
import type {
  AuthorizationPolicySpec,
  AuthorizationRule,
  Condition,
  Operation,
  Source,
} from './authorization-policy.ts';
import { checkCondition } from './condition-check.ts';
import { pathFault } from './path-template.ts';
import type { Report } from './report.ts';
import type { Meta } from './resource.ts';
import type { Check } from './schema.ts';
import { shown } from './shown.ts';

export const checkAuthorizationPolicy: Check<AuthorizationPolicySpec> = (spec, report, meta) => {
  const { action = 'ALLOW', rules } = spec;
  checkDryRun(meta, report);
  if (action === 'DENY' && (rules === undefined || rules.length === 0)) {
    report.at('rules').error('is required: DENY action without `rules` is meaningless as it will never be triggered');
  }
  for (const [i, rule] of (rules ?? []).entries()) {
    const at = report.at('rules', i);
    checkRule(rule, at);
    if (action === 'DENY' && asksHttpAlone(rule)) {
      at.warning('denies every TCP connection: of this rule only HTTP attributes are given, and TCP has none of them');
    }
  }
};

/** Istio only counts what such a policy would have done; enforcing it instead would be worse than refusing it. */
function checkDryRun({ annotations = {} }: Meta, report: Report): void {
  const value = annotations['istio.io/dry-run'];
  const at = report.elsewhere('metadata', 'annotations', 'istio.io/dry-run');
  if (value === undefined || value === 'false') return;
  if (value === 'true') at.error('not supported: Lateen does not try policies without enforcing them so far');
  else at.error(`expected "true" or "false", got ${shown(value)}`);
}

function checkRule({ from, to, when = [] }: AuthorizationRule, report: Report): void {
  checkAlternatives(from, 'source', report.at('from'), checkSource);
  checkAlternatives(to, 'operation', report.at('to'), checkOperation);
  for (const [i, condition] of when.entries()) checkCondition(condition, report.at('when', i));
}

/** An empty list, or an empty entry in it, would match everything without saying so. */
function checkAlternatives<K extends string, T extends object>(
  entries: readonly { readonly [key in K]?: T }[] | undefined,
  key: K,
  report: Report,
  check: (value: T, report: Report) => void,
): void {
  if (entries?.length === 0) report.error('must not be empty; leave it out to match everything');
  for (const [i, entry] of (entries ?? []).entries()) {
    const value = entry[key];
    const at = report.at(i, key);
    if (value === undefined) at.error('is required');
    else if (Object.keys(value).length === 0) at.error('must not be empty');
    else check(value, at);
  }
}

function checkSource(source: Source, report: Report): void {
  checkLists(source, report);
  const accounts = source.serviceAccounts ?? source.notServiceAccounts;
  const others = (['principals', 'notPrincipals', 'namespaces', 'notNamespaces'] as const).filter(
    (name) => source[name] !== undefined,
  );
  if (accounts !== undefined && others.length > 0) {
    report.error(`expected serviceAccounts without principals and namespaces, got it beside ${others.join(' and ')}`);
  }
}

function checkOperation(operation: Operation, report: Report): void {
  checkLists(operation, report);
  for (const field of ['paths', 'notPaths'] as const) {
    for (const [i, path] of (operation[field] ?? []).entries()) {
      const fault = pathFault(path);
      if (fault !== null) report.at(field, i).error(`${fault}, got ${shown(path)}`);
    }
  }
}

function checkLists(lists: object, report: Report): void {
  for (const [name, values] of Object.entries(lists)) {
    if (Array.isArray(values) && values.length === 0)
      report.at(name).error('must not be empty; leave it out to match everything');
  }
}

const TCP_SOURCES = [
  'principals',
  'notPrincipals',
  'namespaces',
  'notNamespaces',
  'serviceAccounts',
  'notServiceAccounts',
  'ipBlocks',
  'notIpBlocks',
];

/** Whether all of a rule is about HTTP; on a TCP port it then denies everything. */
function asksHttpAlone({ from = [], to = [], when = [] }: AuthorizationRule): boolean {
  const sources = from.flatMap(({ source = {} }) => Object.keys(source));
  const operations = to.flatMap(({ operation = {} }) => Object.keys(operation));
  if (sources.length + operations.length + when.length === 0) return false;
  const plain =
    sources.some((name) => TCP_SOURCES.includes(name)) ||
    operations.some((name) => name === 'ports' || name === 'notPorts') ||
    when.some(({ key }: Condition) => !key.startsWith('request.'));
  return !plain;
}

/** Mixer's deny rules (rule + denier + checknothing, Istio 1.0) → deny policies at the server. What cannot be read denies more, never less. */
import { parseExpression } from '../istio/mixer-expression.ts';
import type { DenierSpec, HandlerSpec, MixerRuleSpec } from '../istio/mixer.ts';
import type { Resource } from '../istio/resource.ts';
import type { Policy, Predicate } from '../snapshot/authz.ts';
import type { Context } from './context.ts';
import { DENIER_CODE } from './defaults.ts';
import { grpcStatusName, httpStatusOf } from './grpc-status.ts';
import { compileExpression } from './mixer-match.ts';
import { REPORTING } from './mixer-reports.ts';
import { ALWAYS, type AuthzPlace } from './predicate.ts';
import { sourceOf } from './problems.ts';

type MixerRule = Resource<MixerRuleSpec>;

/** What a denial answers, and who says so: `name.namespace` of the handler. */
type Denier = { readonly handler: string; readonly code: number; readonly message: string };

/** Rules of the root namespace are for the whole mesh, others for what is in their namespace (Mixer's config scoping). */
export function compileMixerRules(c: Context, place: AuthzPlace): readonly Policy[] {
  return c.resources
    .list<MixerRuleSpec>('rule')
    .filter(({ metadata }) => metadata.namespace === c.node.namespace || metadata.namespace === c.node.rootNamespace)
    .flatMap((rule) => {
      const denier = c.problems.guard(rule, UNKNOWN_DENIER, () => denierOf(c, rule));
      if (denier === null) return [];
      const when = c.problems.guard(rule, ALWAYS, () => compileMatch(c, rule, place));
      return when.kind === 'never' ? [] : [policyOf(rule, when, denier)];
    });
}

const UNKNOWN_DENIER: Denier = { handler: 'unknown', code: 7, message: '' };

function policyOf(rule: MixerRule, when: Predicate, { handler, code, message }: Denier): Policy {
  return {
    namespace: rule.metadata.namespace,
    name: rule.metadata.name,
    rules: [{ when }],
    reply: { status: httpStatusOf(code), body: `${grpcStatusName(code)}:${handler}:${message}` },
    source: sourceOf(rule, 'spec.match'),
  };
}

function compileMatch(c: Context, rule: MixerRule, place: AuthzPlace): Predicate {
  const text = rule.spec?.match ?? '';
  if (text.trim() === '') return ALWAYS;
  const complain = (at: number, message: string): void =>
    c.problems.error(
      rule,
      'spec.match',
      `at character ${at + 1}: ${message}; the rule denies what it might have meant`,
    );
  const parsed = parseExpression(text);
  if (parsed.ok) return compileExpression(parsed.value, c, place, complain);
  complain(parsed.at, parsed.message);
  return ALWAYS;
}

/** Adapters of Mixer that check requests, and so may deny them. */
const CHECKS = new Set(['denier', 'listchecker', 'opa', 'rbac', 'bypass']);

/** The first action that may deny. Null: the rule only reports. */
function denierOf(c: Context, rule: MixerRule): Denier | null {
  for (const [i, { handler }] of (rule.spec?.actions ?? []).entries()) {
    const path = `spec.actions[${i}].handler`;
    const { adapter, status, found, name } = lookUp(c, rule, handler);
    if (REPORTING.has(adapter)) continue;
    if (!CHECKS.has(adapter)) {
      c.problems.warning(rule, path, `"${handler}" is no denier that is known here; nothing is done with it`);
      continue;
    }
    if (!found)
      c.problems.error(rule, path, `expected an existing handler, got "${handler}"; the rule denies all the same`);
    else if (adapter !== 'denier') {
      c.problems.error(rule, path, `adapter ${adapter} is not supported; the rule denies all it matches`);
    }
    return { handler: name, code: codeOf(status), message: status?.message ?? '' };
  }
  return null;
}

type Status = DenierSpec['status'];
type Handler = { readonly adapter: string; readonly status: Status; readonly found: boolean; readonly name: string };

/** `name.kind`, `name.kind.namespace`; `name` and `name.handler` as Istio 1.1 wrote them. */
function lookUp(c: Context, rule: MixerRule, reference: string): Handler {
  const [name = '', kind = 'handler', namespace = rule.metadata.namespace] = reference.split('.');
  const full = `${name}.${namespace}`;
  const resource = c.resources.get<unknown>(kind, namespace, name);
  if (kind !== 'handler') {
    const spec = (resource?.spec ?? {}) as DenierSpec;
    return { adapter: kind, status: spec.status, found: resource !== undefined, name: full };
  }
  const spec = (resource?.spec ?? {}) as HandlerSpec;
  const params = (spec.params ?? {}) as DenierSpec;
  return {
    adapter: (spec.compiledAdapter ?? '').toLowerCase(),
    status: params.status,
    found: resource !== undefined,
    name: full,
  };
}

/** 0 is OK, which a denier cannot mean. */
const codeOf = (status: Status): number =>
  status?.code === undefined || status.code === 0 ? DENIER_CODE : status.code;

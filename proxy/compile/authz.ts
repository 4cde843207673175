/** Who may reach this workload: AuthorizationPolicies and Mixer's deny rules → policies of one listener. Fails closed. */
import type { AuthorizationPolicySpec } from '../istio/authorization-policy.ts';
import type { Resource } from '../istio/resource.ts';
import type { Authz, Policy, Rule } from '../snapshot/authz.ts';
import { compileRule, type RuleContext } from './authz-rule.ts';
import type { Context } from './context.ts';
import { DENIED } from './defaults.ts';
import { hasLabels } from './matches.ts';
import { compileMixerRules } from './mixer-rules.ts';
import { ALWAYS, type AuthzPlace } from './predicate.ts';
import { sourceOf } from './problems.ts';

type Written = Resource<AuthorizationPolicySpec>;
type Action = 'deny' | 'allow' | 'audit';

/** Policies of the root namespace and of the workload's own are equal in rank. Null: none is for this workload. */
export function compileAuthz(c: Context, place: AuthzPlace): Authz | null {
  const authz: Record<Action, Policy[]> = { deny: [], allow: [], audit: [] };
  for (const policy of c.resources.list<AuthorizationPolicySpec>('AuthorizationPolicy')) {
    const { namespace } = policy.metadata;
    if (namespace !== c.node.namespace && namespace !== c.node.rootNamespace) continue;
    if (!selects(c, policy)) continue;
    const action = actionOf(policy);
    const rules = c.problems.guard(policy, action === 'deny' ? [{ when: ALWAYS }] : [], () =>
      compileRules(c, policy, place, action),
    );
    authz[action].push(policyOf(policy, rules));
  }
  authz.deny.push(...compileMixerRules(c, place));
  return authz.deny.length + authz.allow.length + authz.audit.length === 0 ? null : authz;
}

/** A policy that attaches to a Gateway API resource is never for a plain proxy (pilot/pkg/model/policymatcher.go). */
function selects(c: Context, { spec }: Written): boolean {
  if (spec?.targetRef !== undefined || (spec?.targetRefs?.length ?? 0) > 0) return false;
  return hasLabels(c.node.labels, spec?.selector?.matchLabels);
}

/**
 * CUSTOM asks an external authorizer: while there is none to ask, what it is for is refused, as Istio does without a provider.
 * So is an action that is unknown. A dry run must not change anything.
 */
function actionOf({ metadata, spec }: Written): Action {
  if (metadata.annotations?.['istio.io/dry-run'] === 'true') return 'audit';
  const action = spec?.action ?? 'ALLOW';
  return action === 'ALLOW' ? 'allow' : action === 'AUDIT' ? 'audit' : 'deny';
}

/** No rules at all match nothing: `spec: {}` is an ALLOW policy that allows nothing. */
function compileRules(c: Context, policy: Written, place: AuthzPlace, action: Action): readonly Rule[] {
  if (policy.spec?.action === 'CUSTOM') {
    c.problems.error(
      policy,
      'spec.action',
      'external authorizers are not asked so far; what the rules match is refused',
    );
  }
  const context: RuleContext = {
    refuses: action === 'deny',
    namespace: policy.metadata.namespace,
    trustDomain: c.node.trustDomain,
    labels: c.node.labels,
    place,
    complain: (path, message) => c.problems.error(policy, path, message),
  };
  return (policy.spec?.rules ?? []).map((rule, i) => ({ when: compileRule(rule, `spec.rules[${i}]`, context) }));
}

const policyOf = (policy: Written, rules: readonly Rule[]): Policy => ({
  namespace: policy.metadata.namespace,
  name: policy.metadata.name,
  rules,
  reply: DENIED,
  source: sourceOf(policy, 'spec'),
});

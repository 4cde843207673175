/** The verdict of the policies of a listener: DENY first, then ALLOW (Istio's order). AUDIT never changes it. */
import type { Connection } from '../live/connection.ts';
import type { Exchange } from '../live/exchange.ts';
import { CONTINUE, fail, type Filter, type Reply } from '../live/verdict.ts';
import type { Authz, Policy } from '../snapshot/authz.ts';
import type { SourceRef } from '../snapshot/route.ts';
import { connectionLeaf, type AuthzEnv } from './fact.ts';
import { describePeer } from './peer.ts';
import { requestLeaf } from './request-fact.ts';
import { condition, type MakeLeaf, type Stance, type Test } from './rule.ts';

/** One rule that can hold, linked. */
type Linked<S> = {
  readonly test: Test<S>;
  /** `ns[NS]-policy[NAME]-rule[I]`, as Envoy names it in response code details. */
  readonly id: string;
  readonly policy: Policy;
};

type Denial = { readonly id: string; readonly reply: Reply; readonly source: SourceRef | null; readonly why: string };

/**
 * Judges requests. A denial notes in the exchange who decided and why. The reply for "no ALLOW policy matched" names policy `none`.
 * Path, host and header conditions err on the safe side (see `Stance`).
 */
export function authorizer(authz: Authz, env: AuthzEnv): Filter {
  const judge = judgeOf(authz, requestLeaf(env));
  return (x) => {
    const denial = judge(x);
    return denial === null ? CONTINUE : refuse(x, denial);
  };
}

export type ConnectionDenial = {
  /** As Envoy says it in the access log. */
  readonly details: string;
  readonly why: string;
  readonly source: SourceRef | null;
};

/** Judges connections whose bytes are not read: null permits. */
export function connectionAuthorizer(authz: Authz, env: AuthzEnv): (connection: Connection) => ConnectionDenial | null {
  const judge = judgeOf(authz, connectionLeaf(env));
  return (connection) => {
    const denial = judge(connection);
    if (denial === null) return null;
    const { id, why, source } = denial;
    const details = `rbac_access_denied_matched_policy[${id}]`;
    return { details, why: `${why}: the caller is ${describePeer(connection)}`, source };
  };
}

function judgeOf<S>(authz: Authz, make: MakeLeaf<S>): (subject: S) => Denial | null {
  const deny = linkRules(authz.deny, 'broad', make).map(({ test, id, policy }) => ({
    test,
    denial: denied(id, policy),
  }));
  const allow = linkRules(authz.allow, 'narrow', make).map(({ test }) => test);
  // Without an ALLOW policy everything is allowed; with one that has no rules, nothing is.
  const none = authz.allow.length === 0 ? null : notAllowed(authz.allow);
  return (subject) => {
    for (const { test, denial } of deny) if (test(subject)) return denial;
    if (none === null) return null;
    for (const test of allow) if (test(subject)) return null;
    return none;
  };
}

/** Rules that can never hold are gone. */
function linkRules<S>(policies: readonly Policy[], stance: Stance, make: MakeLeaf<S>): Linked<S>[] {
  const linked: Linked<S>[] = [];
  for (const policy of policies) {
    policy.rules.forEach(({ when }, i) => {
      const known = condition(when, stance, make);
      if (known === false) return;
      const id = `ns[${policy.namespace}]-policy[${policy.name}]-rule[${i}]`;
      linked.push({ test: known === true ? () => true : known, id, policy });
    });
  }
  return linked;
}

function denied(id: string, policy: Policy): Denial {
  const { source, reply } = policy;
  const rule = id.slice(id.lastIndexOf('[') + 1, -1);
  return {
    id,
    reply: fail({ kind: 'denied', policy: id, status: reply.status, body: reply.body }),
    source,
    why: `denied by ${source.kind} ${policy.namespace}/${policy.name}, rule ${rule}`,
  };
}

function notAllowed(policies: readonly Policy[]): Denial {
  const names = policies.slice(0, 3).map(({ namespace, name }) => `${namespace}/${name}`);
  const more = policies.length > names.length ? ` and ${policies.length - names.length} more` : '';
  return {
    id: 'none',
    reply: fail({ kind: 'denied', policy: 'none', status: 403, body: 'RBAC: access denied' }),
    source: policies[0]?.source ?? null,
    why: `not allowed by any ALLOW policy of this workload (${names.join(', ')}${more})`,
  };
}

function refuse(x: Exchange, { reply, source, why }: Denial): Reply {
  x.decidedBy = source;
  x.reason = `${why}: the caller is ${describePeer(x.connection)}`;
  return reply;
}

/** Which DestinationRule holds for a service as this proxy calls it: lookup by tiers, merging of rules for one host. */
import type { DestinationRuleSpec, Subset, TrafficPolicy } from '../istio/destination-rule.ts';
import type { Resource, ResourceSet } from '../istio/resource.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import { HostMap, resolveHost } from './hosts.ts';
import { hasLabels } from './matches.ts';
import type { MeshService } from './mesh-service.ts';
import { exportedTo } from './visibility.ts';

/** One or several DestinationRules for a host, merged: the first traffic policy, all subsets by name. */
export type MergedRule = {
  readonly policy: { readonly value: TrafficPolicy; readonly resource: Resource } | null;
  readonly subsets: readonly { readonly value: Subset; readonly index: number; readonly resource: Resource }[];
  /** Of the clients it is for. Null: all. */
  readonly selector: Readonly<Record<string, string>> | null;
  readonly exportTo: readonly string[];
  /** The first of them. */
  readonly resource: Resource;
};

type Rule = Resource<DestinationRuleSpec>;
/** By host; several where selectors or exportTo keep rules apart. */
type Pool = HostMap<MergedRule[]>;

export class DestinationRules {
  readonly #node: ProxyNode;
  readonly #suffix: string;
  readonly #rules = new Map<string, Rule[]>();
  readonly #pools = new Map<string, Pool>();

  constructor(resources: ResourceSet, node: ProxyNode, suffix: string) {
    this.#node = node;
    this.#suffix = suffix;
    for (const rule of resources.list<DestinationRuleSpec>('DestinationRule')) {
      if (typeof rule.spec?.host !== 'string') continue;
      const list = this.#rules.get(rule.metadata.namespace);
      if (list === undefined) this.#rules.set(rule.metadata.namespace, [rule]);
      else list.push(rule);
    }
  }

  /**
   * The first namespace with a rule for the host decides, and nothing is inherited from the others: the client's own, then the
   * service's, then the root namespace, the latter two if exported to the client (push_context.go destinationRule).
   */
  find(service: MeshService): MergedRule | null {
    const { namespace, rootNamespace } = this.#node;
    for (const tier of new Set([namespace, service.namespace, rootNamespace])) {
      const candidates = this.#pool(tier, tier !== namespace).find(service.host);
      if (candidates !== undefined) return this.#pick(candidates);
    }
    return null;
  }

  #pick(candidates: readonly MergedRule[]): MergedRule | null {
    return (
      candidates.find((r) => r.selector !== null && hasLabels(this.#node.labels, r.selector)) ??
      candidates.find((r) => r.selector === null) ??
      null
    );
  }

  #pool(namespace: string, foreign: boolean): Pool {
    const key = `${foreign ? '+' : '.'}${namespace}`;
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    const rules = this.#rules.get(namespace) ?? [];
    const usable = foreign
      ? rules.filter((r) => selectorOf(r) === null && exportedTo(r.spec.exportTo, namespace, this.#node.namespace))
      : rules;
    const pool = mergeAll(usable, namespace, this.#suffix);
    this.#pools.set(key, pool);
    return pool;
  }
}

function selectorOf(rule: Rule): Readonly<Record<string, string>> | null {
  const labels = rule.spec.workloadSelector?.matchLabels;
  return labels === undefined || Object.keys(labels).length === 0 ? null : labels;
}

/** Rules with a selector first, so that those without fill them in (destination_rule.go mergeDestinationRule). */
function mergeAll(rules: readonly Rule[], namespace: string, suffix: string): Pool {
  const pool: Pool = new HostMap();
  const byHost = new Map<string, MergedRule[]>();
  for (const rule of [...rules.filter((r) => selectorOf(r) !== null), ...rules.filter((r) => selectorOf(r) === null)]) {
    const host = resolveHost(rule.spec.host, namespace, suffix);
    const merged = byHost.get(host) ?? [];
    if (!byHost.has(host)) {
      byHost.set(host, merged);
      pool.add(host, merged);
    }
    mergeInto(merged, rule);
  }
  return pool;
}

function mergeInto(merged: MergedRule[], rule: Rule): void {
  const fresh = single(rule);
  let apart = true;
  for (const [i, known] of merged.entries()) {
    const sameSelector = JSON.stringify(known.selector) === JSON.stringify(fresh.selector);
    if (!sameSelector && fresh.selector !== null) continue;
    const reach = compareReach(known.exportTo, fresh.exportTo);
    if (reach === 'other') continue;
    merged[i] = filledIn(known, fresh);
    // A rule without a selector fills in the others and stands for itself too; so does one that reaches further.
    if (sameSelector && reach === 'same') apart = false;
  }
  if (apart) merged.push(fresh);
}

function single(rule: Rule): MergedRule {
  const policy = rule.spec.trafficPolicy;
  return {
    policy: policy === undefined ? null : { value: policy, resource: rule },
    subsets: (rule.spec.subsets ?? []).map((value, index) => ({ value, index, resource: rule })),
    selector: selectorOf(rule),
    exportTo: rule.spec.exportTo ?? [],
    resource: rule,
  };
}

/** The older keeps its traffic policy and its subsets; the newer adds what is missing. */
function filledIn(older: MergedRule, newer: MergedRule): MergedRule {
  const names = new Set(older.subsets.map((s) => s.value.name));
  return {
    ...older,
    policy: older.policy ?? newer.policy,
    subsets: [...older.subsets, ...newer.subsets.filter((s) => !names.has(s.value.name))],
  };
}

function compareReach(older: readonly string[], newer: readonly string[]): 'same' | 'further' | 'other' {
  const [a, b] = [older, newer].map((list) => new Set(list.length === 0 ? ['*'] : list)) as [Set<string>, Set<string>];
  if (!a.isSubsetOf(b)) return 'other';
  return a.size === b.size ? 'same' : 'further';
}

/** DestinationRules against the rest: unknown hosts (IST0174), and subsets that routes use but nothing runs for (IST0173). */
import { analyzeTargets } from './analyze-target.ts';
import { endpointLabels, serviceOf, type DestinationRuleView, type Findings } from './findings.ts';
import { hostMatches, isWildcard } from './hosts.ts';
import { hasLabels } from './matches.ts';

export function analyzeDestinationRules(f: Findings): void {
  const used = analyzeTargets(f);
  for (const view of f.destinationRules) {
    checkHost(f, view);
    checkSubsets(f, view, used);
  }
}

function checkHost(f: Findings, { resource, host }: DestinationRuleView): void {
  if (f.services.length === 0 || host === '*') return;
  const known = isWildcard(host) ? f.services.some((s) => hostMatches(host, s.host)) : serviceOf(f, host) !== undefined;
  if (known) return;
  const message = `The host ${resource.spec.host} defined in the DestinationRule does not match any services in the mesh.`;
  f.problems.add('warning', resource, 'spec.host', message, 'IST0174');
}

/**
 * Istio reports every subset without pods; that would be said of BookInfo's own destination-rule-all.yaml. A subset nobody routes
 * to does no harm, so only the others are told.
 */
function checkSubsets(f: Findings, { resource, host }: DestinationRuleView, used: ReadonlySet<string>): void {
  for (const [i, subset] of (resource.spec.subsets ?? []).entries()) {
    if (!used.has(`${host}|${subset.name}`)) continue;
    const service = serviceOf(f, host);
    const labels = service === undefined ? null : endpointLabels(f, service);
    if (labels === null || labels.some((l) => hasLabels(l, subset.labels))) continue;
    const message = `The Subset ${subset.name} defined in the DestinationRule does not select any pods.`;
    f.problems.add('warning', resource, `spec.subsets[${i}]`, message, 'IST0173');
  }
}

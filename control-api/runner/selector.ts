/** Which labels a selector selects. */
import type { LabelSelector } from './object.ts';

type Labels = Readonly<Record<string, string>> | undefined;

/** Plain equality, as Services select. An empty selector selects nothing. */
export function matchesLabels(selector: Labels, labels: Labels): boolean {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels?.[key] === value);
}

/** As Deployments and ReplicaSets select (LabelSelector of the Kubernetes API). An empty one selects nothing. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels): boolean {
  const { matchLabels, matchExpressions = [] } = selector ?? {};
  if (Object.keys(matchLabels ?? {}).length === 0 && matchExpressions.length === 0) return false;
  if (matchLabels !== undefined && Object.entries(matchLabels).some(([key, value]) => labels?.[key] !== value))
    return false;
  return matchExpressions.every(({ key, operator, values = [] }) => {
    const value = labels?.[key];
    if (operator === 'In') return value !== undefined && values.includes(value);
    if (operator === 'NotIn') return value === undefined || !values.includes(value);
    if (operator === 'Exists') return value !== undefined;
    return operator === 'DoesNotExist' && value === undefined;
  });
}

/** Rules of a VirtualService that no request comes to, because rules before them take all of it (IST0130, IST0131). */
import type { HttpRoute } from '../istio/virtual-service.ts';
import type { HttpMatchRequest } from '../istio/http-match.ts';
import type { Resource } from '../istio/resource.ts';
import type { Findings } from './findings.ts';
import { compileRouteMatch, isCatchAll } from './matches.ts';

export function analyzeReach(f: Findings): void {
  for (const { resource } of f.virtualServices) {
    checkRules(f, resource, resource.spec?.http ?? []);
    checkConnections(f, resource, 'tls', resource.spec?.tls ?? []);
    checkConnections(f, resource, 'tcp', resource.spec?.tcp ?? []);
  }
}

/** Of rules for connections only those are compared that are written alike (analyzeUnreachableTLSRules, analyzeUnreachableTCPRules). */
function checkConnections(
  f: Findings,
  resource: Resource,
  kind: 'tls' | 'tcp',
  rules: readonly { readonly match?: readonly object[] }[],
): void {
  const earlier = new Map<string, number>();
  let open = false;
  for (const [i, { match: matches = [] }] of rules.entries()) {
    const path = `spec.${kind}[${i}]`;
    const unused = (reason: string): void =>
      f.problems.add('warning', resource, path, `VirtualService rule #${i} not used (${reason}).`, 'IST0130');
    if (matches.length === 0 || open) {
      if (open)
        unused(
          matches.length === 0 ? 'only the last rule can have no matches' : 'route without matches defined before',
        );
      open = true;
      continue;
    }
    const taken = matches.filter((match, j) => {
      const key = JSON.stringify(ordered(match));
      const by = earlier.get(key);
      if (by === undefined) earlier.set(key, i);
      else {
        const message = `VirtualService rule #${i} match #${j} is not used (duplicate/overlapping match in rule #${by}).`;
        f.problems.add('warning', resource, `${path}.match[${j}]`, message, 'IST0131');
      }
      return by !== undefined;
    });
    if (taken.length === matches.length) unused('all matches used by prior rules');
  }
}

/** Everything about the caller and the port, which narrows a match before any request comes. */
const isScoped = (m: HttpMatchRequest): boolean =>
  m.port !== undefined || m.gateways !== undefined || m.sourceLabels !== undefined || m.sourceNamespace !== undefined;

const takesAll = (m: HttpMatchRequest): boolean => !isScoped(m) && isCatchAll(compileRouteMatch(m));

type Earlier = { readonly rule: number; readonly key: string; readonly prefix: string | null };

function checkRules(f: Findings, resource: Resource, rules: readonly HttpRoute[]): void {
  const earlier: Earlier[] = [];
  let last: number | null = null;
  for (const [i, rule] of rules.entries()) {
    const name = rule.name === undefined || rule.name === '' ? `#${i}` : `"${rule.name}"`;
    const path = `spec.http[${i}]`;
    if (last !== null) {
      const message = `VirtualService rule ${name} not used (rule #${last} before it matches every request).`;
      f.problems.add('warning', resource, path, message, 'IST0130');
      continue;
    }
    const matches = rule.match ?? [];
    if (matches.length === 0 || matches.some(takesAll)) last = i;
    const taken = matches.map((match, j) => {
      const by = takenBy(match, earlier);
      if (by === null) return false;
      const message = `VirtualService rule ${name} match #${j} is not used (duplicate/overlapping match in rule #${by}).`;
      f.problems.add('warning', resource, `${path}.match[${j}]`, message, 'IST0131');
      return true;
    });
    if (taken.length > 0 && taken.every(Boolean)) {
      const message = `VirtualService rule ${name} not used (all matches used by prior rules).`;
      f.problems.add('warning', resource, path, message, 'IST0130');
    }
    for (const match of matches) earlier.push({ rule: i, key: keyOf(match), prefix: onlyPrefix(match) });
  }
}

/** The same match, or a prefix alone that this path begins with. */
function takenBy(match: HttpMatchRequest, earlier: readonly Earlier[]): number | null {
  const key = keyOf(match);
  const { uri } = match;
  const start = isScoped(match) || match.ignoreUriCase === true ? undefined : (uri?.prefix ?? uri?.exact);
  const by = earlier.find((e) => e.key === key || (e.prefix !== null && start?.startsWith(e.prefix) === true));
  return by?.rule ?? null;
}

/** Of a match that asks for nothing but a path's beginning. */
function onlyPrefix(match: HttpMatchRequest): string | null {
  if (isScoped(match) || match.ignoreUriCase === true) return null;
  const { path, ...others } = compileRouteMatch(match);
  return path?.kind === 'prefix' && isCatchAll({ ...others, path: null }) ? path.value : null;
}

/** Names do not matter, nor does the order in which a match was written. */
const keyOf = ({ name: _name, ...match }: HttpMatchRequest): string => JSON.stringify(ordered(match));

const ordered = (value: unknown): unknown =>
  typeof value !== 'object' || value === null || Array.isArray(value)
    ? value
    : Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, inner]) => [key, ordered(inner)]);

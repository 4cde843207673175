/** Rules on hosts, visibility and destinations that several Istio kinds share. */
import { fqdn, isIp, wildcardHost } from './format.ts';
import type { Report } from './report.ts';
import type { Meta } from './resource.ts';
import type { Destination } from './selector.ts';
import { shown } from './shown.ts';

/** `.` and the own namespace are the same; `*` says it all; `~` (nobody) stands alone, and only where `nobody` allows it. */
export function checkExportTo(
  exportTo: readonly string[] | undefined,
  report: Report,
  meta: Meta,
  nobody = false,
): void {
  const seen = new Set<string>();
  for (const [i, entry] of (exportTo ?? []).entries()) {
    const at = report.at('exportTo', i);
    const namespace = entry === '.' ? meta.namespace : entry;
    if (seen.has(namespace)) at.error(`expected each namespace once, got ${shown(entry)} again`);
    if (entry === '~' && !nobody) at.error('expected a namespace, `.` or `*`; `~` is for ServiceEntry');
    seen.add(namespace);
  }
  for (const alone of ['*', '~']) {
    if (seen.has(alone) && seen.size > 1)
      report.at('exportTo').error(`expected \`${alone}\` alone, got ${(exportTo ?? []).join(', ')}`);
  }
}

/** A host that may be a wildcard, or an address where `addresses` allows it. */
export function checkHost(host: string, report: Report, addresses = false): void {
  if (addresses && isIp(host)) return;
  const expected = wildcardHost(host);
  if (expected !== null) report.error(`expected ${expected}, got ${shown(host)}`);
  else if (/^\*[^.]/.test(host))
    report.warning(`has \`*\` in the midst of a label: ${shown(host)} fits every name that ends so`);
}

export function checkDestination(destination: Destination, report: Report): void {
  const { host, subset } = destination;
  const expected = isIp(host) ? null : fqdn(host);
  if (expected !== null) report.at('host').error(`expected ${expected}, got ${shown(host)}`);
  if (subset === '') report.at('subset').error('expected the name of a subset, got ""');
}

/** Whether some name is meant by both; `*.a.com` and `*.com` overlap, `*.a.com` and `a.com` do not. */
export function overlap(a: string, b: string): boolean {
  if (a.startsWith('*') && b.startsWith('*')) return a.slice(1).endsWith(b.slice(1)) || b.slice(1).endsWith(a.slice(1));
  if (a.startsWith('*')) return matches(a, b);
  return b.startsWith('*') ? matches(b, a) : a.toLowerCase() === b.toLowerCase();
}

/** Whether the wildcard stands for the name. */
const matches = (wildcard: string, name: string): boolean =>
  name.length > wildcard.length - 1 && name.toLowerCase().endsWith(wildcard.slice(1).toLowerCase());

/** Reports every item whose key was there before. */
export function checkUnique<T>(
  items: readonly T[],
  keyOf: (item: T) => string | undefined,
  tell: (index: number, key: string) => void,
): void {
  const seen = new Set<string>();
  for (const [i, item] of items.entries()) {
    const key = keyOf(item);
    if (key === undefined) continue;
    if (seen.has(key)) tell(i, key);
    seen.add(key);
  }
}

/**
 * Which of a pod's outgoing connections its sidecar takes: Istio's annotations `traffic.sidecar.istio.io/…`
 * (https://istio.io/latest/docs/reference/config/annotations/), read, checked, and said as a `no_proxy` list for pods without iptables.
 */
import { isIp, portNumber } from './format.ts';
import { bypassed, parseRange, type Range } from './ip-range.ts';
import type { Report } from './report.ts';
import { shown } from './shown.ts';

const PREFIX = 'traffic.sidecar.istio.io/';
const RANGES = ['includeOutboundIPRanges', 'excludeOutboundIPRanges'] as const;
const PORTS = ['includeOutboundPorts', 'excludeOutboundPorts'] as const;

/** Of the whole mesh, where a pod says nothing (Istio: `global.proxy.includeIPRanges`, `excludeIPRanges`). */
export type OutboundRanges = {
  /** `*`, or ranges with commas between; "" takes nothing. */
  readonly include: string;
  readonly exclude: string;
};
export const ALL_OUTBOUND: OutboundRanges = { include: '*', exclude: '' };

type Annotations = Readonly<Record<string, string>> | undefined;

/** Longer would come near to what one environment variable may hold (128 KiB on Linux, MAX_ARG_STRLEN). */
const MOST_CHARACTERS = 64 * 1024;

/** Each annotation that cannot be read is an error at its place. */
export function checkInterception(annotations: Annotations, report: Report): void {
  let readable = true;
  const check = (names: readonly string[], problemOf: (text: string, name: string) => string | null): void => {
    for (const name of names) {
      const text = annotations?.[PREFIX + name];
      const problem = text === undefined ? null : problemOf(text, name);
      if (problem === null) continue;
      readable = false;
      report.at(PREFIX + name).error(problem);
    }
  };
  check(RANGES, (text, name) => rangesProblem(text, name === 'includeOutboundIPRanges'));
  check(PORTS, portsProblem);
  if (readable && noProxyOf(annotations, ALL_OUTBOUND).length > MOST_CHARACTERS)
    report.error('expected fewer IP ranges: what is not included comes to more than an environment variable can hold');
}

/** What is wrong with a list of ranges; null: nothing. `star`: `*` may stand for all. */
export function rangesProblem(text: string, star: boolean): string | null {
  if (text.trim() === '' || (star && text.trim() === '*')) return null;
  const bad = itemsOf(text).find((item) => parseRange(item) === null);
  if (bad === undefined) return null;
  const why = bad === '*' && star ? '; * stands alone' : '';
  return `expected ${star ? '*, or ' : ''}IP ranges such as 10.0.0.0/8 with commas between, got ${shown(bad)}${why}`;
}

function portsProblem(text: string): string | null {
  const bad = itemsOf(text).find((item) => portNumber(item) !== null);
  return bad === undefined ? null : `expected ports from 1 to 65535 with commas between, got ${shown(bad)}`;
}

/**
 * `no_proxy` of a pod's applications: destinations that they reach without their sidecar. Excluded ranges, and what is not in the
 * included ones, as CIDR ranges; excluded ports as `*:3306`; and, as in Istio's iptables rules, an included port is taken whatever its
 * address: `!*:3306`, which clients that do not know it overlook; the first entry that names a destination counts. A name matches none of the ranges, so calls to services go through
 * the mesh. What cannot be read counts as not said.
 */
export function noProxyOf(annotations: Annotations, mesh: OutboundRanges): string {
  const said = (name: string, otherwise: string): string => annotations?.[PREFIX + name] ?? otherwise;
  const include = readable(said('includeOutboundIPRanges', mesh.include), true, '*');
  const exclude = readable(said('excludeOutboundIPRanges', mesh.exclude), false, '');
  const ports = (name: string): readonly string[] => itemsOf(said(name, '')).filter((p) => portNumber(p) === null);
  const restricted = include.trim() !== '*';
  const outside = restricted ? bypassed(rangesOf(include)) : [];
  return [
    ...itemsOf(exclude).map((range) => (isIp(range) ? `${range}/${range.includes(':') ? 128 : 32}` : range)),
    ...ports('excludeOutboundPorts').map((port) => `*:${port}`),
    ...(restricted ? ports('includeOutboundPorts').map((port) => `!*:${port}`) : []),
    ...outside,
  ].join(',');
}

const readable = (text: string, star: boolean, otherwise: string): string =>
  rangesProblem(text, star) === null ? text : otherwise;

const rangesOf = (text: string): readonly Range[] =>
  itemsOf(text)
    .map(parseRange)
    .filter((range) => range !== null);

const itemsOf = (text: string): readonly string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

/** The suites in the order of the page, and the names by which they are chosen. */
import { BODIES } from './bodies.ts';
import { COMPARE } from './compare.ts';
import { CONNECTIONS } from './connections.ts';
import { FEATURES_SUITE } from './features.ts';
import { ISTIO } from './istio.ts';
import { LATENCY } from './latency.ts';
import { MEMORY } from './memory.ts';
import { ROUTES } from './routes.ts';
import type { Suite } from './suite.ts';
import { TCP } from './tcp.ts';
import { WORKERS } from './workers.ts';

/** Data goes from `run` to `section` and `plots` of the same suite only. */
// oxlint-disable-next-line typescript/no-explicit-any -- each suite has data of its own; nobody else looks into it
export type AnySuite = Suite<any>;

export const SUITES: readonly AnySuite[] = [
  COMPARE,
  LATENCY,
  ISTIO,
  ROUTES,
  CONNECTIONS,
  BODIES,
  TCP,
  WORKERS,
  MEMORY,
  FEATURES_SUITE,
];

const GROUPS: Readonly<Record<string, readonly string[]>> = { curves: ['routes', 'connections'], fortio: ['istio'] };

/** Suites by their ids or groups, in the order of the page; all when none is named. Throws on a name that is none. */
export function suitesNamed(names: readonly string[]): readonly AnySuite[] {
  const ids = names.flatMap((name) => GROUPS[name] ?? [name]);
  const unknown = ids.find((id) => !SUITES.some((suite) => suite.id === id));
  if (unknown !== undefined)
    throw new Error(
      `--suite: no suite "${unknown}"; there are ${[...SUITES.map(({ id }) => id), ...Object.keys(GROUPS)].join(', ')}`,
    );
  return ids.length === 0 ? SUITES : SUITES.filter(({ id }) => ids.includes(id));
}

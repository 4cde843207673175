/** Which access logs a proxy writes, one a provider (pilot/pkg/model/telemetry.go: mergeLogs). */
import type { AccessLogging } from '../istio/telemetry.ts';
import { LOG_PERCENT, percentOf } from '../istio/telemetry-annotation.ts';
import type { Expression } from '../core/expression.ts';
import type { SourceRef } from '../snapshot/route.ts';
import type { LogSettings, TwoSided } from '../snapshot/telemetry.ts';
import { compileCondition } from './cel.ts';
import type { Context } from './context.ts';
import type { MeshTelemetry } from './mesh-telemetry.ts';
import { sourceOf } from './problems.ts';
import { checkProviders, providerNames, sidesOf, type Level, type Side } from './telemetry-level.ts';

type Entry = {
  readonly sides: readonly Side[];
  /** Null: those of the entry before it. */
  readonly names: readonly string[] | null;
  readonly disabled: boolean;
  /** Undefined: nothing is said. Null: none, where one was wanted and cannot be read: everything is logged. */
  readonly filter: Expression | null | undefined;
  /** Null: nothing is said. */
  readonly percent: number | null;
  readonly source: SourceRef;
};

export function compileLogs(
  c: Context,
  mesh: MeshTelemetry,
  levels: readonly Level[],
): TwoSided<readonly LogSettings[]> {
  const entries = levels.map((level) => c.problems.guard(level, [], () => entriesOf(c, mesh, level)));
  return { client: merged(mesh, entries, 'client'), server: merged(mesh, entries, 'server') };
}

function entriesOf(c: Context, mesh: MeshTelemetry, level: Level): readonly Entry[] {
  const percent = percentOf(level.metadata.annotations?.[LOG_PERCENT] ?? '');
  return (level.spec?.accessLogging ?? []).map((entry, i) => {
    const path = `spec.accessLogging[${i}]`;
    checkProviders(c, mesh, level, path, entry, 'log');
    return {
      sides: sidesOf(entry.match),
      names: providerNames(entry),
      disabled: entry.disabled ?? false,
      filter: filterOf(c, level, entry, path),
      percent,
      source: sourceOf(level, path),
    };
  });
}

function filterOf(c: Context, level: Level, { filter }: AccessLogging, path: string): Expression | null | undefined {
  const text = filter?.expression ?? '';
  if (text === '') return undefined;
  const complain = (message: string): void =>
    c.problems.error(level, `${path}.filter.expression`, `${message}; everything is logged`);
  return compileCondition(text, complain);
}

/** The providers of the innermost level that names any are in scope; what other levels say counts for these alone. */
function merged(mesh: MeshTelemetry, levels: readonly (readonly Entry[])[], side: Side): readonly LogSettings[] {
  const defaults = mesh.defaults.accessLogging?.map((name) => name.toLowerCase()) ?? null;
  // Nothing is said of this side: as without resources.
  if (!levels.some((entries) => entries.some(({ sides }) => sides.includes(side)))) {
    const names = defaults ?? (mesh.logs ? ['envoy'] : []);
    return written(mesh, new Map(names.map((name) => [name, null])));
  }
  const standing = new Map<string, Entry>();
  let inherited: readonly string[] = defaults ?? ['envoy'];
  const named = levels.map((entries) => namesIn(entries, side)).findLast((names) => names.length > 0);
  const scope = new Set(named ?? inherited);
  for (const entry of levels.flat()) {
    inherited = entry.names ?? inherited;
    if (!entry.sides.includes(side)) continue;
    for (const name of inherited) {
      if (!scope.has(name)) continue;
      const before = standing.get(name);
      // Who names a provider says all of it; who does not, changes what it says.
      const filter = entry.filter === undefined && entry.names === null ? before?.filter : entry.filter;
      standing.set(name, { ...entry, filter, percent: entry.percent ?? before?.percent ?? null });
    }
  }
  return written(mesh, standing);
}

const namesIn = (entries: readonly Entry[], side: Side): readonly string[] =>
  entries.flatMap(({ sides, names }) => (sides.includes(side) ? (names ?? []) : []));

/** By name of the provider, as Istio orders them. */
function written(mesh: MeshTelemetry, standing: ReadonlyMap<string, Entry | null>): readonly LogSettings[] {
  return [...standing]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, entry]) => {
      const provider = mesh.providers.get(name);
      if (provider?.kind !== 'log' || entry?.disabled === true) return [];
      const { format, path } = provider;
      return [
        { format, filter: entry?.filter ?? null, percent: entry?.percent ?? 100, path, source: entry?.source ?? null },
      ];
    });
}

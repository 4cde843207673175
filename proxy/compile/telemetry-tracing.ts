/** What of a proxy's requests is traced: the mesh's settings, over them each Telemetry resource's entries (pilot: Telemetries.Tracing). */
import { parseDuration } from '../core/duration.ts';
import { formatProblem } from '../core/log-format.ts';
import type { Tracing } from '../istio/telemetry.ts';
import { KEEP_ERRORS, KEEP_SLOWER_THAN } from '../istio/telemetry-annotation.ts';
import type { CustomTag, TracingSettings, TwoSided } from '../snapshot/telemetry.ts';
import type { Context } from './context.ts';
import type { MeshTelemetry } from './mesh-telemetry.ts';
import { checkProviders, providerNames, sidesOf, type Level } from './telemetry-level.ts';

type Sides = { client: TracingSettings; server: TracingSettings };
type Change = Partial<TracingSettings>;

export function compileTracing(c: Context, mesh: MeshTelemetry, levels: readonly Level[]): TwoSided<TracingSettings> {
  const start = meshTracing(c, mesh, levels);
  const sides: Sides = { client: start, server: start };
  for (const level of levels) {
    const kept = c.problems.guard(level, {}, () => keptOf(level));
    for (const side of ['client', 'server'] as const) sides[side] = { ...sides[side], ...kept };
    for (const [i, entry] of (level.spec?.tracing ?? []).entries()) {
      const change = c.problems.guard(level, {}, () => changeOf(c, mesh, level, entry, `spec.tracing[${i}]`));
      for (const side of sidesOf(entry.match)) sides[side] = { ...sides[side], ...change };
    }
  }
  return { client: withMeshTags(sides.client, mesh), server: withMeshTags(sides.server, mesh) };
}

/** `enableTracing: false` counts only where neither Telemetry resources nor default providers say anything. */
function meshTracing(c: Context, mesh: MeshTelemetry, levels: readonly Level[]): TracingSettings {
  const [first] = mesh.defaults.tracing ?? [];
  const said = first !== undefined || levels.some(({ spec }) => (spec?.tracing?.length ?? 0) > 0);
  const { percent, istioTags, maxPathLength, enabled } = mesh.tracing;
  return {
    percent,
    reported: said ? first === undefined || isTraces(mesh, first) : enabled,
    propagated: true,
    byRequestId: true,
    istioTags: said || istioTags,
    tags: [],
    keepErrors: false,
    keepSlowerThan: null,
    ...(maxPathLength === null ? {} : { maxPathLength }),
  };
}

const isTraces = (mesh: MeshTelemetry, name: string): boolean =>
  mesh.providers.get(name.toLowerCase())?.kind === 'traces';

function changeOf(c: Context, mesh: MeshTelemetry, level: Level, entry: Tracing, path: string): Change {
  checkProviders(c, mesh, level, path, entry, 'traces');
  const [provider] = providerNames(entry) ?? [];
  const { disableSpanReporting: unreported, disableContextPropagation: unpropagated } = entry;
  // A provider that is unknown takes no spans (pilot: a spec without a provider is disabled).
  const known = provider === undefined ? {} : { reported: isTraces(mesh, provider) };
  return {
    ...known,
    ...(unreported === undefined || (!unreported && known.reported === false) ? {} : { reported: !unreported }),
    ...(entry.randomSamplingPercentage === undefined ? {} : { percent: entry.randomSamplingPercentage }),
    ...(entry.useRequestIdForTraceSampling === undefined ? {} : { byRequestId: entry.useRequestIdForTraceSampling }),
    ...(entry.enableIstioTags === undefined ? {} : { istioTags: entry.enableIstioTags }),
    ...(unpropagated === undefined ? {} : { propagated: !unpropagated }),
    ...(entry.customTags === undefined ? {} : { tags: tagsOf(c, level, entry.customTags, `${path}.customTags`) }),
  };
}

/** The mesh's tags, where no Telemetry resource has any. By name. */
function withMeshTags(settings: TracingSettings, mesh: MeshTelemetry): TracingSettings {
  const tags = settings.tags.length > 0 ? settings.tags : mesh.tracing.tags;
  return { ...settings, tags: [...tags].sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

function tagsOf(c: Context, level: Level, tags: NonNullable<Tracing['customTags']>, path: string): CustomTag[] {
  return Object.entries(tags).flatMap(([name, { literal, environment, header, formatter }]): CustomTag[] => {
    if (literal !== undefined) return [{ name, value: { kind: 'literal', value: literal.value } }];
    if (environment !== undefined)
      return [
        { name, value: { kind: 'environment', name: environment.name, otherwise: environment.defaultValue || null } },
      ];
    if (header !== undefined)
      return [
        { name, value: { kind: 'header', name: header.name.toLowerCase(), otherwise: header.defaultValue || null } },
      ];
    if (formatter === undefined) return [];
    const problem = formatProblem(formatter.value);
    if (problem === null) return [{ name, value: { kind: 'format', format: formatter.value } }];
    c.problems.error(level, `${path}[${name}].formatter.value`, problem);
    return [];
  });
}

function keptOf({ metadata: { annotations = {} } }: Level): Change {
  const [errors, slower] = [annotations[KEEP_ERRORS], annotations[KEEP_SLOWER_THAN]];
  return {
    ...(errors === undefined ? {} : { keepErrors: errors === 'true' }),
    ...(slower === undefined ? {} : { keepSlowerThan: parseDuration(slower) }),
  };
}

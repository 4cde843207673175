/** What is changed of Istio's standard metrics, by side and metric (pilot/pkg/model/telemetry.go: mergeMetrics). */
import { labelName } from '../istio/label-name.ts';
import { METRICS, type MetricsOverride } from '../istio/telemetry.ts';
import type { Expression } from '../core/expression.ts';
import type { MetricOverride, StandardMetric, TelemetrySettings } from '../snapshot/telemetry.ts';
import { compileLabelValue } from './cel.ts';
import type { Context } from './context.ts';
import type { MeshTelemetry } from './mesh-telemetry.ts';
import { checkProviders, providerNames, sidesOf, type Level, type Side } from './telemetry-level.ts';

const STANDARD: readonly StandardMetric[] = METRICS.filter((metric) => metric !== 'ALL_METRICS');

/** Names that `customMetric` may give to them (pilot: metricToPrometheusMetric). */
const BY_NAME: Readonly<Record<string, StandardMetric>> = {
  requests_total: 'REQUEST_COUNT',
  request_duration_milliseconds: 'REQUEST_DURATION',
  request_bytes: 'REQUEST_SIZE',
  response_bytes: 'RESPONSE_SIZE',
  tcp_connections_opened_total: 'TCP_OPENED_CONNECTIONS',
  tcp_connections_closed_total: 'TCP_CLOSED_CONNECTIONS',
  tcp_sent_bytes_total: 'TCP_SENT_BYTES',
  tcp_received_bytes_total: 'TCP_RECEIVED_BYTES',
  request_messages_total: 'GRPC_REQUEST_MESSAGES',
  response_messages_total: 'GRPC_RESPONSE_MESSAGES',
};

type Tags = Record<string, Expression | null>;
type Override = { disabled: boolean; readonly tags: Tags };
type Overrides = Map<StandardMetric, Override>;
/** Of a side: its overrides, or all of it turned off. */
type SideState = { off: boolean; readonly overrides: Overrides };

export function compileMetrics(
  c: Context,
  mesh: MeshTelemetry,
  levels: readonly Level[],
): TelemetrySettings['metrics'] {
  const states = { client: fresh(), server: fresh() };
  const entries = levels.flatMap((level) =>
    (level.spec?.metrics ?? []).map((entry, i) => ({ level, entry, path: `spec.metrics[${i}]` })),
  );
  const defaults = mesh.defaults.metrics?.map((name) => name.toLowerCase()) ?? ['prometheus'];
  const scope = new Set(
    entries
      .findLast(({ entry }) => providerNames(entry) !== null)
      ?.entry.providers?.map(({ name }) => name.toLowerCase()) ?? defaults,
  );
  const counted = [...scope].filter((name) => mesh.providers.get(name)?.kind === 'metrics');
  let inherited: readonly string[] = defaults;
  for (const { level, entry, path } of entries) {
    checkProviders(c, mesh, level, path, entry, 'metrics');
    inherited = providerNames(entry) ?? inherited;
    if (!inherited.some((name) => counted.includes(name))) continue;
    for (const [j, override] of (entry.overrides ?? []).entries())
      c.problems.guard(level, undefined, () => apply(c, level, override, `${path}.overrides[${j}]`, states));
  }
  // No provider takes metrics: there are none.
  if (counted.length === 0) for (const side of Object.values(states)) side.off = true;
  return { client: shown(states.client), server: shown(states.server) };
}

const fresh = (): SideState => ({ off: false, overrides: new Map() });

function apply(
  c: Context,
  level: Level,
  override: MetricsOverride,
  path: string,
  states: Readonly<Record<Side, SideState>>,
): void {
  const metrics = metricsOf(c, level, override, path);
  const all = metrics.length === STANDARD.length;
  const tags = tagsOf(c, level, override, path);
  for (const side of sidesOf(override.match)) {
    const state = states[side];
    if (all && override.disabled === true) {
      state.off = true;
      continue;
    }
    // Whatever else is said of a side that was turned off turns it on again, as Istio has it.
    if (metrics.length > 0) state.off = false;
    for (const metric of metrics) {
      const known = state.overrides.get(metric) ?? { disabled: false, tags: {} };
      known.disabled = override.disabled ?? known.disabled;
      Object.assign(known.tags, tags);
      state.overrides.set(metric, known);
    }
  }
}

function metricsOf(c: Context, level: Level, { match }: MetricsOverride, path: string): readonly StandardMetric[] {
  const { metric = 'ALL_METRICS', customMetric } = match ?? {};
  if (customMetric === undefined) return metric === 'ALL_METRICS' ? STANDARD : [metric];
  const name = customMetric.replace(/^istio_/, '');
  if (Object.hasOwn(BY_NAME, name)) return [BY_NAME[name]!];
  c.problems.warning(
    level,
    `${path}.match.customMetric`,
    `nothing is changed: ${JSON.stringify(customMetric)} is none of Istio's standard metrics (${Object.keys(BY_NAME).join(', ')})`,
  );
  return [];
}

function tagsOf(c: Context, level: Level, { tagOverrides = {} }: MetricsOverride, path: string): Tags {
  const tags: Tags = {};
  for (const [written, { operation = 'UPSERT', value = '' }] of Object.entries(tagOverrides)) {
    const name = labelName(written);
    if (operation === 'REMOVE') {
      tags[name] = null;
      continue;
    }
    const complain = (message: string): void =>
      c.problems.error(level, `${path}.tagOverrides[${written}].value`, `${message}; the label stays as it is`);
    const expression = compileLabelValue(value, complain);
    if (expression !== null) tags[name] = expression;
  }
  return tags;
}

/** Metrics in Istio's order, labels by name; what changes nothing is left out. */
function shown({ off, overrides }: SideState): Readonly<Partial<Record<StandardMetric, MetricOverride>>> {
  const made: Partial<Record<StandardMetric, MetricOverride>> = {};
  for (const metric of STANDARD) {
    const { disabled, tags } = overrides.get(metric) ?? { disabled: false, tags: {} };
    const sorted = Object.fromEntries(Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1)));
    if (off) made[metric] = { disabled: true, tags: {} };
    else if (disabled || Object.keys(tags).length > 0) made[metric] = { disabled, tags: sorted };
  }
  return made;
}

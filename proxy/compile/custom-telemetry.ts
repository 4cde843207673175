/** Metrics and logs that somebody has defined, by Mixer's kinds or our own, on top of what the mesh tells by itself. */
import type { CustomLogSpec, CustomMetricSpec, CustomTelemetrySpec } from '../istio/custom-telemetry.ts';
import { parseCel, type ParsedCel } from '../istio/cel.ts';
import type { Resource } from '../istio/resource.ts';
import { isTaken } from '../istio/standard-metrics.ts';
import { call, literal, type Expression } from '../core/expression.ts';
import type { CustomMetric, LogSettings, TelemetrySettings } from '../snapshot/telemetry.ts';
import { compileCondition, compileLabelValue } from './cel.ts';
import type { Context } from './context.ts';
import { hopView } from './hop-view.ts';
import { hasLabels } from './matches.ts';
import { compileMixerTelemetry, type Defined } from './mixer-telemetry.ts';
import { sourceOf } from './problems.ts';

/** `settings`, and what Mixer's kinds and our own define besides. */
export function withDefined(c: Context, settings: TelemetrySettings): TelemetrySettings {
  const all = [compileMixerTelemetry(c), ...ours(c)];
  const metrics = unrivalled(
    c,
    all.flatMap((d) => d.metrics),
  );
  return {
    ...settings,
    logs: {
      client: [...settings.logs.client, ...all.flatMap((d) => d.logs.client)],
      server: [...settings.logs.server, ...all.flatMap((d) => d.logs.server)],
    },
    custom: [...settings.custom, ...metrics],
  };
}

/** Of several metrics of one name and different shape, the first counts. */
function unrivalled(c: Context, metrics: readonly CustomMetric[]): readonly CustomMetric[] {
  const first = new Map<string, CustomMetric>();
  return metrics.filter((metric) => {
    const known = first.get(metric.name);
    if (known === undefined) first.set(metric.name, metric);
    if (known === undefined || shapeOf(known) === shapeOf(metric)) return true;
    const { kind, namespace, name, path } = metric.source;
    const resource = c.resources.get(kind, namespace, name);
    const { source } = known;
    const message = `${source.kind} ${source.namespace}/${source.name} counts ${metric.name} by other labels or buckets; this one is left out`;
    if (resource !== undefined) c.problems.error(resource, path, message);
    return false;
  });
}

const shapeOf = ({ kind, labels, buckets }: CustomMetric): string =>
  JSON.stringify([kind, labels.map(([name]) => name), buckets]);

type Written = Resource<CustomTelemetrySpec | undefined>;

/** Those of the root namespace are for the whole mesh, others for their namespace; with a selector for the workloads it selects. */
function ours(c: Context): readonly Defined[] {
  const { namespace, rootNamespace, labels } = c.node;
  return c.resources
    .list<CustomTelemetrySpec | undefined>('CustomTelemetry')
    .filter(({ metadata }) => metadata.namespace === namespace || metadata.namespace === rootNamespace)
    .filter(({ spec }) => hasLabels(labels, spec?.selector?.matchLabels))
    .flatMap((resource) => {
      const defined = c.problems.guard(resource, null, () => compileResource(c, resource));
      return defined === null ? [] : [defined];
    });
}

const WHERE = { HOP: 'hop', SERVER: 'server', CLIENT: 'client', CLIENT_AND_SERVER: 'both' } as const;

function compileResource(c: Context, resource: Written): Defined {
  const { match, mode = 'HOP', metrics = [], logs = [] } = resource.spec ?? {};
  const where = WHERE[mode];
  const seen = (e: Expression): Expression => (where === 'hop' ? hopView(e, c) : e);
  const read: Read = (path, compiled) => {
    const e = compiled((message) => c.problems.error(resource, path, message));
    return e === null ? null : seen(e);
  };
  // What cannot be read selects nothing.
  const common =
    match === undefined ? null : (read('spec.match', (tell) => compileCondition(match, tell)) ?? literal(false));
  const lines = logs.map((log, i) => compileLog(resource, log, `spec.logs[${i}]`, common, read));
  const gateway = c.node.role === 'gateway';
  const client = where === 'hop' ? gateway : where !== 'server';
  const server = where === 'hop' ? !gateway : where !== 'client';
  return {
    metrics: metrics.flatMap((metric, i) => compileMetric(resource, metric, `spec.metrics[${i}]`, where, common, read)),
    logs: { client: client ? lines : [], server: server ? lines : [] },
  };
}

type Tell = (message: string) => void;
type Read = (path: string, compiled: (tell: Tell) => Expression | null) => Expression | null;

const KINDS = { COUNTER: 'counter', GAUGE: 'gauge', HISTOGRAM: 'histogram' } as const;
const PROTOCOLS = { HTTP: 'http', TCP: 'tcp', ALL: 'both' } as const;

function compileMetric(
  resource: Written,
  metric: CustomMetricSpec,
  path: string,
  where: CustomMetric['where'],
  when: Expression | null,
  read: Read,
): CustomMetric[] {
  const { name, help = name, type = 'COUNTER', value: written = '1', labels = {}, protocol = 'HTTP' } = metric;
  const counted = read(`${path}.value`, (tell) => parsedOr(written, tell)?.tree ?? null);
  if (counted === null || isTaken(name)) return [];
  return [
    {
      name,
      help,
      kind: KINDS[type],
      where,
      protocol: PROTOCOLS[protocol],
      when,
      value: counted,
      labels: Object.entries(labels).map(([label, text]) => {
        const of = read(`${path}.labels[${label}]`, (tell) => compileLabelValue(text, tell));
        return [label, of === null ? literal('') : unwrapped(of)] as const;
      }),
      buckets: type === 'HISTOGRAM' ? (metric.buckets ?? null) : null,
      source: sourceOf(resource, path),
    },
  ];
}

function compileLog(
  resource: Written,
  log: CustomLogSpec,
  path: string,
  common: Expression | null,
  read: Read,
): LogSettings {
  const { name, severity = 'info', match, fields = {}, output = 'json' } = log;
  const own =
    match === undefined ? null : (read(`${path}.match`, (tell) => compileCondition(match, tell)) ?? literal(false));
  return {
    format: {
      kind: 'entry',
      instance: `${name}.${resource.metadata.namespace}`,
      level: literal(severity),
      json: output === 'json',
      fields: Object.entries(fields).flatMap(([field, text]) => {
        const of = read(`${path}.fields[${field}]`, (tell) => fieldValue(text, tell));
        return of === null ? [] : [[field, of] as const];
      }),
    },
    filter: common !== null && own !== null ? call('and', common, own) : (common ?? own),
    percent: 100,
    path: null,
    source: sourceOf(resource, path),
  };
}

/** A label is text anyway: numbers become it only when their series is new. */
const unwrapped = (e: Expression): Expression => (e.kind === 'call' && e.op === 'string' ? e.args[0]! : e);

/** What is no text keeps its type, but durations and times are written out. */
function fieldValue(text: string, tell: Tell): Expression | null {
  const parsed = parsedOr(text, tell);
  if (parsed === null) return null;
  if (parsed.type === 'duration') return call('duration-text', parsed.tree);
  return parsed.type === 'timestamp' ? call('time-text', parsed.tree) : parsed.tree;
}

function parsedOr(text: string, tell: Tell): (ParsedCel & { readonly ok: true }) | null {
  const parsed = parseCel(text);
  if (parsed.ok) return parsed;
  tell(`expected a CEL expression; at character ${parsed.at + 1}: ${parsed.message}`);
  return null;
}

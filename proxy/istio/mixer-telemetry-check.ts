/** What Mixer's telemetry kinds must keep to beyond their schemas: types of expressions, names, and the parameters of generic kinds. */
import { parseExpression } from './mixer-expression.ts';
import type { HandlerSpec, InstanceSpec, MixerRuleSpec } from './mixer.ts';
import {
  levelOf,
  logEntrySpec,
  type LogEntrySpec,
  type MetricInfo,
  metricSpec,
  type MetricSpec,
  prometheusSpec,
  type PrometheusSpec,
  stdioSpec,
  type StdioSpec,
} from './mixer-telemetry.ts';
import { bucketsOf, metricName, safeName } from './mixer-metric.ts';
import { Mistyped, readTyped, typeOf } from './mixer-type.ts';
import type { Report } from './report.ts';
import type { Check, Schema } from './schema.ts';
import { isTaken, LABEL_NAME, METRIC_NAME } from './standard-metrics.ts';
import { validate } from './validate.ts';

const NUMBERS = ['int', 'double', 'duration', 'string'];

export const checkMetric: Check<MetricSpec> = (spec, report) => {
  const value = readTyped(spec.value);
  if (value.ok && !NUMBERS.includes(value.type)) report.at('value').error('expected a number or a duration');
  for (const [name, text] of Object.entries(spec.dimensions ?? {})) noMap(text, report.at('dimensions', name));
};

export const checkLogEntry: Check<LogEntrySpec> = (spec, report) => {
  const severity = readTyped(spec?.severity ?? '""');
  if (severity.ok && severity.type !== 'string') report.at('severity').error('expected a text such as `"warning"`');
  const { timestamp } = spec ?? {};
  if (timestamp !== undefined) {
    const time = readTyped(timestamp);
    if (time.ok && time.type !== 'time') report.at('timestamp').error('expected a time such as `request.time`');
    else if (timestamp.trim() !== 'request.time') report.at('timestamp').warning('has no effect: `ts` is request.time');
  }
  for (const [name, text] of Object.entries(spec?.variables ?? {})) noMap(text, report.at('variables', name));
};

function noMap(text: string, report: Report): void {
  const typed = readTyped(text);
  if (typed.ok && typed.type === 'map') report.error('expected a value, got a map; an entry of it is written ["key"]');
}

export const checkPrometheus: Check<PrometheusSpec> = (spec, report) => {
  const names = new Set<string>();
  for (const [i, info] of (spec?.metrics ?? []).entries()) checkMetricInfo(info, names, report.at('metrics', i));
};

function checkMetricInfo(info: MetricInfo, names: Set<string>, report: Report): void {
  const instance = info.instance_name ?? info.instanceName;
  if (instance === undefined || instance === '') report.at('instance_name').error('is required: what is counted');
  if (info.kind === undefined || info.kind === 'UNSPECIFIED')
    report.at('kind').error('is required: COUNTER, GAUGE or DISTRIBUTION');
  const name = metricName(info);
  if (!METRIC_NAME.test(name)) report.at('name').error(`expected a name for Prometheus, got "${name}"`);
  else if (isTaken(name)) report.at('name').error(`expected another name: Lateen counts ${name} itself`);
  else if (names.has(name)) report.at('name').error(`expected a name of its own, got ${name} again`);
  names.add(name);
  if (info.kind === 'DISTRIBUTION' && bucketsOf(info) === null)
    report.at('buckets').error('expected at least one bound, each above the one before');
  const labels = info.label_names ?? info.labelNames ?? [];
  for (const [i, label] of labels.entries()) {
    const at = report.at('label_names', i);
    if (!LABEL_NAME.test(safeName(label))) at.error(`expected a name for Prometheus, got "${label}"`);
    else if (safeName(label) === 'le' && info.kind === 'DISTRIBUTION')
      at.error("expected another name: `le` is the buckets'");
    else if (labels.findIndex((other) => safeName(other) === safeName(label)) < i)
      at.error(`"${label}" stands there twice`);
  }
}

export const checkStdio: Check<StdioSpec> = (spec, report) => {
  const { severity_levels, severityLevels, outputLevel, output_level } = spec ?? {};
  const told = 'expected INFO, WARNING, ERROR, or 0, 1, 2';
  for (const [field, levels] of Object.entries({ severity_levels, severityLevels }))
    for (const [severity, level] of Object.entries(levels ?? {}))
      if (levelOf(level) === null) report.at(field, severity).error(told);
  for (const [field, level] of Object.entries({ outputLevel, output_level }))
    if (level !== undefined && levelOf(level) === null) report.at(field).error(told);
};

/** Deny rules, too, are written with this kind: what cannot be read there denies more, so it is a warning. */
export const checkMixerRule: Check<MixerRuleSpec> = (spec, report) => {
  const text = spec?.match ?? '';
  const parsed = text.trim() === '' ? null : parseExpression(text);
  if (parsed === null || !parsed.ok) return;
  try {
    if (typeOf(parsed.value) !== 'bool') report.at('match').warning('expected a condition, got a value');
  } catch (e) {
    if (!(e instanceof Mistyped)) throw e;
    report.at('match').warning(`at character ${e.at + 1}: ${e.message}`);
  }
};

/** Of `params`, by the name of the adapter or template. */
const params =
  <T>(schema: Schema, check: Check<T>): Check<unknown> =>
  (given, report, meta) => {
    const before = report.findings.length;
    const copy = validate(schema, given, report, { yamlBooleans: true });
    const failed = report.findings.slice(before).some((f) => f.severity === 'error');
    if (!failed) check(copy as T, report, meta);
  };

const ADAPTERS: Readonly<Record<string, Check<unknown>>> = {
  prometheus: params(prometheusSpec, checkPrometheus),
  stdio: params(stdioSpec, checkStdio),
};
const TEMPLATES: Readonly<Record<string, Check<unknown>>> = {
  metric: params(metricSpec, checkMetric),
  logentry: params(logEntrySpec, checkLogEntry),
};

const byName = (table: Readonly<Record<string, Check<unknown>>>, name = ''): Check<unknown> | undefined =>
  Object.hasOwn(table, name.toLowerCase()) ? table[name.toLowerCase()] : undefined;

export const checkHandler: Check<HandlerSpec> = (spec, report, meta) =>
  byName(ADAPTERS, spec?.compiledAdapter)?.(spec.params ?? {}, report.at('params'), meta);

export const checkInstance: Check<InstanceSpec> = (spec, report, meta) =>
  byName(TEMPLATES, spec?.compiledTemplate)?.(spec.params ?? {}, report.at('params'), meta);

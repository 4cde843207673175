/** What CustomTelemetry must keep to beyond its schema: names that are taken or said twice, buckets that make sense. */
import type { CustomMetricSpec, CustomTelemetrySpec } from './custom-telemetry.ts';
import type { Report } from './report.ts';
import type { Check } from './schema.ts';
import { isTaken } from './standard-metrics.ts';

export const checkCustomTelemetry: Check<CustomTelemetrySpec> = (spec, report) => {
  const { metrics = [], logs = [] } = spec ?? {};
  if (metrics.length === 0 && logs.length === 0) report.warning('has neither metrics nor logs, so it tells nothing');
  for (const [i, metric] of metrics.entries()) {
    checkMetric(metric, report.at('metrics', i));
    if (metrics.findIndex(({ name }) => name === metric.name) < i)
      report.at('metrics', i, 'name').error(`expected a name of its own, got ${metric.name} again`);
  }
  for (const [i, { name }] of logs.entries())
    if (logs.findIndex((other) => other.name === name) < i)
      report.at('logs', i, 'name').error(`expected a name of its own, got ${name} again`);
};

function checkMetric({ name, type = 'COUNTER', buckets, labels = {} }: CustomMetricSpec, report: Report): void {
  if (isTaken(name)) report.at('name').error(`expected another name: Lateen counts ${name} itself`);
  if (type === 'HISTOGRAM' && Object.hasOwn(labels, 'le'))
    report.at('labels', 'le').error("expected another name: `le` is the buckets'", true);
  if (buckets === undefined) return;
  if (type !== 'HISTOGRAM') report.at('buckets').error('expected none: only a HISTOGRAM has buckets');
  if (!buckets.every((bound, i) => i === 0 || bound > buckets[i - 1]!))
    report.at('buckets').error('expected each bound above the one before');
}

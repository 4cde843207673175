/** CustomTelemetry (telemetry.lateen.dev): metrics and logs of one's own. Istio's Telemetry changes metrics; this one makes them. */
import { celCondition, celLabelValue, parseCel } from './cel.ts';
import { double, enumeration, list, map, object, required, string } from './field.ts';
import type { Infer } from './schema.ts';
import { workloadSelector } from './selector.ts';
import { LABEL_NAME, METRIC_NAME } from './standard-metrics.ts';

/** Texts of CEL, whose types are settled here. */
const condition = (description: string) => string(description, { format: celCondition, minLength: 1 });
const text = (description: string) => string(description, { format: celLabelValue, minLength: 1 });
const number = (description: string) => string(description, { format: numeric, minLength: 1, default: '1' });
const any = (description: string) => string(description, { format: readable, minLength: 1 });

function numeric(written: string): string | null {
  const parsed = parseCel(written);
  if (!parsed.ok) return `a CEL expression; at character ${parsed.at + 1}: ${parsed.message}`;
  return ['int', 'double', 'duration'].includes(parsed.type)
    ? null
    : 'a CEL expression that yields a number or a duration';
}

function readable(written: string): string | null {
  const parsed = parseCel(written);
  return parsed.ok ? null : `a CEL expression; at character ${parsed.at + 1}: ${parsed.message}`;
}

const metricName = (name: string): string | null =>
  METRIC_NAME.test(name) ? null : 'a name for Prometheus, of letters, digits and `_`';
const labelName = (name: string): string | null =>
  LABEL_NAME.test(name) ? null : 'a name for Prometheus, of letters, digits and `_`';
const entryName = (name: string): string | null =>
  /^[A-Za-z0-9][\w.-]*$/.test(name) ? null : 'a name of letters, digits, `-`, `_` and `.`';

/** More make a metric that nobody can afford. */
export const MAX_LABELS = 20;

const metric = object(
  {
    name: required(string('Name, as Prometheus shows it', { format: metricName, maxLength: 128 })),
    help: string('Help text', { maxLength: 1024 }),
    type: enumeration(['COUNTER', 'GAUGE', 'HISTOGRAM'], 'A sum, the last value, or a distribution', {
      default: 'COUNTER',
    }),
    value: number('CEL: what a request counts; durations in milliseconds'),
    buckets: list(double('A bound'), "Upper bounds of a HISTOGRAM, ascending; absent: Envoy's", { min: 1, max: 100 }),
    labels: map(text('CEL: its value'), 'Labels by name', { key: labelName, max: MAX_LABELS }),
    protocol: enumeration(['HTTP', 'TCP', 'ALL'], 'Requests, connections at their end, or both', { default: 'HTTP' }),
  },
  'A metric',
);
export type CustomMetricSpec = Infer<typeof metric>;

const log = object(
  {
    name: required(string('What lines are told apart by', { format: entryName, maxLength: 128 })),
    severity: enumeration(['debug', 'info', 'warn', 'error'], 'How serious', { default: 'info' }),
    match: condition('CEL: which requests; absent: all'),
    fields: map(any('CEL: its value'), 'Fields by name, in this order', { max: 50 }),
    output: enumeration(['json', 'text'], 'Form of the lines', { default: 'json' }),
  },
  'A log',
);
export type CustomLogSpec = Infer<typeof log>;

export const customTelemetrySpec = object(
  {
    selector: workloadSelector,
    match: condition('CEL: which requests; absent: all'),
    mode: enumeration(
      ['HOP', 'SERVER', 'CLIENT', 'CLIENT_AND_SERVER'],
      'Who tells. HOP: of each hop once, its server; of what comes from outside, the gateway',
      { default: 'HOP' },
    ),
    metrics: list(metric, 'Metrics', { max: 50 }),
    logs: list(log, 'Logs', { max: 20 }),
  },
  'Metrics and logs of your own',
);
export type CustomTelemetrySpec = Infer<typeof customTelemetrySpec>;

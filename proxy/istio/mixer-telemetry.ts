/**
 * Mixer's kinds that tell what happened (config.istio.io/v1alpha2, Istio 1.0): metric and logentry say what, prometheus and stdio where to.
 * Fields of adapters are read in both spellings that were in use: as published (`instance_name`) and in JSON's form (`instanceName`).
 */
import {
  anything,
  bool,
  double,
  enumeration,
  ignored,
  int32,
  list,
  map,
  openObject,
  required,
  string,
} from './field.ts';
import { readTyped } from './mixer-type.ts';
import type { Infer } from './schema.ts';

/** Null, or what was expected: an expression whose attributes exist and whose types fit. */
function expression(text: string): string | null {
  const typed = readTyped(text);
  return typed.ok ? null : `an expression; at character ${typed.at + 1}: ${typed.message}`;
}

const MONITORED = {
  monitored_resource_type: string("Stackdriver's; prometheus and stdio have no use for it"),
  monitored_resource_dimensions: anything("Stackdriver's; prometheus and stdio have no use for it"),
};

export const metricSpec = openObject(
  {
    value: required(
      string('What a request counts: an expression such as `2` or `response.size`', { format: expression }),
    ),
    dimensions: map(
      string('Value: an expression such as `source.service | "unknown"`', { format: expression }),
      'Labels',
    ),
    ...MONITORED,
  },
  'What a metric counts, and by which labels',
);
export type MetricSpec = Infer<typeof metricSpec>;

export const logEntrySpec = openObject(
  {
    severity: string('How serious: an expression such as `"warning"`', { format: expression }),
    timestamp: string('When: an expression such as `request.time`', { format: expression }),
    variables: map(string('Value: an expression such as `response.code | 0`', { format: expression }), 'Fields'),
    ...MONITORED,
  },
  'What a line of a log says',
);
export type LogEntrySpec = Infer<typeof logEntrySpec>;

const finite = int32('How many', { min: 1, max: 200 });
const linear = openObject(
  {
    num_finite_buckets: finite,
    numFiniteBuckets: finite,
    width: double('Width of each', { min: 0 }),
    offset: double('First bound'),
  },
  'Of the same width',
);
const exponential = openObject(
  {
    num_finite_buckets: finite,
    numFiniteBuckets: finite,
    growth_factor: double('How much wider each is than the one before'),
    growthFactor: double('How much wider each is than the one before'),
    scale: double('First bound'),
  },
  'Wider and wider',
);
const explicit = openObject({ bounds: list(double('A bound'), 'Upper bounds', { max: 200 }) }, 'As they are given');
const buckets = openObject(
  {
    linear_buckets: linear,
    linearBuckets: linear,
    exponential_buckets: exponential,
    exponentialBuckets: exponential,
    explicit_buckets: explicit,
    explicitBuckets: explicit,
  },
  'Buckets of a DISTRIBUTION',
);

const labelNames = list(string('Name of a dimension'), 'Dimensions that become labels, in this order', { max: 50 });
const instanceName = string('Full name of what is counted: `name.metric.namespace`');

const metricInfo = openObject(
  {
    namespace: string('What the name begins with', { default: 'istio' }),
    name: string('Name; absent: made of the name of the instance'),
    instance_name: instanceName,
    instanceName,
    description: string('Help text'),
    kind: enumeration(['UNSPECIFIED', 'COUNTER', 'GAUGE', 'DISTRIBUTION'], 'What is made of the values'),
    buckets,
    label_names: labelNames,
    labelNames,
  },
  'One metric',
);
export type MetricInfo = Infer<typeof metricInfo>;

const NO_EXPIRY = 'series stay as long as their metric';
export const prometheusSpec = openObject(
  {
    metrics: list(metricInfo, 'The metrics', { max: 100 }),
    metricsExpirationPolicy: ignored(anything('When series end that nothing is counted in'), NO_EXPIRY),
    metrics_expiration_policy: ignored(anything('When series end that nothing is counted in'), NO_EXPIRY),
  },
  'Metrics that Prometheus scrapes',
);
export type PrometheusSpec = Infer<typeof prometheusSpec>;

/** Numbers as the enum of the adapter had them, or its names. */
const LEVELS: Readonly<Record<string, StdioLevel>> = {
  0: 'info',
  1: 'warn',
  2: 'error',
  INFO: 'info',
  WARNING: 'warn',
  ERROR: 'error',
};
/** As lines show it. */
export type StdioLevel = 'info' | 'warn' | 'error';

/** Null: no level. */
export const levelOf = (of: unknown): StdioLevel | null =>
  (typeof of === 'string' || typeof of === 'number') && Object.hasOwn(LEVELS, `${of}`) ? LEVELS[`${of}`]! : null;

const level = anything('INFO, WARNING, ERROR, or their numbers 0, 1, 2');
const ELSEWHERE = "lines go where Lateen's access log goes";
const levels = map(level, 'Levels by severity');
const asJson = bool('Lines of JSON; else of text', { default: true });
const stream = ignored(string('STDOUT, STDERR, FILE or ROTATED_FILE'), ELSEWHERE);
const path = ignored(string('A file'), ELSEWHERE);

export const stdioSpec = openObject(
  {
    severity_levels: levels,
    severityLevels: levels,
    outputAsJson: asJson,
    output_as_json: asJson,
    outputLevel: level,
    output_level: level,
    metric_level: level,
    metricLevel: level,
    log_stream: stream,
    logStream: stream,
    output_path: path,
    outputPath: path,
  },
  'Lines of a log',
);
export type StdioSpec = Infer<typeof stdioSpec>;

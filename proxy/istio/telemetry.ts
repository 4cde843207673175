/** Telemetry and ProxyConfig: what proxies tell, and how they run. (telemetry.istio.io, networking.istio.io; Istio's API reference.) */
import {
  bool,
  described,
  double,
  duration,
  enumeration,
  ignored,
  int32,
  list,
  map,
  object,
  required,
  string,
} from './field.ts';
import type { Infer } from './schema.ts';
import { attachment, ONE_ATTACHMENT, workloadSelector } from './selector.ts';

const mode = enumeration(['CLIENT_AND_SERVER', 'CLIENT', 'SERVER'], 'Which side of a request', {
  default: 'CLIENT_AND_SERVER',
});
const providers = ignored(
  list(object({ name: required(string('Name of the provider', { minLength: 1 })) }, 'A provider'), 'Where it goes'),
  "Lateen's providers are set on its command line",
);
const both = 'Lateen applies this to both sides so far';

const customTag = object(
  {
    literal: object({ value: required(string('Value', { minLength: 1 })) }, 'A fixed value'),
    environment: object(
      { name: required(string('Name', { minLength: 1 })), defaultValue: string('Value when it is unset') },
      'An environment variable of the proxy',
    ),
    header: object(
      { name: required(string('Name', { minLength: 1 })), defaultValue: string('Value when it is absent') },
      'A request header',
    ),
    formatter: object({ value: required(string('Format', { minLength: 1 })) }, 'An access log format'),
  },
  'Where the value of a tag comes from',
  { oneOf: [['literal', 'environment', 'header', 'formatter']] },
);

const tracing = object(
  {
    match: ignored(object({ mode }, 'Which side of a request'), both),
    providers,
    randomSamplingPercentage: double('Percent of requests that are traced, when nobody upstream decided', {
      min: 0,
      max: 100,
      default: 1,
    }),
    disableSpanReporting: bool('No spans; trace headers are still passed on', { default: false }),
    customTags: ignored(map(customTag, 'Tags by name'), "Lateen's spans have fixed tags so far"),
    useRequestIdForTraceSampling: ignored(
      bool('Decide by the request id', { default: true }),
      'Lateen decides by trace headers and chance',
    ),
    enableIstioTags: ignored(bool("Istio's own tags", { default: true }), "Lateen's spans have fixed tags so far"),
    disableContextPropagation: ignored(
      bool('Do not pass trace headers on', { default: false }),
      'Lateen always passes trace headers on',
    ),
  },
  'Settings of tracing',
);
export type Tracing = Infer<typeof tracing>;

export const METRICS = [
  'ALL_METRICS',
  'REQUEST_COUNT',
  'REQUEST_DURATION',
  'REQUEST_SIZE',
  'RESPONSE_SIZE',
  'TCP_OPENED_CONNECTIONS',
  'TCP_CLOSED_CONNECTIONS',
  'TCP_SENT_BYTES',
  'TCP_RECEIVED_BYTES',
  'GRPC_REQUEST_MESSAGES',
  'GRPC_RESPONSE_MESSAGES',
] as const;

const tagOverride = object(
  {
    operation: enumeration(['UPSERT', 'REMOVE'], 'Set or remove', { default: 'UPSERT' }),
    value: string('CEL expression'),
  },
  'What happens to a label',
);
const override = object(
  {
    match: object(
      {
        metric: enumeration(METRICS, "One of Istio's metrics"),
        customMetric: string('Another metric', { minLength: 1 }),
        mode,
      },
      'Which metrics',
      { oneOf: [['metric', 'customMetric']] },
    ),
    disabled: bool('Turns the metric off'),
    tagOverrides: map(tagOverride, 'Labels by name'),
  },
  'A change to metrics',
);
export type MetricsOverride = Infer<typeof override>;

const accessLogging = object(
  {
    match: ignored(object({ mode }, 'Which side of a request'), both),
    providers,
    disabled: bool('No access log', { default: false }),
    filter: ignored(
      object({ expression: string('CEL expression') }, 'Which requests are logged'),
      'Lateen logs all requests or none so far',
    ),
  },
  'Settings of access logs',
);
export type AccessLogging = Infer<typeof accessLogging>;

export const telemetrySpec = object(
  {
    ...attachment,
    tracing: list(tracing, 'Settings of tracing'),
    metrics: ignored(
      list(
        object(
          {
            providers,
            overrides: list(override, 'Changes to metrics'),
            reportingInterval: duration('Time between reports of TCP metrics', { default: '5s' }),
          },
          'Settings of metrics',
        ),
        'Settings of metrics',
      ),
      "Lateen's metrics are fixed so far",
    ),
    accessLogging: list(accessLogging, 'Settings of access logs'),
  },
  'What the proxies of a namespace, or of a workload, tell',
  { oneOf: [ONE_ATTACHMENT] },
);
export type TelemetrySpec = Infer<typeof telemetrySpec>;

const AT_START = 'Lateen takes it from its command line';
export const proxyConfigSpec = object(
  {
    selector: described(workloadSelector, 'Which workloads; absent: every one of the namespace'),
    concurrency: ignored(int32('Worker threads; 0: one for each core', { min: 0 }), AT_START),
    environmentVariables: ignored(map(string('Value', { maxLength: 2048 }), 'Environment of the proxy'), AT_START),
    image: ignored(
      object({ imageType: string('default, debug or distroless') }, 'Image of the proxy'),
      'Lateen has one image',
    ),
  },
  'How proxies run',
);
export type ProxyConfigSpec = Infer<typeof proxyConfigSpec>;

/** Telemetry and ProxyConfig: what proxies tell, and how they run. (telemetry.istio.io, networking.istio.io; Istio's API reference.) */
import { celCondition, celLabelValue } from './cel.ts';
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
const providers = list(
  object(
    {
      name: required(
        string('`envoy`, `zipkin`, `opentelemetry`, `prometheus`, or one of extensionProviders', { minLength: 1 }),
      ),
    },
    'A provider',
  ),
  "Where it goes; absent: as outside of this, at last the mesh's defaultProviders",
);

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
    match: object({ mode }, 'Which side of a request'),
    providers,
    randomSamplingPercentage: double('Percent of requests that are traced, when nobody upstream decided', {
      min: 0,
      max: 100,
      default: 1,
    }),
    disableSpanReporting: bool('No spans; trace headers are still passed on', { default: false }),
    customTags: map(customTag, 'Tags by name; they replace all that were given outside of this'),
    useRequestIdForTraceSampling: bool('The request id may carry the decision', { default: true }),
    enableIstioTags: bool("Istio's own tags", { default: true }),
    disableContextPropagation: bool('Do not pass trace headers on', { default: false }),
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
    value: string('CEL expression; what it yields, as text', { format: celLabelValue }),
  },
  'What happens to a label',
);
const override = object(
  {
    match: object(
      {
        metric: enumeration(METRICS, "One of Istio's metrics"),
        customMetric: string("One of Istio's metrics, as Prometheus shows it: `requests_total`", { minLength: 1 }),
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
    match: object({ mode }, 'Which side of a request'),
    providers,
    disabled: bool('No access log', { default: false }),
    filter: object(
      { expression: string('CEL condition such as `response.code >= 400`', { format: celCondition }) },
      'Which requests are logged',
    ),
  },
  'Settings of access logs',
);
export type AccessLogging = Infer<typeof accessLogging>;

export const telemetrySpec = object(
  {
    ...attachment,
    tracing: list(tracing, 'Settings of tracing'),
    metrics: list(
      object(
        {
          providers,
          overrides: list(override, 'Changes to metrics'),
          reportingInterval: duration(
            'Time between reports of TCP metrics; Lateen counts at once, which is always sooner',
            {
              default: '5s',
            },
          ),
        },
        'Settings of metrics',
      ),
      'Settings of metrics',
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

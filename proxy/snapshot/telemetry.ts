/** What is to be told about requests and connections: Istio's Telemetry, Mixer's metrics and logs, and our own, in one form. */
import type { Ms } from '../core/brand.ts';
import type { Expression } from '../core/expression.ts';
import type { SourceRef } from './route.ts';

/** `server`: what comes in to a sidecar's workload. `client`: what it sends, and all that a gateway does (Istio: gateways are CLIENT). */
export type TwoSided<T> = { readonly client: T; readonly server: T };

export type TelemetrySettings = {
  readonly tracing: TwoSided<TracingSettings>;
  /** Each writes a line of its own. Empty: no access log. */
  readonly logs: TwoSided<readonly LogSettings[]>;
  /** Changes to Istio's standard metrics; by metric, those that have any. */
  readonly metrics: TwoSided<Readonly<Partial<Record<StandardMetric, MetricOverride>>>>;
  /** Metrics that somebody has defined. */
  readonly custom: readonly CustomMetric[];
};

export type TracingSettings = {
  /** Percent of requests with no upstream decision that are traced (Istio: randomSamplingPercentage). */
  readonly percent: number;
  /** Spans are made. Without, trace headers are still passed on. */
  readonly reported: boolean;
  /** Trace headers are passed on. */
  readonly propagated: boolean;
  /** x-request-id may carry the decision. */
  readonly byRequestId: boolean;
  /** Istio's own tags (`istio.canonical_service` …). */
  readonly istioTags: boolean;
  readonly tags: readonly CustomTag[];
  /** Our extension: spans of requests that were not sampled are reported all the same when they fail, or take so long; null: no matter how long. */
  readonly keepErrors: boolean;
  readonly keepSlowerThan: Ms | null;
  /** Of the path in `http.url`, characters (Istio: maxPathTagLength); without it, Envoy's 256. */
  readonly maxPathLength?: number;
};

export type CustomTag = {
  readonly name: string;
  readonly value:
    | { readonly kind: 'literal'; readonly value: string }
    /** Of the proxy's environment, resolved while linking. */
    | { readonly kind: 'environment'; readonly name: string; readonly otherwise: string | null }
    | { readonly kind: 'header'; readonly name: string; readonly otherwise: string | null }
    /** Envoy's format operators: `%REQ(x)%`. */
    | { readonly kind: 'format'; readonly format: string };
};

export type LogSettings = {
  readonly format: LogFormat;
  /** Null: every request. */
  readonly filter: Expression | null;
  /** Of those that pass the filter; errors are always logged. */
  readonly percent: number;
  /** A file; null: where the proxy's command line says. */
  readonly path: string | null;
  /** Null: the mesh's own setting. */
  readonly source: SourceRef | null;
};

export type LogFormat =
  /** Lateen's JSON: Istio's fields, then `reason`, `decided_by`, `config_version`, `trace_id`. */
  | { readonly kind: 'default' }
  /** Envoy's format string, line feed included. */
  | { readonly kind: 'text'; readonly format: string }
  /** Envoy's json_format: values are format strings; nested objects and lists are allowed. A value that is one operator keeps its type. */
  | { readonly kind: 'json'; readonly fields: JsonFields }
  /** Mixer's logentry by its stdio adapter, and our own: level, time, name of the instance, then the fields. */
  | {
      readonly kind: 'entry';
      readonly instance: string;
      /** A word such as `warn`. */
      readonly level: Expression;
      readonly json: boolean;
      readonly fields: readonly (readonly [string, Expression])[];
    };

export type JsonFields = { readonly [name: string]: JsonField };
export type JsonField = string | number | boolean | null | JsonFields | readonly JsonField[];

export type StandardMetric =
  | 'REQUEST_COUNT'
  | 'REQUEST_DURATION'
  | 'REQUEST_SIZE'
  | 'RESPONSE_SIZE'
  | 'TCP_OPENED_CONNECTIONS'
  | 'TCP_CLOSED_CONNECTIONS'
  | 'TCP_SENT_BYTES'
  | 'TCP_RECEIVED_BYTES'
  | 'GRPC_REQUEST_MESSAGES'
  | 'GRPC_RESPONSE_MESSAGES';

export type MetricOverride = {
  readonly disabled: boolean;
  /** By label: its value, or null to leave it out. Labels that are none of Istio's come behind. */
  readonly tags: Readonly<Record<string, Expression | null>>;
};

export type CustomMetric = {
  /** As Prometheus shows it: `istio_double_request_count`. */
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** Where it is counted. `hop`: once for each hop, at its server (or at a gateway, for what comes from outside). */
  readonly where: 'client' | 'server' | 'both' | 'hop';
  /** `http`: requests. `tcp`: connections, at their end. */
  readonly protocol: 'http' | 'tcp' | 'both';
  /** Null: every one. */
  readonly when: Expression | null;
  readonly value: Expression;
  readonly labels: readonly (readonly [string, Expression])[];
  /** Upper bounds of a histogram; null: Envoy's. */
  readonly buckets: readonly number[] | null;
  readonly source: SourceRef;
};

/** Of a proxy that nobody has told anything yet: a trace that is under way goes on, and nothing of it is reported. */
export const UNTRACED: TracingSettings = {
  percent: 0,
  reported: false,
  propagated: true,
  byRequestId: true,
  istioTags: true,
  tags: [],
  keepErrors: false,
  keepSlowerThan: null,
};

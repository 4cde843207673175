/** Istio's standard metrics: names, labels in Istio's order, buckets (istio/proxy istio_stats.cc; Istio: Standard Metrics). */
import type { Family } from '../core/registry.ts';
import { ENVOY_BUCKETS } from '../core/histogram.ts';

/** Labels that say who talked to whom: the first twenty of every series. */
const PARTIES = [
  'reporter',
  'source_workload',
  'source_canonical_service',
  'source_canonical_revision',
  'source_workload_namespace',
  'source_principal',
  'source_app',
  'source_version',
  'source_cluster',
  'destination_workload',
  'destination_workload_namespace',
  'destination_principal',
  'destination_app',
  'destination_version',
  'destination_service',
  'destination_canonical_service',
  'destination_canonical_revision',
  'destination_service_name',
  'destination_service_namespace',
  'destination_cluster',
] as const;

export const HTTP_LABELS: readonly string[] = [
  ...PARTIES,
  'request_protocol',
  'response_code',
  'grpc_response_status',
  'response_flags',
  'connection_security_policy',
];

export const TCP_LABELS: readonly string[] = [
  ...PARTIES,
  'request_protocol',
  'response_flags',
  'connection_security_policy',
];

const httpCounter = (name: string, help: string): Family => family(name, help, 'counter', HTTP_LABELS);
const httpHistogram = (name: string, help: string): Family => family(name, help, 'histogram', HTTP_LABELS);
const tcpCounter = (name: string, help: string): Family => family(name, help, 'counter', TCP_LABELS);

const messages = (name: string, help: string): Family => family(name, help, 'counter', PARTIES);

/** By Istio's name for it in Telemetry. */
export const FAMILIES = {
  REQUEST_COUNT: httpCounter('istio_requests_total', 'HTTP and gRPC requests that have ended.'),
  REQUEST_DURATION: httpHistogram(
    'istio_request_duration_milliseconds',
    'Time from the first byte of a request to the last byte of its response.',
  ),
  REQUEST_SIZE: httpHistogram('istio_request_bytes', 'Size of requests, heads and bodies.'),
  RESPONSE_SIZE: httpHistogram('istio_response_bytes', 'Size of responses, heads and bodies.'),
  TCP_OPENED_CONNECTIONS: tcpCounter('istio_tcp_connections_opened_total', 'TCP connections opened.'),
  TCP_CLOSED_CONNECTIONS: tcpCounter('istio_tcp_connections_closed_total', 'TCP connections closed.'),
  TCP_SENT_BYTES: tcpCounter('istio_tcp_sent_bytes_total', 'Bytes sent to downstream.'),
  TCP_RECEIVED_BYTES: tcpCounter('istio_tcp_received_bytes_total', 'Bytes received from downstream.'),
  GRPC_REQUEST_MESSAGES: messages('istio_request_messages_total', 'Messages of gRPC calls, from the client.'),
  GRPC_RESPONSE_MESSAGES: messages('istio_response_messages_total', 'Messages of gRPC calls, to the client.'),
} as const;

export type CountedMetric = keyof typeof FAMILIES;

function family(name: string, help: string, type: Family['type'], labels: readonly string[]): Family {
  return { name, help, type, labels, bounds: type === 'histogram' ? ENVOY_BUCKETS : [], kept: 1 };
}

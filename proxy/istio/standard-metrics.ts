/** Names that are taken: the metrics Lateen counts itself, which nobody else may define. */

const TAKEN = new Set([
  'istio_requests_total',
  'istio_request_duration_milliseconds',
  'istio_request_bytes',
  'istio_response_bytes',
  'istio_request_messages_total',
  'istio_response_messages_total',
  'istio_tcp_connections_opened_total',
  'istio_tcp_connections_closed_total',
  'istio_tcp_sent_bytes_total',
  'istio_tcp_received_bytes_total',
  'istio_build',
  'up',
]);
const PREFIXES = ['lateen_', 'envoy_', 'process_', 'nodejs_', 'scrape_'];
/** What Prometheus shows of a histogram besides its own name. */
const ENDINGS = ['_bucket', '_sum', '_count'];

/** Whether a metric of this name, or a number of it, is Lateen's own. */
export function isTaken(name: string): boolean {
  const base = ENDINGS.find((ending) => name.endsWith(ending));
  return (
    TAKEN.has(name) ||
    (base !== undefined && TAKEN.has(name.slice(0, -base.length))) ||
    PREFIXES.some((prefix) => name.startsWith(prefix))
  );
}

/** Prometheus data model: what metrics and labels may be called. */
export const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
export const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;

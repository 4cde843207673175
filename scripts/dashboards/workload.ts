/** One workload: what comes in to it, and what it asks of others. */
import { curves, percentile, percentiles, q, rate, stat, success, type Dashboard, type Row } from './panel.ts';

const DURATION = 'istio_request_duration_milliseconds';
const IN = 'reporter="destination", destination_workload_namespace="$namespace", destination_workload="$workload"';
const OUT = 'reporter="source", source_workload_namespace="$namespace", source_workload="$workload"';
const OWN = 'namespace="$namespace", workload="$workload"';

export const workload: Dashboard = {
  uid: 'lateen-workload',
  title: 'Lateen: workload',
  description: 'One workload: what comes in to it, what it asks of others, and what its proxy costs.',
  variables: [
    {
      name: 'namespace',
      label: 'Namespace',
      kind: 'query',
      query: 'label_values(up{job="lateen-proxies"}, namespace)',
    },
    {
      name: 'workload',
      label: 'Workload',
      kind: 'query',
      query: 'label_values(up{job="lateen-proxies", namespace="$namespace"}, workload)',
    },
  ],
  rows: [
    {
      title: 'Now',
      panels: [
        stat('Incoming requests', 'reqps', 'Requests in a second that reach the workload, or that its proxy refuses.', [
          q(rate('istio_requests_total', IN), 'in'),
        ]),
        stat(
          'Incoming success rate',
          'percentunit',
          'Share of what comes in that was not answered with a 5xx.',
          [q(success(IN), 'success')],
          { limits: [0.99, 0.95], max: 1 },
        ),
        stat('Incoming p99', 'ms', 'Of a hundred requests that come in, ninety-nine were at most this slow.', [
          q(percentile(0.99, DURATION, IN), 'p99'),
        ]),
        stat('Outgoing requests', 'reqps', 'Requests in a second that the workload sends.', [
          q(rate('istio_requests_total', OUT), 'out'),
        ]),
        stat(
          'Outgoing success rate',
          'percentunit',
          'Share of what the workload asks for that was not answered with a 5xx.',
          [q(success(OUT), 'success')],
          { limits: [0.99, 0.95], max: 1 },
        ),
        stat('Outgoing p99', 'ms', 'Of a hundred requests that go out, ninety-nine were at most this slow.', [
          q(percentile(0.99, DURATION, OUT), 'p99'),
        ]),
      ],
    },
    traffic(
      'Incoming',
      IN,
      'source_workload, source_workload_namespace',
      '{{source_workload}}.{{source_workload_namespace}}',
    ),
    traffic('Outgoing', OUT, 'destination_service', '{{destination_service}}'),
    {
      title: 'Its proxies',
      panels: [
        curves('CPU', 'cores', 'Processor time of each proxy; 1 is one core.', [
          q(rate('process_cpu_seconds_total', OWN, 'pod'), '{{pod}}'),
        ]),
        curves('Memory', 'bytes', 'Resident memory of each proxy.', [
          q(`sum by (pod) (process_resident_memory_bytes{${OWN}})`, '{{pod}}'),
        ]),
      ],
    },
  ],
};

function traffic(way: 'Incoming' | 'Outgoing', selector: string, labels: string, legend: string): Row {
  const whom = way === 'Incoming' ? 'source' : 'destination';
  return {
    title: `${way} requests and connections`,
    panels: [
      curves(`${way} requests by ${whom} and response code`, 'reqps', `${way} requests in a second, by ${whom}.`, [
        q(rate('istio_requests_total', selector, `${labels}, response_code`), `${legend} {{response_code}}`),
      ]),
      curves(
        `${way} success rate by ${whom}`,
        'percentunit',
        `Share of the ${way.toLowerCase()} requests that were not answered with a 5xx, by ${whom}.`,
        [q(success(selector, labels), legend)],
        { min: 0, max: 1 },
      ),
      curves(`${way} request duration by ${whom}`, 'ms', `How long ${way.toLowerCase()} requests take, by ${whom}.`, [
        ...percentiles(DURATION, selector, labels, legend),
      ]),
      curves(
        `${way} request and response size by ${whom}`,
        'bytes',
        `How large ${way.toLowerCase()} requests and their responses are, heads and bodies: nine of ten are at most this large.`,
        [
          q(percentile(0.9, 'istio_request_bytes', selector, labels), `${legend} request p90`),
          q(percentile(0.9, 'istio_response_bytes', selector, labels), `${legend} response p90`),
        ],
      ),
      curves(
        `${way} TCP bytes by ${whom}`,
        'Bps',
        `Bytes in a second on ${way.toLowerCase()} connections that are not HTTP: received from the one who connected, sent to them.`,
        [
          q(rate('istio_tcp_received_bytes_total', selector, labels), `${legend} received`),
          q(rate('istio_tcp_sent_bytes_total', selector, labels), `${legend} sent`),
        ],
      ),
      curves(`${way} TCP connections by ${whom}`, 'cps', `${way} connections in a second that are not HTTP.`, [
        q(rate('istio_tcp_connections_opened_total', selector, labels), `${legend} opened`),
        q(rate('istio_tcp_connections_closed_total', selector, labels), `${legend} closed`),
      ]),
    ],
  };
}

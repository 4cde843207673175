/** One service, seen by those who call it and by those who answer. */
import { curves, percentile, percentiles, q, rate, stat, success, type Dashboard, type Row } from './panel.ts';

const DURATION = 'istio_request_duration_milliseconds';
const SELECTED =
  'reporter="$reporter", destination_service="$service", source_workload=~"$source", destination_version=~"$version"';
const SOURCE = 'source_workload, source_workload_namespace';
const TARGET = 'destination_workload, destination_version';

/** Envoy's counters of the clusters of the service, subsets and ports together. */
const tries = (what: string): string =>
  rate(`envoy_cluster_upstream_rq_${what}`, 'cluster_name=~"outbound[|].*[|]$service"');

export const service: Dashboard = {
  uid: 'lateen-service',
  title: 'Lateen: service',
  description: 'One service: who calls it, how it answers, and which of its versions is to blame.',
  variables: [
    {
      name: 'service',
      label: 'Service',
      kind: 'query',
      query: 'label_values({__name__=~"istio_requests_total|istio_tcp_connections_opened_total"}, destination_service)',
    },
    { name: 'reporter', label: 'Reporter', kind: 'choice', values: ['source', 'destination'] },
    {
      name: 'source',
      label: 'Source',
      kind: 'query',
      query:
        'label_values({__name__=~"istio_requests_total|istio_tcp_connections_opened_total", destination_service="$service"}, source_workload)',
      all: true,
    },
    {
      name: 'version',
      label: 'Version',
      kind: 'query',
      query:
        'label_values({__name__=~"istio_requests_total|istio_tcp_connections_opened_total", destination_service="$service"}, destination_version)',
      all: true,
    },
  ],
  rows: [
    {
      title: 'Now',
      panels: [
        stat(
          'Request volume',
          'reqps',
          'Requests in a second, of all callers that are selected.',
          [q(rate('istio_requests_total', SELECTED), 'requests')],
          { width: 6 },
        ),
        stat(
          'Success rate',
          'percentunit',
          'Share of the requests that were not answered with a 5xx.',
          [q(success(SELECTED), 'success')],
          { width: 6, limits: [0.99, 0.95], max: 1 },
        ),
        stat(
          'p50',
          'ms',
          'Half of the requests were at most this slow.',
          [q(percentile(0.5, DURATION, SELECTED), 'p50')],
          { width: 6 },
        ),
        stat(
          'p99',
          'ms',
          'Of a hundred requests, ninety-nine were at most this slow.',
          [q(percentile(0.99, DURATION, SELECTED), 'p99')],
          { width: 6 },
        ),
      ],
    },
    by('Who calls', 'source', SOURCE, '{{source_workload}}.{{source_workload_namespace}}'),
    by('Who answers', 'version', TARGET, '{{destination_version}} ({{destination_workload}})'),
    {
      title: 'Why requests fail',
      panels: [
        curves(
          'Requests by response flags',
          'reqps',
          "Envoy's response flags of requests that did not simply pass: UF and UH nobody could be reached, UO too many at once, UT too slow, URX tried often enough, NR no route, FI and DI faults that somebody injected, DC the caller went away.",
          [
            q(
              rate('istio_requests_total', `${SELECTED}, response_flags!="-"`, 'response_flags, response_code'),
              '{{response_flags}} {{response_code}}',
            ),
          ],
        ),
        curves('Requests by code', 'reqps', 'Requests in a second by the code of their response; 0: there was none.', [
          q(rate('istio_requests_total', SELECTED, 'response_code'), '{{response_code}}'),
        ]),
        curves(
          'Tries and retries',
          'reqps',
          'Tries in a second, as the proxies of callers count them: a request that is tried three times is one request and three tries. Retries hide failures from callers, and add to the load.',
          [
            q(tries('total'), 'tries'),
            q(`${tries('retry')} or 0 * ${tries('total')}`, 'tries after the first'),
            q(`${tries('retry_limit_exceeded')} or 0 * ${tries('total')}`, 'requests that ran out of tries'),
          ],
        ),
        curves(
          'gRPC messages',
          'ops',
          'Messages in a second on gRPC streams, to the service and back.',
          [
            q(rate('istio_request_messages_total', SELECTED), 'to the service'),
            q(rate('istio_response_messages_total', SELECTED), 'back'),
          ],
          { mayBeEmpty: 'where nobody speaks gRPC' },
        ),
      ],
    },
    {
      title: 'TCP',
      panels: [
        curves(
          'Bytes received',
          'Bps',
          'Bytes in a second that callers sent to the service, on connections that are not HTTP.',
          [
            q(
              rate('istio_tcp_received_bytes_total', SELECTED, SOURCE),
              '{{source_workload}}.{{source_workload_namespace}}',
            ),
          ],
        ),
        curves(
          'Bytes sent',
          'Bps',
          'Bytes in a second that callers got from the service, on connections that are not HTTP.',
          [
            q(
              rate('istio_tcp_sent_bytes_total', SELECTED, SOURCE),
              '{{source_workload}}.{{source_workload_namespace}}',
            ),
          ],
        ),
        curves(
          'Connections opened and closed',
          'cps',
          'TCP connections in a second. More opened than closed for long: they pile up.',
          [
            q(rate('istio_tcp_connections_opened_total', SELECTED, SOURCE), 'opened by {{source_workload}}'),
            q(rate('istio_tcp_connections_closed_total', SELECTED, SOURCE), 'closed by {{source_workload}}'),
          ],
          { width: 24 },
        ),
      ],
    },
  ],
};

/** The same five questions, by caller and by version. */
function by(title: string, whom: string, labels: string, legend: string): Row {
  return {
    title,
    panels: [
      curves(`Requests by ${whom} and response code`, 'reqps', `Requests in a second, by ${whom}.`, [
        q(rate('istio_requests_total', SELECTED, `${labels}, response_code`), `${legend} {{response_code}}`),
      ]),
      curves(
        `Success rate by ${whom}`,
        'percentunit',
        `Share of the requests that were not answered with a 5xx, by ${whom}.`,
        [q(success(SELECTED, labels), legend)],
        { min: 0, max: 1 },
      ),
      curves(`Response time by ${whom}`, 'ms', `How long requests take, by ${whom}: four percentiles.`, [
        ...percentiles(DURATION, SELECTED, labels, legend),
      ]),
      curves(`Response size by ${whom}`, 'bytes', `How large responses are, heads and bodies, by ${whom}.`, [
        q(percentile(0.5, 'istio_response_bytes', SELECTED, labels), `${legend} p50`),
        q(percentile(0.99, 'istio_response_bytes', SELECTED, labels), `${legend} p99`),
      ]),
      curves(
        `Request size by ${whom}`,
        'bytes',
        `How large requests are, heads and bodies, by ${whom}.`,
        [
          q(percentile(0.5, 'istio_request_bytes', SELECTED, labels), `${legend} p50`),
          q(percentile(0.99, 'istio_request_bytes', SELECTED, labels), `${legend} p99`),
        ],
        { width: 24 },
      ),
    ],
  };
}

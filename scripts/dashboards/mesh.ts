/** The mesh at a glance: what comes in, what fails, which services are slow. */
import { curves, percentile, q, rate, stat, success, table, type Dashboard } from './panel.ts';

/** Every request once, as its caller's proxy saw it; what was blocked on its way out is on the egress dashboard. */
const CALLS = 'reporter="source", destination_service_name!="BlackHoleCluster"';
const WORKLOAD = 'destination_service, destination_workload, destination_workload_namespace';
const DURATION = 'istio_request_duration_milliseconds';
const KNOWN = `${CALLS}, destination_workload!="unknown"`;

export const mesh: Dashboard = {
  uid: 'lateen-mesh',
  title: 'Lateen: mesh',
  description: 'The mesh at a glance: how much, how well, how fast, and who is in it.',
  variables: [],
  rows: [
    {
      title: 'Now',
      panels: [
        stat('Global request volume', 'reqps', 'Requests in a second, of all services together.', [
          q(rate('istio_requests_total', CALLS), 'requests'),
        ]),
        stat(
          'Global success rate (non-5xx responses)',
          'percentunit',
          'Share of the requests that were not answered with a 5xx. Below 99 % somebody notices.',
          [q(success(CALLS), 'success')],
          { limits: [0.99, 0.95], max: 1 },
        ),
        stat(
          '4xxs',
          'reqps',
          'Requests in a second that were answered with 4xx: the caller asked for what is not there, or may not.',
          [q(`${rate('istio_requests_total', `${CALLS}, response_code=~"4.."`)} or vector(0)`, '4xx')],
        ),
        stat(
          '5xxs',
          'reqps',
          'Requests in a second that were answered with 5xx: something is broken.',
          [q(`${rate('istio_requests_total', `${CALLS}, response_code=~"5.."`)} or vector(0)`, '5xx')],
          { limits: [0.01, 1] },
        ),
        stat('p99', 'ms', 'Of a hundred requests, ninety-nine were at most this slow; of all services together.', [
          q(percentile(0.99, DURATION, CALLS), 'p99'),
        ]),
        stat(
          'Proxies',
          'none',
          'Proxies that answer Prometheus. Fewer than there are pods: see the alert LateenProxyNotScraped.',
          [q('sum(up{job="lateen-proxies"})', 'proxies')],
        ),
      ],
    },
    {
      title: 'Services',
      panels: [
        curves('Request volume by service', 'reqps', 'Requests in a second that each service gets.', [
          q(rate('istio_requests_total', CALLS, 'destination_service'), '{{destination_service}}'),
        ]),
        curves(
          'Success rate by service',
          'percentunit',
          'Share of the requests to each service that were not answered with a 5xx.',
          [q(success(CALLS, 'destination_service'), '{{destination_service}}')],
          { min: 0, max: 1 },
        ),
        curves(
          '4xxs by service',
          'reqps',
          'Requests in a second that each service, or a policy before it, answered with 4xx.',
          [
            q(
              rate('istio_requests_total', `${CALLS}, response_code=~"4.."`, 'destination_service, response_code'),
              '{{destination_service}} {{response_code}}',
            ),
          ],
        ),
        curves(
          '5xxs by service',
          'reqps',
          'Requests in a second to each service that were answered with 5xx, and why (response flags).',
          [
            q(
              rate(
                'istio_requests_total',
                `${CALLS}, response_code=~"5.."`,
                'destination_service, response_code, response_flags',
              ),
              '{{destination_service}} {{response_code}} {{response_flags}}',
            ),
          ],
        ),
        curves('p99 by service', 'ms', 'Of a hundred requests to each service, ninety-nine were at most this slow.', [
          { ...q(percentile(0.99, DURATION, CALLS, 'destination_service'), '{{destination_service}}'), exemplar: true },
        ]),
        curves('TCP bytes by service', 'Bps', 'Bytes in a second of connections that are not HTTP, both ways.', [
          q(
            `${rate('istio_tcp_sent_bytes_total', CALLS, 'destination_service')} + ${rate('istio_tcp_received_bytes_total', CALLS, 'destination_service')}`,
            '{{destination_service}}',
          ),
        ]),
      ],
    },
    {
      title: 'Workloads',
      panels: [
        table(
          'HTTP and gRPC workloads',
          'reqps',
          'Every version of every service: requests, success and latency. Names lead to the dashboards of service and workload.',
          [
            q(rate('istio_requests_total', KNOWN, WORKLOAD), 'requests'),
            { ...q(success(KNOWN, WORKLOAD), 'success'), unit: 'percentunit' },
            { ...q(percentile(0.5, DURATION, KNOWN, WORKLOAD), 'p50'), unit: 'ms' },
            { ...q(percentile(0.9, DURATION, KNOWN, WORKLOAD), 'p90'), unit: 'ms' },
            { ...q(percentile(0.99, DURATION, KNOWN, WORKLOAD), 'p99'), unit: 'ms' },
          ],
          {
            links: {
              destination_service: '/d/lateen-service?var-service=${__value.raw}',
              destination_workload:
                '/d/lateen-workload?var-namespace=${__data.fields.destination_workload_namespace}&var-workload=${__value.raw}',
            },
          },
        ),
        table(
          'TCP workloads',
          'Bps',
          'Connections that are not HTTP: bytes in a second to (received) and from (sent) each destination, and new connections.',
          [
            q(rate('istio_tcp_received_bytes_total', CALLS, WORKLOAD), 'received'),
            q(rate('istio_tcp_sent_bytes_total', CALLS, WORKLOAD), 'sent'),
            { ...q(rate('istio_tcp_connections_opened_total', CALLS, WORKLOAD), 'opened'), unit: 'cps' },
          ],
          { links: { destination_service: '/d/lateen-service?var-service=${__value.raw}' } },
        ),
        curves(
          'Versions',
          'none',
          'Processes by version: of the proxies, and of the control API (pilot).',
          [q('sum by (component, tag) (istio_build)', '{{component}} {{tag}}')],
          { stacked: true },
        ),
        curves(
          'Proxies by state of configuration',
          'none',
          'SYNCED: runs what it was sent. REJECTED: keeps what it had, see the alert LateenConfigRejected. Of the control API.',
          [q('sum by (sync) (lateen_proxies)', '{{sync}}')],
          { stacked: true },
        ),
      ],
    },
  ],
};

/** What leaves the mesh, what is kept from leaving, and how the world outside answers. */
import { any, curves, percentile, q, rate, stat, success, table, type Dashboard } from './panel.ts';

const FROM = 'reporter="source", source_workload_namespace=~"$namespace", source_workload=~"$workload"';
/** Nobody's workload, and no service of the cluster: a ServiceEntry, or a host that nobody declared. */
const ALLOWED = `${FROM}, destination_workload="unknown", destination_service_name!="BlackHoleCluster", destination_service!~".*\\\\.svc\\\\.cluster\\\\.local|unknown"`;
const BLOCKED = `${FROM}, destination_service_name="BlackHoleCluster"`;
const UNDECLARED = `${FROM}, destination_service_name="PassthroughCluster"`;
const TO = 'destination_service';
const WHO = 'source_workload, source_workload_namespace, destination_service';
const LEGEND = '{{source_workload}} to {{destination_service}}';
const RANGE = '$__range';

const within = (metric: string, selector: string, by: string): string =>
  `sum by (${by}) (increase(${metric}{${selector}}[${RANGE}]))`;

export const egress: Dashboard = {
  uid: 'lateen-egress',
  title: 'Lateen: egress',
  description: 'What leaves the mesh, what is kept from leaving, and how the world outside answers.',
  variables: [
    {
      name: 'namespace',
      label: 'Namespace',
      kind: 'query',
      query: 'label_values(istio_requests_total{reporter="source"}, source_workload_namespace)',
      all: true,
    },
    {
      name: 'workload',
      label: 'Workload',
      kind: 'query',
      query:
        'label_values({__name__=~"istio_requests_total|istio_tcp_connections_opened_total", reporter="source", source_workload_namespace=~"$namespace"}, source_workload)',
      all: true,
    },
  ],
  rows: [
    {
      title: 'Now',
      panels: [
        stat(
          'HTTP out',
          'reqps',
          'Requests in a second that leave the mesh.',
          [q(rate('istio_requests_total', ALLOWED), 'out')],
          { width: 6 },
        ),
        stat(
          'Connections out',
          'cps',
          'New connections in a second that leave the mesh and are not HTTP.',
          [q(rate('istio_tcp_connections_opened_total', ALLOWED), 'out')],
          { width: 6 },
        ),
        stat(
          'Blocked',
          'ops',
          'Requests and connections in a second that were refused on their way out: nobody has declared where they go, and the policy is REGISTRY_ONLY.',
          [q(any(BLOCKED), 'blocked')],
          { width: 6, limits: [0.001, 1] },
        ),
        stat(
          'Not declared',
          'ops',
          'Requests and connections in a second to hosts that nobody has declared, let through by ALLOW_ANY.',
          [q(any(UNDECLARED), 'not declared')],
          { width: 6 },
        ),
      ],
    },
    {
      title: 'Blocked',
      panels: [
        curves(
          'Blocked requests',
          'reqps',
          'HTTP that was refused, by who tried and where to. A ServiceEntry for the host lets it out.',
          [q(rate('istio_requests_total', BLOCKED, WHO), LEGEND)],
        ),
        curves('Blocked connections', 'cps', 'Connections that were refused, by who tried and where to.', [
          q(rate('istio_tcp_connections_opened_total', BLOCKED, WHO), LEGEND),
        ]),
        table(
          'What was blocked',
          'none',
          'In the time that is shown: who tried, where to, how often. `./lateen egress --propose` prints ServiceEntries for it.',
          [
            q(
              `${within('istio_requests_total', BLOCKED, WHO)} or ${within('istio_tcp_connections_opened_total', BLOCKED, WHO)}`,
              'times',
            ),
          ],
          {
            links: {
              source_workload:
                '/d/lateen-workload?var-namespace=${__data.fields.source_workload_namespace}&var-workload=${__value.raw}',
            },
          },
        ),
      ],
    },
    {
      title: 'Let out',
      panels: [
        curves('Requests by destination', 'reqps', 'HTTP that left the mesh, by code of the response.', [
          q(rate('istio_requests_total', ALLOWED, `${TO}, response_code`), '{{destination_service}} {{response_code}}'),
        ]),
        curves(
          'Success rate by destination',
          'percentunit',
          'Share of the requests that the world outside did not answer with a 5xx, or left unanswered.',
          [q(success(ALLOWED, TO), '{{destination_service}}')],
          { min: 0, max: 1 },
        ),
        curves(
          'p99 by destination',
          'ms',
          'Of a hundred requests to each host outside, ninety-nine were at most this slow.',
          [q(percentile(0.99, 'istio_request_duration_milliseconds', ALLOWED, TO), '{{destination_service}}')],
        ),
        curves('Connections by destination', 'cps', 'New connections that are not HTTP, by who opened them.', [
          q(rate('istio_tcp_connections_opened_total', ALLOWED, WHO), LEGEND),
        ]),
        curves('Bytes out', 'Bps', 'Bytes in a second that went out on connections that are not HTTP.', [
          q(rate('istio_tcp_received_bytes_total', ALLOWED, WHO), LEGEND),
        ]),
        curves('Bytes in', 'Bps', 'Bytes in a second that came back on connections that are not HTTP.', [
          q(rate('istio_tcp_sent_bytes_total', ALLOWED, WHO), LEGEND),
        ]),
        table(
          'Who calls whom outside',
          'none',
          'In the time that is shown: requests and connections that left the mesh.',
          [
            q(
              `${within('istio_requests_total', ALLOWED, WHO)} or ${within('istio_tcp_connections_opened_total', ALLOWED, WHO)}`,
              'times',
            ),
          ],
          {
            links: {
              source_workload:
                '/d/lateen-workload?var-namespace=${__data.fields.source_workload_namespace}&var-workload=${__value.raw}',
              destination_service: '/d/lateen-service?var-service=${__value.raw}',
            },
          },
        ),
        table(
          'Not declared',
          'none',
          'Hosts that nobody has declared, in the time that is shown. With REGISTRY_ONLY they would be blocked.',
          [
            q(
              `${within('istio_requests_total', UNDECLARED, WHO)} or ${within('istio_tcp_connections_opened_total', UNDECLARED, WHO)}`,
              'times',
            ),
          ],
        ),
      ],
    },
  ],
};

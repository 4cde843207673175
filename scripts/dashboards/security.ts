/** Who is refused, who is known, and what is encrypted. */
import { any, curves, q, rate, stat, table, type Dashboard } from './panel.ts';

const IN = 'reporter="destination", destination_workload_namespace=~"$namespace"';
const DENIED = 'namespace=~"$namespace"';
const BY_POLICY = 'policy, source_workload, source_workload_namespace, request_protocol';
const SECURITY = 'connection_security_policy';
const PAIR = 'source_workload, source_principal, destination_workload, destination_service';
const RANGE = '$__range';
/** Connections that are not HTTP count, too. */
const mutual = (selector: string): string => any(`${IN}${selector}`);

export const security: Dashboard = {
  uid: 'lateen-security',
  title: 'Lateen: security',
  description:
    'Who is refused and by which policy, whose identity is known, what is encrypted, and whether policies arrive.',
  variables: [
    {
      name: 'namespace',
      label: 'Namespace',
      kind: 'query',
      query: 'label_values(up{job="lateen-proxies"}, namespace)',
      all: true,
    },
  ],
  rows: [
    {
      title: 'Now',
      panels: [
        stat(
          'Denials',
          'ops',
          'Requests and connections in a second that an authorization policy refused.',
          [q(`${rate('lateen_authz_denied_total', DENIED)} or vector(0)`, 'denied')],
          { width: 6, limits: [0.001, 10] },
        ),
        stat(
          'Encrypted',
          'percentunit',
          'Share of what comes in to workloads that came by mutual TLS.',
          [q(`${mutual(`, ${SECURITY}="mutual_tls"`)} / (${mutual('')} > 0)`, 'mutual TLS')],
          { width: 6, max: 1 },
        ),
        stat(
          '401 and 403',
          'reqps',
          'Requests in a second that workloads, or policies before them, answered with 401 or 403.',
          [q(`${rate('istio_requests_total', `${IN}, response_code=~"401|403"`)} or vector(0)`, '401, 403')],
          { width: 6 },
        ),
        stat(
          'Errors in configuration',
          'none',
          'Errors in what proxies were sent: what a broken policy should allow is not allowed.',
          [q(`sum(lateen_config_errors{${DENIED}})`, 'errors')],
          { width: 6, limits: [1, 1] },
        ),
      ],
    },
    {
      title: 'Denials',
      panels: [
        curves(
          'Denials by policy',
          'ops',
          'Refused by each policy; none: there are ALLOW policies, and no rule of them fits.',
          [q(rate('lateen_authz_denied_total', DENIED, 'policy'), '{{policy}}')],
        ),
        curves('Denials by caller', 'ops', 'Whom policies refuse. Unknown: nobody of the mesh.', [
          q(
            rate('lateen_authz_denied_total', DENIED, 'source_workload, source_workload_namespace, pod'),
            '{{source_workload}}.{{source_workload_namespace}} at {{pod}}',
          ),
        ]),
        table(
          'Who was refused',
          'none',
          'In the time that is shown: by which policy, how often. `./lateen explain` says why for one request.',
          [q(`sum by (${BY_POLICY}) (increase(lateen_authz_denied_total{${DENIED}}[${RANGE}]))`, 'times')],
        ),
        curves(
          '401, 403 and 429 by workload',
          'reqps',
          'Refused by a policy, by a limit, or by the application itself.',
          [
            q(
              rate(
                'istio_requests_total',
                `${IN}, response_code=~"401|403|429"`,
                'destination_workload, response_code',
              ),
              '{{destination_workload}} {{response_code}}',
            ),
          ],
        ),
        curves(
          'Blocked on the way out',
          'ops',
          'Requests and connections to hosts outside the mesh that were refused; more on the egress dashboard.',
          [
            q(
              `${rate('istio_requests_total', 'reporter="source", destination_service_name="BlackHoleCluster", source_workload_namespace=~"$namespace"', 'source_workload')} or ${rate('istio_tcp_connections_opened_total', 'reporter="source", destination_service_name="BlackHoleCluster", source_workload_namespace=~"$namespace"', 'source_workload')}`,
              '{{source_workload}}',
            ),
          ],
        ),
      ],
    },
    {
      title: 'Identity and encryption',
      panels: [
        curves(
          'Requests by security of the connection',
          'reqps',
          'With mutual_tls both ends have shown certificates; with none, anybody on the way can read along.',
          [q(rate('istio_requests_total', IN, SECURITY), '{{connection_security_policy}}')],
          { stacked: true },
        ),
        curves(
          'TCP connections by security',
          'cps',
          'The same for connections that are not HTTP.',
          [q(rate('istio_tcp_connections_opened_total', IN, SECURITY), '{{connection_security_policy}}')],
          { stacked: true },
        ),
        table(
          'Who talks to whom',
          'none',
          'In the time that is shown: requests by caller, by the identity that its certificate says, and by destination.',
          [q(`sum by (${PAIR}) (increase(istio_requests_total{${IN}}[${RANGE}]))`, 'requests')],
          { links: { destination_service: '/d/lateen-service?var-service=${__value.raw}' } },
        ),
        curves(
          'Certificates: time left',
          's',
          'How long the certificate of each workload is still good. They are renewed at half of their life.',
          [q('min by (pod, resource_name) (istio_agent_cert_expiry_seconds)', '{{pod}} {{resource_name}}')],
          { mayBeEmpty: 'without mutual TLS' },
        ),
        curves(
          'Root certificate: time left',
          's',
          "How long the mesh's root certificate is still good.",
          [q('min(citadel_server_root_cert_expiry_timestamp) - time()', 'root')],
          { mayBeEmpty: 'without mutual TLS' },
        ),
      ],
    },
    {
      title: 'Do policies arrive?',
      panels: [
        curves(
          'Proxies by state',
          'none',
          'STALE, REJECTED and DISCONNECTED proxies run older policies than those that are stored.',
          [q('sum by (sync) (lateen_proxies)', '{{sync}}')],
          { stacked: true },
        ),
        curves(
          'Resources accepted and refused',
          'ops',
          'What the control API was asked to store, in a second. A policy with an error in it is refused as a whole.',
          [
            q('rate(galley_validation_passed[$__rate_interval])', 'accepted'),
            q('rate(galley_validation_failed[$__rate_interval])', 'refused'),
          ],
        ),
      ],
    },
  ],
};

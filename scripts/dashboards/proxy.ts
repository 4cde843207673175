/** What the proxies themselves cost, and how near they are to their limits. */
import { curves, EACH, q, rate, type Dashboard, type Query } from './panel.ts';

const PODS = 'namespace=~"$namespace", pod=~"$pod"';

/** Counters that come into being with the first thing they count: until then they are 0, not missing. */
const orNone = (expr: string): string => `${expr} or 0 * max by (pod) (envoy_server_total_connections{${PODS}})`;
const pressure = (name: string, legend: string): Query =>
  q(`max by (pod) (envoy_overload_${name}_pressure{${PODS}})`, `{{pod}} ${legend}`);
const action = (name: string, legend: string): Query =>
  q(`max by (pod) (envoy_overload_envoy_overload_actions_${name}_scale_percent{${PODS}})`, `{{pod}} ${legend}`);
const refused = (metric: string, legend: string): Query => q(orNone(rate(metric, PODS, 'pod')), `{{pod}} ${legend}`);

export const proxy: Dashboard = {
  uid: 'lateen-proxy',
  title: 'Lateen: proxy performance',
  description: 'What the proxies cost, how near they are to their limits, and whether they follow their configuration.',
  variables: [
    {
      name: 'namespace',
      label: 'Namespace',
      kind: 'query',
      query: 'label_values(up{job="lateen-proxies"}, namespace)',
      all: true,
    },
    {
      name: 'pod',
      label: 'Pod',
      kind: 'query',
      query: 'label_values(up{job="lateen-proxies", namespace=~"$namespace"}, pod)',
      all: true,
    },
  ],
  rows: [
    {
      title: 'Cost',
      panels: [
        curves('CPU', 'cores', 'Processor time of each proxy, all its threads; 1 is one core.', [
          q(rate('process_cpu_seconds_total', PODS, 'pod'), '{{pod}}'),
        ]),
        curves(
          'CPU for 1000 requests a second',
          'cores',
          'Processor time of each proxy against the requests it carried, scaled to 1000 a second. Meaningless where hardly any came.',
          [
            q(
              `1000 * ${rate('process_cpu_seconds_total', PODS, 'pod')} / (${rate('istio_requests_total', PODS, 'pod')} > 0)`,
              '{{pod}}',
            ),
          ],
        ),
        curves(
          'Resident memory',
          'bytes',
          'Memory of each proxy as the system counts it. A slope that never ends is a leak.',
          [q(`sum by (pod) (process_resident_memory_bytes{${PODS}})`, '{{pod}}')],
        ),
        curves(
          'JavaScript heap of the main thread',
          'bytes',
          'Used heap of the thread that reads configuration and answers scrapes. Workers have heaps of their own: see pressure.',
          [q(`sum by (pod) (nodejs_heap_size_used_bytes{${PODS}})`, '{{pod}}')],
        ),
      ],
    },
    {
      title: 'Load',
      panels: [
        curves('Connections of clients', 'none', 'Connections that are open to each proxy.', [
          q(`sum by (pod) (envoy_server_total_connections{${PODS}})`, '{{pod}}'),
        ]),
        curves('Requests under way', 'none', 'Requests that each proxy has begun and not ended.', [
          q(`sum by (pod) (envoy_server_total_requests_active{${PODS}})`, '{{pod}}'),
        ]),
        curves(
          'Delay of the event loop',
          'ms',
          'By how much the slowest worker of each proxy is late, while requests come. Every request waits this long, more than once.',
          [q(`max by (pod) (lateen_event_loop_delay_ms{${PODS}})`, '{{pod}}')],
        ),
        curves(
          'Open files and sockets',
          'percentunit',
          'Of those that each proxy may open.',
          [q(`sum by (pod) (process_open_fds{${PODS}}) / sum by (pod) (process_max_fds{${PODS}})`, '{{pod}}')],
          { min: 0 },
        ),
      ],
    },
    {
      title: 'Overload',
      panels: [
        curves(
          'Pressure',
          'percent',
          'How near each proxy is to its limits of memory, requests and event loop. From its thresholds on it acts: see beside.',
          [
            pressure('envoy_resource_monitors_fixed_heap', 'heap'),
            pressure('envoy_resource_monitors_cgroup_memory', 'memory'),
            pressure('lateen_resource_monitors_active_requests', 'requests'),
            pressure('lateen_resource_monitors_event_loop_delay', 'event loop'),
          ],
          { min: 0, max: 100 },
        ),
        curves(
          'Actions',
          'percent',
          'What each proxy does about it: closes idle connections, refuses requests (503), refuses connections.',
          [
            action('disable_http_keepalive', 'no keep-alive'),
            action('stop_accepting_requests', 'refuses requests'),
            action('reject_incoming_connections', 'refuses connections'),
          ],
          { min: 0, max: 100 },
        ),
        curves(
          'Refused',
          'ops',
          'Requests and connections in a second that each proxy refused: overloaded, or as many connections as its listener, its process or their address may have.',
          [
            refused('envoy_http_downstream_rq_overload_close', 'requests'),
            refused('envoy_listener_downstream_cx_overload_reject', 'connections, memory'),
            refused('envoy_listener_downstream_cx_overflow', 'connections, listener'),
            refused('envoy_listener_downstream_global_cx_overflow', 'connections, process'),
            refused('lateen_listener_downstream_cx_address_overflow', 'connections, address'),
          ],
          { width: 24 },
        ),
      ],
    },
    {
      title: 'Configuration',
      panels: [
        curves(
          'Control API',
          'none',
          '1: the proxy has its stream open. 0: it goes on with what it has, and gets no changes.',
          [q(`min by (pod) (envoy_control_plane_connected_state{${PODS}})`, '{{pod}}')],
          { min: 0, max: 1 },
        ),
        curves(
          'Errors and listeners',
          'none',
          'Errors in the configuration of each proxy, and listeners whose port somebody else has. Both should be 0.',
          [
            q(`sum by (pod) (lateen_config_errors{${PODS}})`, '{{pod}} errors'),
            q(`sum by (pod) (lateen_listeners_unbound{${PODS}})`, '{{pod}} listeners not bound'),
          ],
        ),
        curves(
          'Age of the configuration',
          's',
          'Since the configuration in force came into force. It drops to 0 with each change that concerns the proxy.',
          [q(`max by (pod) (time() - lateen_config_applied_timestamp_seconds{${PODS}})`, '{{pod}}')],
          { width: 24 },
        ),
      ],
    },
    {
      title: 'Telemetry',
      panels: [
        curves(
          'Spans',
          'ops',
          'Spans in a second that collectors have taken, and that were lost because one was slow, down or refused them.',
          [
            q(rate('lateen_spans_sent_total', PODS, 'pod, collector'), '{{pod}} sent to {{collector}}'),
            q(rate('lateen_spans_dropped_total', PODS, 'pod, collector'), '{{pod}} lost for {{collector}}'),
          ],
        ),
        curves(
          'Lost lines of access logs',
          'ops',
          'Lines in a second that could not be written in time: disk or reader are too slow.',
          [q(rate('lateen_access_log_dropped_lines_total', PODS, 'pod'), '{{pod}}')],
        ),
        curves(
          'Size of a scrape',
          'none',
          'Samples that Prometheus gets from each proxy. It grows with the pairs of workloads that talk, not with requests.',
          [q(`max by (pod) (scrape_samples_scraped{${PODS}})`, '{{pod}}')],
        ),
        curves(
          'Duration of a scrape',
          's',
          'How long each proxy takes to answer Prometheus. Requests do not wait for it.',
          [q(`max by (pod) (scrape_duration_seconds{${PODS}})`, '{{pod}}')],
        ),
        curves(
          'Metrics over their limit',
          'ops',
          'New label sets in a second that were counted as "other", because their metric had as many as it may have.',
          [q(orNone(rate('lateen_metric_overflow_total', PODS, 'pod')), '{{pod}}')],
        ),
        curves(
          'DNS questions',
          'ops',
          'Questions in a second by what came of them.',
          [q(rate('lateen_dns_requests_total', PODS, 'pod, result'), '{{pod}} {{result}}')],
          { mayBeEmpty: 'where proxies do not answer DNS (--dns-capture)' },
        ),
        curves(
          'Garbage collection',
          'percentunit',
          'Share of its time that the main thread of each proxy spends collecting garbage.',
          [q(`sum by (pod) (rate(nodejs_gc_duration_seconds_sum{${PODS}}[${EACH}]))`, '{{pod}}')],
          { width: 24 },
        ),
      ],
    },
  ],
};

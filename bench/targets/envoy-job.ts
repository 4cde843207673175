/** A job in Envoy's words: the whole bootstrap as JSON, with the filters and defaults that Istio gives its proxies. */
import type { Place } from './candidate.ts';
import type { Job, JobMatch, JobPlaces, JobRoute } from './job.ts';

const TYPE = 'type.googleapis.com/envoy.extensions.filters';

export type EnvoyPlace = { readonly address: string; readonly port: number; readonly adminPort: number };

/** One listener at `place` that does `job`. `accessLog` is the file for it. */
export function envoyJob(job: Job, place: EnvoyPlace, { origin, collector }: JobPlaces, accessLog: string): string {
  const clusters = job.weights ? [cluster('v1', origin), cluster('v3', origin)] : [cluster('origin', origin)];
  return JSON.stringify({
    admin: { address: at({ host: place.address, port: place.adminPort }) },
    node: { id: 'bench', cluster: 'bench.default' },
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: at({ host: place.address, port: place.port }),
          filter_chains: [{ filters: [job.opaque ? relay(accessLog) : manager(job, accessLog)] }],
        },
      ],
      clusters: job.tracing === null ? clusters : [...clusters, cluster('zipkin', collector)],
    },
  });
}

const relay = (accessLog: string): object => ({
  name: 'envoy.filters.network.tcp_proxy',
  typed_config: {
    '@type': `${TYPE}.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: 'in',
    cluster: 'origin',
    access_log: [fileLog(accessLog)],
  },
});

function manager(job: Job, accessLog: string): object {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'in',
      codec_type: 'AUTO',
      server_name: 'istio-envoy',
      use_remote_address: false,
      generate_request_id: true,
      normalize_path: true,
      stream_idle_timeout: '0s',
      upgrade_configs: [{ upgrade_type: 'websocket' }],
      ...(job.tracing === null ? {} : { tracing: tracing(job.tracing) }),
      ...(job.log ? { access_log: [fileLog(accessLog)] } : {}),
      http_filters: [
        ...(job.authz ? [DENY_ADMIN] : []),
        filter('fault', 'fault.v3.HTTPFault'),
        filter('cors', 'cors.v3.Cors'),
        filter('router', 'router.v3.Router'),
      ],
      route_config: {
        ignore_port_in_host_matching: true,
        virtual_hosts: job.hosts.map(({ name, routes }) => ({
          name,
          domains: [name],
          include_request_attempt_count: true,
          routes: routes.map((each) => route(job, each)),
        })),
      },
    },
  };
}

const filter = (name: string, type: string): object => ({
  name: `envoy.filters.http.${name}`,
  typed_config: { '@type': `${TYPE}.http.${type}` },
});

const DENY_ADMIN = {
  name: 'envoy.filters.http.rbac',
  typed_config: {
    '@type': `${TYPE}.http.rbac.v3.RBAC`,
    rules: {
      action: 'DENY',
      policies: {
        'ns[istio-system]-policy[deny-admin]-rule[0]': {
          permissions: [
            {
              and_rules: {
                rules: [
                  { url_path: { path: { prefix: '/admin' } } },
                  { header: { name: ':method', string_match: { exact: 'DELETE' } } },
                ],
              },
            },
          ],
          principals: [{ any: true }],
        },
      },
    },
  },
};

function route(job: Job, { name, match }: JobRoute): object {
  const set = (key: string, value: string): object => ({
    header: { key, value },
    append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
  });
  return {
    name,
    match: matchOf(match),
    ...(job.headers
      ? {
          request_headers_to_add: [set('x-bench', 'yes')],
          request_headers_to_remove: ['x-secret'],
          response_headers_to_add: [set('x-served-by', 'mesh')],
        }
      : {}),
    route: {
      timeout: '0s',
      retry_policy: {
        retry_on: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
        num_retries: 2,
      },
      ...(job.weights
        ? {
            weighted_clusters: {
              clusters: [
                { name: 'v1', weight: 90 },
                { name: 'v3', weight: 10 },
              ],
            },
          }
        : { cluster: 'origin' }),
    },
  };
}

function matchOf({ path, header }: JobMatch): object {
  return {
    ...(path === undefined ? { prefix: '/' } : { [path.kind === 'exact' ? 'path' : 'prefix']: path.value }),
    ...(header === undefined ? {} : { headers: [{ name: header.name, string_match: { exact: header.value } }] }),
  };
}

function tracing(percent: number): object {
  return {
    client_sampling: { value: 100 },
    random_sampling: { value: percent },
    overall_sampling: { value: 100 },
    provider: {
      name: 'envoy.tracers.zipkin',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.config.trace.v3.ZipkinConfig',
        collector_cluster: 'zipkin',
        collector_endpoint: '/api/v2/spans',
        collector_endpoint_version: 'HTTP_JSON',
        trace_id_128bit: true,
        shared_span_context: false,
      },
    },
  };
}

/** The fields of Istio's JSON log (istio/istio, pilot/pkg/model/telemetry_logging.go). */
function fileLog(path: string): object {
  return {
    name: 'envoy.access_loggers.file',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
      path,
      log_format: {
        json_format: {
          start_time: '%START_TIME%',
          route_name: '%ROUTE_NAME%',
          method: '%REQ(:METHOD)%',
          path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
          protocol: '%PROTOCOL%',
          response_code: '%RESPONSE_CODE%',
          response_flags: '%RESPONSE_FLAGS%',
          response_code_details: '%RESPONSE_CODE_DETAILS%',
          connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
          bytes_received: '%BYTES_RECEIVED%',
          bytes_sent: '%BYTES_SENT%',
          duration: '%DURATION%',
          upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
          x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
          user_agent: '%REQ(USER-AGENT)%',
          request_id: '%REQ(X-REQUEST-ID)%',
          authority: '%REQ(:AUTHORITY)%',
          upstream_host: '%UPSTREAM_HOST%',
          upstream_cluster: '%UPSTREAM_CLUSTER_RAW%',
          upstream_local_address: '%UPSTREAM_LOCAL_ADDRESS%',
          downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
          downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
          requested_server_name: '%REQUESTED_SERVER_NAME%',
          upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
        },
      },
    },
  };
}

const at = ({ host, port }: Place): object => ({ socket_address: { address: host, port_value: port } });

function cluster(name: string, place: Place): object {
  return {
    name,
    connect_timeout: '10s',
    type: 'STATIC',
    // Istio's default for outbound clusters; Envoy's own 1024 would refuse at 10,000 connections.
    circuit_breakers: {
      thresholds: [
        {
          max_connections: 4294967295,
          max_pending_requests: 4294967295,
          max_requests: 4294967295,
          max_retries: 4294967295,
        },
      ],
    },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: at(place) } }] }] },
  };
}

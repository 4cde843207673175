/** The same routes, requests and log formats for ours and for a real Envoy: what each command operator shows of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { plainTelemetry } from '#proxy/compile/telemetry.ts';
import { clusterName, routeName } from '#proxy/core/brand.ts';
import type { Route } from '#proxy/snapshot/route.ts';
import type { LogSettings } from '#proxy/snapshot/telemetry.ts';
import { cluster, endpoint, route, startProxy } from '../kit/proxy.ts';
import { runEnvoy } from './envoy.ts';

/** How values are compared: to be equal, or to look alike (times, ports and ids differ between any two runs). */
export type Comparison = 'equal' | RegExp;

const HOST_PORT = /^127\.[\d.]+:\d+$/;
const HOST = /^127\.[\d.]+$/;
const NUMBER = /^\d+$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Every operator that Lateen fills, but for those of its own, of the wire (its bytes are counted otherwise) and of traces. */
export const COMPARED: Readonly<Record<string, Comparison>> = {
  '%START_TIME%': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  '%START_TIME(%Y-%m-%d %a %j %H:%M %z)%': /^\d{4}-\d\d-\d\d [A-Z][a-z]{2} \d{3} \d\d:\d\d \+0000$/,
  '%START_TIME(%s.%3f)%': /^\d{10}\.\d{3}$/,
  '%START_TIME_LOCAL%': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}$/,
  '%EMIT_TIME%': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  '%REQ(:METHOD)%': 'equal',
  '%REQ(:PATH)%': 'equal',
  '%REQ(:SCHEME)%': 'equal',
  '%REQ(:AUTHORITY)%': 'equal',
  '%REQ(HOST):3%': 'equal',
  '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%': 'equal',
  '%REQ(X-NONE?X-MULTI)%': 'equal',
  '%REQ(x-empty)%': 'equal',
  '%REQ(X-NONE)%': 'equal',
  '%REQ(USER-AGENT):4%': 'equal',
  '%REQ(X-REQUEST-ID)%': UUID,
  '%REQ(X-ENVOY-ATTEMPT-COUNT)%': 'equal',
  '%RESP(:STATUS)%': 'equal',
  '%RESP(X-A)%': 'equal',
  '%RESP(X-NONE?SERVER)%': 'equal',
  '%RESP(CONTENT-TYPE)%': 'equal',
  '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%': NUMBER,
  '%TRAILER(X-T)%': 'equal',
  '%PROTOCOL%': 'equal',
  '%UPSTREAM_PROTOCOL%': 'equal',
  '%RESPONSE_CODE%': 'equal',
  '%RESPONSE_FLAGS%': 'equal',
  '%RESPONSE_FLAGS_LONG%': 'equal',
  '%RESPONSE_CODE_DETAILS%': 'equal',
  '%CONNECTION_TERMINATION_DETAILS%': 'equal',
  '%BYTES_RECEIVED%': 'equal',
  '%BYTES_SENT%': 'equal',
  '%DURATION%': NUMBER,
  '%REQUEST_DURATION%': NUMBER,
  '%REQUEST_TX_DURATION%': NUMBER,
  '%RESPONSE_DURATION%': NUMBER,
  '%RESPONSE_TX_DURATION%': NUMBER,
  '%COMMON_DURATION(DS_RX_BEG:DS_TX_END:ms)%': NUMBER,
  '%COMMON_DURATION(DS_RX_BEG:US_TX_BEG:us)%': NUMBER,
  '%COMMON_DURATION(US_TX_BEG:US_RX_BEG:ns)%': NUMBER,
  '%UPSTREAM_HOST%': HOST_PORT,
  '%UPSTREAM_HOST_NAME%': HOST_PORT,
  '%UPSTREAM_HOST_NAME_WITHOUT_PORT%': 'equal',
  '%UPSTREAM_CLUSTER%': 'equal',
  '%UPSTREAM_CLUSTER_RAW%': 'equal',
  '%UPSTREAM_LOCAL_ADDRESS%': HOST_PORT,
  '%UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%': HOST,
  '%UPSTREAM_LOCAL_PORT%': NUMBER,
  '%UPSTREAM_REMOTE_ADDRESS%': 'equal',
  '%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%': 'equal',
  '%UPSTREAM_REMOTE_PORT%': 'equal',
  '%UPSTREAM_TRANSPORT_FAILURE_REASON%': 'equal',
  '%UPSTREAM_REQUEST_ATTEMPT_COUNT%': 'equal',
  '%DOWNSTREAM_REMOTE_ADDRESS%': HOST_PORT,
  '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%': 'equal',
  '%DOWNSTREAM_REMOTE_PORT%': NUMBER,
  '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%': HOST_PORT,
  '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%': 'equal',
  '%DOWNSTREAM_DIRECT_REMOTE_PORT%': NUMBER,
  '%DOWNSTREAM_LOCAL_ADDRESS%': HOST_PORT,
  '%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%': HOST,
  '%DOWNSTREAM_LOCAL_PORT%': NUMBER,
  '%DOWNSTREAM_DIRECT_LOCAL_ADDRESS%': HOST_PORT,
  '%DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT%': HOST,
  '%DOWNSTREAM_DIRECT_LOCAL_PORT%': NUMBER,
  '%DOWNSTREAM_PEER_URI_SAN%': 'equal',
  '%REQUESTED_SERVER_NAME%': 'equal',
  '%ROUTE_NAME%': 'equal',
  '%VIRTUAL_CLUSTER_NAME%': 'equal',
  '%ENVIRONMENT(HOME):3%': 'equal',
  '%ENVIRONMENT(LATEEN_NO_SUCH_VARIABLE)%': 'equal',
  '%STREAM_ID%': UUID,
  '%UNIQUE_ID%': UUID,
  '%CONNECTION_ID%': NUMBER,
  '%GRPC_STATUS%': 'equal',
  '%GRPC_STATUS(SNAKE_STRING)%': 'equal',
  '%GRPC_STATUS(NUMBER)%': 'equal',
  '%GRPC_STATUS_NUMBER%': 'equal',
  '%DYNAMIC_METADATA(a:b)%': 'equal',
  '%FILTER_STATE(a)%': 'equal',
  '%ACCESS_LOG_TYPE%': 'equal',
  '%PATH%': 'equal',
  '%PATH(NQ)%': 'equal',
  '%PATH(WQ:ORIG)%': 'equal',
  '%PATH(NQ:PATH)%': 'equal',
  '%QUERY_PARAM(a):2%': 'equal',
  '%QUERY_PARAM(b)%': 'equal',
  '%QUERY_PARAMS%': 'equal',
  '%QUERY_PARAMS(DECODED)%': 'equal',
  'a%%b %RESPONSE_CODE%%PROTOCOL% %REQ(X-NONE)%': 'equal',
};

export const OPERATORS = Object.keys(COMPARED);
/** Stands between the values of a line of text. */
export const BETWEEN = ' <> ';
const TEXT = `${OPERATORS.join(BETWEEN)}\n`;
const JSON_FIELDS = Object.fromEntries(OPERATORS.map((operator) => [operator, operator]));

export type Logs = AsyncDisposable & {
  readonly host: string;
  readonly port: number;
  /** Lines so far. */
  json(): Record<string, unknown>[];
  text(): string[];
};

/** Loopback addresses and ports of what both send to. Nobody listens at `refused`. */
export type Upstreams = { readonly host: string; readonly origin: number; readonly refused: number };

const lines = (file: string): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1);
const parsed = (file: string): Record<string, unknown>[] =>
  lines(file).map((line) => JSON.parse(line) as Record<string, unknown>);

/** Null: Envoy is not installed. */
export async function envoyLogs(address: string, to: Upstreams): Promise<Logs | null> {
  let log = '';
  const envoy = await runEnvoy(address, (file) => {
    log = file;
    return bootstrap(address, to, file);
  });
  if (envoy === null) return null;
  return {
    host: address,
    port: envoy.port('outbound'),
    json: () => parsed(log),
    text: () => lines(`${log}.text`),
    [Symbol.asyncDispose]: () => envoy[Symbol.asyncDispose](),
  };
}

/** In the test's process, writing to `dir`. */
export async function ourLogs(dir: string, to: Upstreams): Promise<Logs> {
  const files = { json: join(dir, 'ours.json'), text: join(dir, 'ours.text') };
  const settings = (format: LogSettings['format'], path: string): LogSettings => ({
    format,
    filter: null,
    percent: 100,
    path,
    source: null,
  });
  const proxy = await startProxy({
    clusters: [cluster('origin'), cluster('refused')],
    endpoints: { origin: [endpoint(to.origin, to.host)], refused: [endpoint(to.refused, to.host)] },
    routes: ROUTES,
  });
  const client = [
    settings({ kind: 'json', fields: JSON_FIELDS }, files.json),
    settings({ kind: 'text', format: TEXT }, files.text),
  ];
  await proxy.apply({ telemetry: { ...plainTelemetry(0, false), logs: { client, server: [] } } });
  return {
    host: '127.0.0.1',
    port: proxy.port,
    json: () => parsed(files.json),
    text: () => lines(files.text),
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

const at = (prefix: string): Route['match'] => ({ ...route().match, path: { kind: 'prefix', value: prefix } });
const to = (name: string, rewrite: { matched: string; by: string } | null = null): Route['action'] => ({
  kind: 'forward',
  split: [{ cluster: clusterName(name), weight: 1, requestHeaders: null, responseHeaders: null }],
  rewrite: rewrite === null ? null : { path: { kind: 'prefix', ...rewrite, ignoreCase: false }, authority: null },
});
const ROUTES: readonly Route[] = [
  route({ name: routeName('none'), match: at('/none'), action: to('nowhere') }),
  route({ name: routeName('refused'), match: at('/refused'), action: to('refused') }),
  route({
    name: routeName(''),
    match: at('/direct'),
    action: { kind: 'direct', status: 418, body: 'short', bodyIsBase64: false },
  }),
  route({ name: routeName('r'), match: at('/rw'), action: to('origin', { matched: '/rw', by: '/new' }) }),
  route({ name: routeName('r'), match: at('/'), action: to('origin') }),
];

const TYPE = 'type.googleapis.com/envoy.extensions';
const socket = (address: string, port: number): object => ({ socket_address: { address, port_value: port } });

function bootstrap(address: string, upstreams: Upstreams, log: string): object {
  const file = (path: string, format: object): object => ({
    name: 'envoy.access_loggers.file',
    typed_config: { '@type': `${TYPE}.access_loggers.file.v3.FileAccessLog`, path, log_format: format },
  });
  const manager = {
    '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'outbound',
    generate_request_id: true,
    http_protocol_options: { enable_trailers: true },
    access_log: [
      file(log, { json_format: JSON_FIELDS }),
      file(`${log}.text`, { text_format_source: { inline_string: TEXT } }),
    ],
    http_filters: [
      { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } },
    ],
    route_config: {
      validate_clusters: false,
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          include_request_attempt_count: true,
          routes: [
            { name: 'none', match: { prefix: '/none' }, route: { cluster: 'nowhere' } },
            { name: 'refused', match: { prefix: '/refused' }, route: { cluster: 'refused' } },
            { match: { prefix: '/direct' }, direct_response: { status: 418, body: { inline_string: 'short' } } },
            { name: 'r', match: { prefix: '/rw' }, route: { cluster: 'origin', prefix_rewrite: '/new' } },
            { name: 'r', match: { prefix: '/' }, route: { cluster: 'origin' } },
          ],
        },
      ],
    },
  };
  const clusterOf = (name: string, port: number): object => ({
    name,
    type: 'STATIC',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http_protocol_options: { enable_trailers: true } },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socket(upstreams.host, port) } }] }],
    },
  });
  return {
    admin: { address: socket(address, 0) },
    static_resources: {
      listeners: [
        {
          name: 'outbound',
          address: socket(address, 0),
          filter_chains: [
            { filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] },
          ],
        },
      ],
      clusters: [clusterOf('origin', upstreams.origin), clusterOf('refused', upstreams.refused)],
    },
  };
}

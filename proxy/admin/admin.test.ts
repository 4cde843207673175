import assert from 'node:assert/strict';
import { createServer, request as httpRequest, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { describe, test } from 'vitest';
import { clusterName } from '../core/brand.ts';
import { SeriesWriter } from '../core/registry.ts';
import { SeriesReader } from '../core/series-reader.ts';
import { LiveCluster } from '../live/cluster.ts';
import { LiveEndpoint } from '../live/endpoint.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { EgressRow } from '../core/egress.ts';
import { createExposition } from '../telemetry/prometheus.ts';
import { startAdmin, type AdminServers, type Bind } from './admin.ts';
import { clusterStates } from './cluster-state.ts';
import type { AdminContext, LogLevel } from './context.ts';

const ratings = {
  name: clusterName('outbound|9080||ratings.default.svc.cluster.local'),
  maxConnections: 10,
  maxPendingRequests: 20,
  maxRequests: 30,
  tls: { keyFile: '/etc/key.pem', token: 'hush' },
} as unknown as Cluster;

const snapshot = {
  version: 'abc',
  node: { name: 'reviews-v1-0' },
  listeners: [{ name: 'outbound_15001', address: '127.1.0.1', port: 15_001 }],
  tables: {},
  clusters: { [ratings.name]: ratings },
  telemetry: {},
  pathNormalization: 'BASE',
} as unknown as Snapshot;

/** Admin servers over a proxy that notes what it is told to do. */
async function serving(change: Partial<AdminContext> = {}, appMetrics: string | null = null) {
  const told: string[] = [];
  const reader = new SeriesReader();
  const writer = new SeriesWriter((a) => reader.accept(1, a));
  writer
    .counter({ name: 'istio_requests_total', help: 'R.', type: 'counter', labels: ['reporter'], bounds: [], kept: 1 }, [
      'source',
    ])
    .add(7);
  const live = new LiveCluster(ratings);
  const endpoint = new LiveEndpoint('127.1.0.4', 9080);
  endpoint.active = 2;
  live.endpoints = [endpoint];
  live.active = 2;
  let level: LogLevel = 'info';
  const context: AdminContext = {
    version: '1.0.0',
    startedAt: Date.now() - 5000,
    snapshot: () => snapshot,
    discovery: () => ({ endpoints: {}, workloads: {} }),
    problems: () => [{ severity: 'error', path: 'spec.http', message: 'wrong' }],
    state: () => 'LIVE',
    notReady: () => [],
    clusters: () => Promise.resolve([clusterStates([live]), clusterStates([live])]),
    egress: () => Promise.resolve([]),
    limits: { maxConnections: 5 },
    load: () => [{ name: 'overload.envoy.resource_monitors.fixed_heap.pressure', value: 7 }],
    exposition: createExposition(reader, '1.0.0', false),
    drain: (inboundOnly) => told.push(`drain ${inboundOnly}`),
    failHealth: (failing) => told.push(`fail ${failing}`),
    reopenLogs: () => told.push('reopen'),
    quit: () => told.push('quit'),
    logLevel: () => level,
    setLogLevel: (to) => (level = to),
    ...change,
  };
  const any = { host: '127.0.0.1', port: 0 };
  const servers = await startAdmin({ admin: any, metrics: any, merged: any, ready: any, appMetrics }, context);
  return { told, servers, [Symbol.asyncDispose]: () => servers.close() };
}

type Got = { status: number; headers: IncomingHttpHeaders; body: Buffer; text: string };

function ask(to: Bind | null, path: string, method = 'GET', headers: Record<string, string> = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const { host, port } = to!;
    const request = httpRequest({ host, port, path, method, headers, agent: false }, (response) => {
      response.toArray().then((chunks) => {
        const body = Buffer.concat(chunks as Buffer[]);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, text: body.toString() });
      }, reject);
    });
    request.on('error', reject).end();
  });
}

describe('admin port', () => {
  test('shows the configuration in force, with secrets taken out', async () => {
    await using proxy = await serving();
    const { status, headers, text } = await ask(proxy.servers.admin, '/config_dump');
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'application/json');
    const dump = JSON.parse(text) as { version: string; clusters: Record<string, { tls: object }>; problems: object[] };
    assert.equal(dump.version, 'abc');
    assert.deepEqual(dump.clusters[ratings.name]!.tls, { keyFile: '/etc/key.pem', token: '[redacted]' });
    assert.equal(dump.problems.length, 1);
  });

  test('shows one part of it when asked to, and says which parts there are', async () => {
    await using proxy = await serving();
    const { text } = await ask(proxy.servers.admin, '/config_dump?resource=listeners');
    assert.deepEqual(Object.keys(JSON.parse(text) as object), ['version', 'listeners']);
    const bad = await ask(proxy.servers.admin, '/config_dump?resource=__proto__');
    assert.equal(bad.status, 400);
    assert.match(bad.text, /expected one of version, node, listeners/);
  });

  test('lists clusters in the form of Envoy, summed over workers', async () => {
    await using proxy = await serving();
    const { text } = await ask(proxy.servers.admin, '/clusters');
    const lines = text.split('\n');
    const name = 'outbound|9080||ratings.default.svc.cluster.local';
    assert.ok(lines.includes(`${name}::default_priority::max_connections::10`));
    assert.ok(lines.includes(`${name}::127.1.0.4:9080::rq_active::4`));
    assert.ok(lines.includes(`${name}::127.1.0.4:9080::health_flags::healthy`));
    const { cluster_statuses: statuses } = JSON.parse((await ask(proxy.servers.admin, '/clusters?format=json')).text);
    assert.deepEqual(statuses[0].host_statuses[0].address.socket_address, { address: '127.1.0.4', port_value: 9080 });
    assert.equal(statuses[0].host_statuses[0].health_status.eds_health_status, 'HEALTHY');
  });

  test('gives stats as text, JSON and Prometheus, filtered by an expression', async () => {
    await using proxy = await serving();
    const { text } = await ask(proxy.servers.admin, '/stats?filter=upstream_rq_active$');
    assert.equal(text, 'cluster.outbound|9080||ratings.default.svc.cluster.local.upstream_rq_active: 4\n');
    const all = JSON.parse((await ask(proxy.servers.admin, '/stats?format=json')).text) as {
      stats: { name: string }[];
    };
    assert.ok(all.stats.some(({ name }) => name === 'server.uptime'));
    for (const path of ['/stats?format=prometheus', '/stats/prometheus']) {
      assert.match((await ask(proxy.servers.admin, path)).text, /^istio_requests_total\{reporter="source"\} 7$/m);
    }
    assert.equal((await ask(proxy.servers.admin, '/stats?filter=%28')).status, 400);
  });

  test('tells its state, version, memory and listeners', async () => {
    await using proxy = await serving();
    const info = JSON.parse((await ask(proxy.servers.admin, '/server_info')).text) as Record<string, string>;
    assert.equal(info['state'], 'LIVE');
    assert.match(info['uptime_current_epoch']!, /^[5-9]s$/);
    assert.ok(Number(JSON.parse((await ask(proxy.servers.admin, '/memory')).text).allocated) > 0);
    assert.equal((await ask(proxy.servers.admin, '/listeners')).text, 'outbound_15001::127.1.0.1:15001\n');
    assert.match((await ask(proxy.servers.admin, '/help')).text, /\/quitquitquit \(POST\)/);
    assert.match((await ask(proxy.servers.admin, '/')).text, /<a href="clusters">/);
  });

  test('shows what left the mesh, with times that people read', async () => {
    const row = { verdict: 'blocked', host: 'api.example.com', firstSeen: 0, lastSeen: 1500 } as unknown as EgressRow;
    await using proxy = await serving({ egress: () => Promise.resolve([row]) });
    const { egress } = JSON.parse((await ask(proxy.servers.admin, '/egress')).text) as { egress: object[] };
    const times = { firstSeen: '1970-01-01T00:00:00.000Z', lastSeen: '1970-01-01T00:00:01.500Z' };
    assert.deepEqual(egress, [{ ...row, ...times }]);
  });

  test('sets the log level, in the names of Envoy too, and refuses others', async () => {
    await using proxy = await serving();
    assert.match((await ask(proxy.servers.admin, '/logging?level=warning', 'POST')).text, /lateen: warn/);
    assert.match((await ask(proxy.servers.admin, '/logging', 'POST')).text, /lateen: warn/);
    const bad = await ask(proxy.servers.admin, '/logging?level=loud', 'POST');
    assert.equal(bad.status, 400);
    assert.match(bad.text, /expected one of trace, debug/);
  });

  test('does what it is told by POST', async () => {
    await using proxy = await serving();
    for (const path of [
      '/drain_listeners?inboundonly',
      '/drain_listeners?graceful',
      '/healthcheck/fail',
      '/healthcheck/ok',
      '/reopen_logs',
      '/quitquitquit',
    ]) {
      assert.equal((await ask(proxy.servers.admin, path, 'POST')).text, 'OK\n');
    }
    assert.deepEqual(proxy.told, ['drain true', 'drain false', 'fail true', 'fail false', 'reopen', 'quit']);
  });

  test('changes nothing by GET, nor for a web page, nor under a foreign name', async () => {
    await using proxy = await serving();
    for (const path of ['/quitquitquit', '/drain_listeners', '/healthcheck/fail', '/logging?level=debug']) {
      const { status, headers } = await ask(proxy.servers.admin, path);
      assert.deepEqual([status, headers.allow], [405, 'POST']);
    }
    assert.equal((await ask(proxy.servers.admin, '/config_dump', 'DELETE')).status, 405);
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
    ]) {
      assert.equal(
        (await ask(proxy.servers.admin, '/quitquitquit', 'POST', headers as Record<string, string>)).status,
        403,
      );
    }
    for (const host of ['evil.example', 'evil.example:15000', '127.0.0.1.evil.example', '10.0.0.1', '[::2]']) {
      assert.equal((await ask(proxy.servers.admin, '/config_dump', 'GET', { host })).status, 403, host);
    }
    assert.deepEqual(proxy.told, []);
  });

  for (const host of ['localhost', 'localhost:15000', '127.0.0.1:15000', '127.1.0.7', '[::1]:15000']) {
    test(`answers to ${host}`, async () => {
      await using proxy = await serving();
      assert.equal((await ask(proxy.servers.admin, '/ready', 'GET', { host })).text, 'LIVE\n');
    });
  }

  test('answers HEAD without a body, and unknown paths with 404', async () => {
    await using proxy = await serving();
    const head = await ask(proxy.servers.admin, '/config_dump', 'HEAD');
    assert.equal(head.status, 200);
    assert.equal(head.body.length, 0);
    assert.equal((await ask(proxy.servers.admin, '/nothing')).status, 404);
  });

  test('says what went wrong inside, and goes on', async () => {
    await using proxy = await serving({ clusters: () => Promise.reject(new Error('no worker answers')) });
    const { status, text } = await ask(proxy.servers.admin, '/clusters');
    assert.deepEqual([status, text], [500, 'no worker answers\n']);
    assert.equal((await ask(proxy.servers.admin, '/ready')).status, 200);
  });

  test('outlives nonsense on its socket', async () => {
    await using proxy = await serving();
    const { host, port } = proxy.servers.admin!;
    for (const nonsense of [
      '\r\n\r\n',
      'GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'x'.repeat(20_000),
      '\u0016\u0003\u0001',
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, host, () => socket.end(nonsense, 'latin1'));
        socket.on('error', () => {}).on('close', () => resolve());
        socket.resume();
      });
    }
    assert.equal((await ask(proxy.servers.admin, '/ready')).status, 200);
  });
});

describe('ready port', () => {
  test('is 200 when the proxy serves, 503 with the reasons when it does not yet, or does not any more', async () => {
    await using serves = await serving();
    assert.equal((await ask(serves.servers.ready, '/healthz/ready')).status, 200);
    await using starts = await serving({ notReady: () => ['no configuration yet'] });
    const early = await ask(starts.servers.ready, '/healthz/ready');
    assert.deepEqual([early.status, early.text], [503, 'INITIALIZING\nno configuration yet\n']);
    await using drains = await serving({ state: () => 'DRAINING' });
    assert.equal((await ask(drains.servers.ready, '/healthz/ready')).text, 'DRAINING\n');
  });
});

/** An app with metrics of its own. */
async function app(answer: string, type = 'text/plain') {
  const server = createServer((_, response) => void response.writeHead(200, { 'content-type': type }).end(answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const merged = async (servers: AdminServers): Promise<string> => (await ask(servers.merged, '/stats/prometheus')).text;

describe('metrics ports', () => {
  test('15090 has the proxy’s metrics, compressed when asked for', async () => {
    await using proxy = await serving();
    const plain = await ask(proxy.servers.metrics, '/stats/prometheus');
    assert.match(plain.headers['content-type']!, /^text\/plain; version=0\.0\.4/);
    assert.match(plain.text, /^istio_build\{component="proxy",tag="1\.0\.0"\} 1$/m);
    await using many = await serving({
      exposition: {
        ...createExposition(new SeriesReader(), '1', false),
        mesh: () => ['a 1\n'.repeat(1000)],
        pages: async function* () {
          yield 'a 1\n'.repeat(1000);
        },
      },
    });
    const packed = await ask(many.servers.metrics, '/stats/prometheus', 'GET', { 'accept-encoding': 'gzip, br' });
    assert.equal(packed.headers['content-encoding'], 'gzip');
    assert.equal(gunzipSync(packed.body).toString(), 'a 1\n'.repeat(1000));
  });

  test('15020 has the app’s metrics behind the proxy’s, and the app cannot write into ours', async () => {
    await using ratings = await app(
      '# HELP app_total A.\n# TYPE app_total counter\napp_total{x="a b"} 3\nistio_requests_total{reporter="source"} 999\n<html>\n# EOF\nistio_build{component="app"} 1\nprocess_x 5',
    );
    const exposition = {
      ...createExposition(new SeriesReader(), '1', false),
      meshNames: () => new Set(['istio_requests_total']),
    };
    exposition.mesh = () => ['istio_requests_total{reporter="source"} 7\n'];
    exposition.process = () => Promise.resolve('istio_build{component="proxy"} 1\nprocess_x 1\nprocess_y 1\n');
    await using proxy = await serving({ exposition }, ratings.url);
    const text = await merged(proxy.servers);
    assert.match(text, /^app_total\{x="a b"\} 3$/m);
    assert.match(text, /^istio_requests_total\{reporter="source"\} 7$/m);
    assert.match(text, /^istio_build\{component="proxy"\} 1$/m);
    assert.doesNotMatch(text, /999|html|EOF|component="app"/);
    // A metric of our process gives way to the app's of that name.
    assert.deepEqual(text.match(/^process_.*$/gm), ['process_y 1', 'process_x 5']);
    assert.ok(text.endsWith('\n'));
  });

  test('a scraper that prefers OpenMetrics gets it, with its end, unless an app has a say', async () => {
    const accept = { accept: 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5' };
    await using open = await app(
      '# TYPE hits counter\nhits_total 3 # {trace_id="x"} 1\n# EOF\n',
      'application/openmetrics-text',
    );
    await using proxy = await serving();
    await using both = await serving({}, open.url);
    for (const servers of [proxy.servers.metrics, proxy.servers.merged, both.servers.metrics]) {
      const { headers, text } = await ask(servers, '/stats/prometheus', 'GET', accept);
      assert.match(headers['content-type']!, /^application\/openmetrics-text; version=1\.0\.0/);
      assert.equal(headers['vary'], 'accept, accept-encoding');
      assert.match(text, /^# TYPE istio_requests counter$/m);
      assert.ok(text.endsWith('\n# EOF\n'));
    }
    const { headers, text } = await ask(both.servers.merged, '/stats/prometheus', 'GET', accept);
    assert.match(headers['content-type']!, /^text\/plain; version=0\.0\.4/);
    assert.match(text, /^# TYPE istio_requests_total counter$/m);
    assert.match(text, /^# TYPE hits_total counter\nhits_total 3$/m);
    assert.doesNotMatch(text, /EOF|trace_id/);
  });

  test('an app that is asked by two scrapers at a time is asked once', async () => {
    const asked: ServerResponse[] = [];
    const server = createServer((_, response) => void asked.push(response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    await using proxy = await serving({}, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const first = new Promise((resolve) => server.once('request', resolve));
    const answers = [merged(proxy.servers), merged(proxy.servers)];
    await first;
    while (
      !/ 2$/m.test((await ask(proxy.servers.metrics, '/metrics')).text.match(/^istio_agent_scrapes_total.*/m)![0])
    );
    for (const response of asked) response.end('app_x 1\n');
    for (const text of await Promise.all(answers)) assert.match(text, /^app_x 1$/m);
    assert.equal(asked.length, 1);
    server.close();
    server.closeAllConnections();
  });

  test('15020 has ours even when the app is down, and counts that', async () => {
    await using proxy = await serving({}, 'http://127.0.0.1:1/metrics');
    await merged(proxy.servers);
    const text = await merged(proxy.servers);
    assert.match(text, /^istio_requests_total/m);
    assert.match(text, /^istio_agent_scrape_failures_total\{type="application"\} [12]$/m);
  });

  test('15020 leaves out an app that never stops talking', async () => {
    const server = createServer((_, response) => {
      response.on('error', () => {});
      const more = (): void => {
        while (!response.destroyed && response.write('# x\n'.repeat(50_000)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    await using proxy = await serving({}, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    assert.match(await merged(proxy.servers), /^istio_requests_total/m);
    server.close();
    server.closeAllConnections();
  });
});

describe('starting', () => {
  test('fails as a whole when one address is taken, and leaves nothing open', async () => {
    await using first = await serving();
    const taken = first.servers.ready!;
    const any = { host: '127.0.0.1', port: 0 };
    const { exposition } = { exposition: createExposition(new SeriesReader(), '1', false) };
    await assert.rejects(
      startAdmin({ admin: any, metrics: null, merged: null, ready: taken, appMetrics: null }, {
        exposition,
      } as AdminContext),
      /EADDRINUSE/,
    );
  });
});

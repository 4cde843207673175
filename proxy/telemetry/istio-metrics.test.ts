import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { SeriesWriter } from '../core/registry.ts';
import { SeriesReader } from '../core/series-reader.ts';
import type { Exchange } from '../live/exchange.ts';
import { createIstioMetrics, EndpointSeries } from './istio-metrics.ts';
import { exchange, liveCluster, liveEndpoint, namedRoute, proxyNode, workload } from './sample-exchange.ts';
import { createTcpMetrics } from './tcp-metrics.ts';

const productpage = workload('productpage', 'v1', '127.1.0.1');
const reviews = workload('reviews', 'v3', '127.1.0.3');
const ratings = workload('ratings', 'v1', '127.1.0.4');

type Labels = Record<string, string>;

function metrics(node = proxyNode(reviews), limit?: number) {
  const reader = new SeriesReader();
  const writer = new SeriesWriter((a) => reader.accept(1, a), limit === undefined ? {} : { limit });
  const series = (name: string): { labels: Labels; slot: (i: number) => number }[] => {
    for (const { family, series } of reader.families()) {
      if (family.name !== name) continue;
      return [...series.values()].map((s) => ({
        labels: Object.fromEntries(family.labels.map((label, i) => [label, s.labels[i]!])),
        slot: (i) => s.slot(i),
      }));
    }
    return [];
  };
  const inbound = liveCluster('inbound|9080||', 'reviews', 'inbound');
  const record = createIstioMetrics(writer, node, (port) => (port === 9080 ? inbound.settings : null));
  return { record, series, tcp: createTcpMetrics(writer, node), inbound };
}

const onlyLabels = (x: Exchange, node = proxyNode(reviews)): Labels => {
  const { record, series } = metrics(node);
  record(x);
  const all = series('istio_requests_total');
  assert.equal(all.length, 1);
  return all[0]!.labels;
};

function inbound(peer = productpage as typeof productpage | null): Exchange {
  const x = exchange('inbound', peer);
  x.cluster = liveCluster('inbound|9080||', 'reviews', 'inbound');
  x.endpoint = liveEndpoint(null, '127.0.0.1', 41_234);
  return x;
}

function outbound(): Exchange {
  const x = exchange('outbound', reviews);
  x.cluster = liveCluster('outbound|9080||ratings.default.svc.cluster.local', 'ratings');
  x.endpoint = liveEndpoint(ratings);
  return x;
}

describe("Istio's HTTP metrics", () => {
  test('an inbound request has exactly the labels of Istio, in its order, with the caller as source', () => {
    const labels = onlyLabels(inbound());
    assert.deepEqual(Object.entries(labels), [
      ['reporter', 'destination'],
      ['source_workload', 'productpage-v1'],
      ['source_canonical_service', 'productpage'],
      ['source_canonical_revision', 'v1'],
      ['source_workload_namespace', 'default'],
      ['source_principal', 'unknown'],
      ['source_app', 'productpage'],
      ['source_version', 'v1'],
      ['source_cluster', 'Kubernetes'],
      ['destination_workload', 'reviews-v3'],
      ['destination_workload_namespace', 'default'],
      ['destination_principal', 'unknown'],
      ['destination_app', 'reviews'],
      ['destination_version', 'v3'],
      ['destination_service', 'reviews.default.svc.cluster.local'],
      ['destination_canonical_service', 'reviews'],
      ['destination_canonical_revision', 'v3'],
      ['destination_service_name', 'reviews'],
      ['destination_service_namespace', 'default'],
      ['destination_cluster', 'Kubernetes'],
      ['request_protocol', 'http'],
      ['response_code', '200'],
      ['grpc_response_status', ''],
      ['response_flags', '-'],
      ['connection_security_policy', 'none'],
    ]);
  });

  test('an outbound request is reported by its source, and names the workload of the endpoint', () => {
    const labels = onlyLabels(outbound());
    assert.deepEqual(Object.entries(labels), [
      ['reporter', 'source'],
      ['source_workload', 'reviews-v3'],
      ['source_canonical_service', 'reviews'],
      ['source_canonical_revision', 'v3'],
      ['source_workload_namespace', 'default'],
      ['source_principal', 'unknown'],
      ['source_app', 'reviews'],
      ['source_version', 'v3'],
      ['source_cluster', 'Kubernetes'],
      ['destination_workload', 'ratings-v1'],
      ['destination_workload_namespace', 'default'],
      ['destination_principal', 'unknown'],
      ['destination_app', 'ratings'],
      ['destination_version', 'v1'],
      ['destination_service', 'ratings.default.svc.cluster.local'],
      ['destination_canonical_service', 'ratings'],
      ['destination_canonical_revision', 'v1'],
      ['destination_service_name', 'ratings'],
      ['destination_service_namespace', 'default'],
      ['destination_cluster', 'Kubernetes'],
      ['request_protocol', 'http'],
      ['response_code', '200'],
      ['grpc_response_status', ''],
      ['response_flags', '-'],
      ['connection_security_policy', 'unknown'],
    ]);
  });

  const gateway = proxyNode(workload('istio-ingressgateway', '', '127.1.0.2'), 'gateway');
  const strange = (
    make: (x: Exchange) => void,
    direction: 'inbound' | 'outbound' | 'gateway' = 'outbound',
  ): Exchange => {
    const x = exchange(direction, null);
    make(x);
    return x;
  };
  for (const { it, x, node, want } of [
    {
      it: 'a caller that nobody knows is unknown, at its latest revision',
      x: inbound(null),
      want: {
        source_workload: 'unknown',
        source_app: 'unknown',
        source_cluster: 'unknown',
        source_canonical_revision: 'latest',
      },
    },
    {
      it: 'what goes to no service is PassthroughCluster, under the host it asked for',
      x: strange((x) => {
        x.cluster = liveCluster('PassthroughCluster', null);
        x.route = namedRoute('allow_any');
        x.endpoint = liveEndpoint(null);
        x.authority = 'Example.COM';
      }),
      want: {
        destination_service: 'example.com',
        destination_service_name: 'PassthroughCluster',
        destination_workload: 'unknown',
      },
    },
    {
      it: 'what is not let out is BlackHoleCluster',
      x: strange((x) => {
        x.route = namedRoute('block_all');
        x.authority = 'example.com';
        x.status = 502;
      }),
      want: { destination_service: 'example.com', destination_service_name: 'BlackHoleCluster', response_code: '502' },
    },
    {
      it: 'a CONNECT that is not let out is, too',
      x: strange((x) => {
        x.method = 'CONNECT';
        x.authority = '203.0.113.7:3306';
        x.status = 502;
        x.details = 'direct_response';
      }),
      want: { destination_service: '203.0.113.7:3306', destination_service_name: 'BlackHoleCluster' },
    },
    {
      it: 'a request that reached no endpoint still names the service it was for',
      x: strange((x) => {
        x.cluster = liveCluster('outbound|9080||ratings.default.svc.cluster.local', 'ratings');
        x.status = 503;
        x.flag('UH');
      }),
      want: {
        destination_service: 'ratings.default.svc.cluster.local',
        destination_service_namespace: 'default',
        destination_workload: 'unknown',
        destination_canonical_revision: 'latest',
        response_flags: 'UH',
      },
    },
    {
      it: 'a request to a gateway that no route takes does not make a label of its Host',
      x: strange((x) => {
        x.authority = 'attacker.example';
        x.status = 404;
        x.flag('NR');
      }, 'gateway'),
      node: gateway,
      want: {
        reporter: 'source',
        destination_service: 'unknown',
        destination_service_name: 'unknown',
        response_code: '404',
      },
    },
    {
      it: 'a request that authorization refused, before any cluster was chosen, counts for the service of its port',
      x: strange((x) => {
        x.status = 403;
      }, 'inbound'),
      want: { reporter: 'destination', destination_service: 'reviews.default.svc.cluster.local', response_code: '403' },
    },
    {
      it: 'a request whose client left has code 0',
      x: strange((x) => {
        x.status = 0;
        x.flag('DC');
      }),
      want: { response_code: '0', response_flags: 'DC' },
    },
    {
      it: 'several flags are joined',
      x: strange((x) => {
        x.flag('DI');
        x.flag('FI');
      }),
      want: { response_flags: 'DI,FI' },
    },
    {
      it: 'gRPC is told apart, with its status',
      x: strange((x) => {
        x.grpc = true;
        x.grpcStatus = 14;
      }),
      want: { request_protocol: 'grpc', grpc_response_status: '14', response_code: '200' },
    },
    {
      it: 'gRPC without a status has the one that belongs to its HTTP status',
      x: strange((x) => {
        x.grpc = true;
        x.status = 503;
      }),
      want: { request_protocol: 'grpc', grpc_response_status: '14', response_code: '503' },
    },
    {
      it: 'gRPC without any answer has an empty one',
      x: strange((x) => {
        x.grpc = true;
        x.status = 0;
      }),
      want: { request_protocol: 'grpc', grpc_response_status: '' },
    },
  ] satisfies { it: string; x: Exchange; node?: typeof gateway; want: Labels }[]) {
    test(it, () => {
      const labels = onlyLabels(x, node);
      assert.equal(Object.keys(labels).length, 25);
      assert.deepEqual(Object.fromEntries(Object.keys(want).map((label) => [label, labels[label]])), want);
    });
  }

  test('durations count whole milliseconds, sizes count heads and bodies', () => {
    const { record, series } = metrics();
    const x = inbound();
    x.bytesReceived = 30;
    record(x);
    const [duration] = series('istio_request_duration_milliseconds');
    // 12.9 ms are 12; buckets end at 0.5, 1, 5, 10, 25; the sum follows the bucket above all bounds.
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5].map((i) => duration!.slot(i)),
      [0, 0, 0, 0, 1, 0],
    );
    assert.equal(duration!.slot(20), 12);
    assert.equal(series('istio_request_bytes')[0]!.slot(20), 150);
    assert.equal(series('istio_response_bytes')[0]!.slot(20), 555);
  });

  test('requests of one kind are one series, however the address book is replaced', () => {
    const { record, series } = metrics();
    const x = outbound();
    record(x);
    x.endpoint!.workload = { ...ratings };
    record(x);
    const y = inbound();
    record(y);
    y.connection.peer = { ...productpage };
    record(y);
    assert.deepEqual(
      series('istio_requests_total').map(({ slot }) => slot(0)),
      [2, 2],
    );
    assert.ok(x.endpoint!.series instanceof EndpointSeries);
    assert.equal(x.endpoint!.series.total, 2);
  });

  test('endpoints of no service are counted too', () => {
    const { record } = metrics();
    const x = exchange('outbound');
    x.cluster = liveCluster('PassthroughCluster', null);
    x.endpoint = liveEndpoint(null, 'example.com', 80);
    record(x);
    x.status = 503;
    record(x);
    assert.ok(x.endpoint.series instanceof EndpointSeries);
    assert.deepEqual([x.endpoint.series.total, x.endpoint.series.errors], [2, 1]);
  });

  test('another workload behind the same address is another series', () => {
    const { record, series } = metrics();
    const x = outbound();
    record(x);
    x.endpoint!.workload = workload('ratings', 'v2', '127.1.0.4');
    record(x);
    assert.deepEqual(
      series('istio_requests_total').map(({ labels }) => labels['destination_version']),
      ['v1', 'v2'],
    );
  });

  test('a hundred hosts that nobody declared have names, so that a scrape stays small; all others share a series', () => {
    const { record, series } = metrics(proxyNode(reviews));
    for (let i = 0; i < 3000; i++) {
      const x = exchange('outbound', reviews);
      x.cluster = null;
      x.authority = `host-${i}.example`;
      record(x);
    }
    const all = series('istio_requests_total');
    assert.equal(all.length, 101);
    assert.equal(all[99]!.labels['destination_service'], 'host-99.example');
    assert.equal(all[100]!.labels['destination_service'], 'unknown');
    assert.equal(all[100]!.slot(0), 2900);
  });

  test('hosts that an app makes up cannot make more series than the limit and the one for all others', () => {
    const { record, series } = metrics(proxyNode(reviews), 50);
    for (let i = 0; i < 5000; i++) {
      const x = exchange('outbound', reviews);
      x.cluster = null;
      x.authority = `host-${i}.example`;
      record(x);
    }
    const all = series('istio_requests_total');
    assert.equal(all.length, 51);
    const other = all.at(-1)!;
    assert.equal(other.labels['reporter'], 'source');
    assert.equal(other.labels['destination_service'], 'other');
    assert.equal(other.slot(0), 4950);
  });
});

describe("Istio's TCP metrics", () => {
  test('a connection is counted when it opens, while bytes pass, and when it closes', () => {
    const { tcp, series } = metrics();
    const mysql = liveCluster('outbound|3306||mysql.default.svc.cluster.local', 'mysql');
    const connection = tcp({
      direction: 'outbound',
      connection: inbound(null).connection,
      cluster: mysql,
      endpoint: liveEndpoint(null),
      asked: '',
    });
    connection.opened();
    connection.bytes(100, 20);
    connection.bytes(11, 0);
    connection.closed();
    tcp({
      direction: 'outbound',
      connection: inbound(null).connection,
      cluster: mysql,
      endpoint: null,
      asked: '',
    }).closed('UF');

    const opened = series('istio_tcp_connections_opened_total');
    assert.deepEqual(Object.keys(opened[0]!.labels).slice(20), [
      'request_protocol',
      'response_flags',
      'connection_security_policy',
    ]);
    assert.equal(opened[0]!.labels['destination_service'], 'mysql.default.svc.cluster.local');
    assert.equal(opened[0]!.labels['request_protocol'], 'tcp');
    assert.equal(opened[0]!.slot(0), 1);
    assert.equal(series('istio_tcp_sent_bytes_total')[0]!.slot(0), 111);
    assert.equal(series('istio_tcp_received_bytes_total')[0]!.slot(0), 20);
    assert.deepEqual(
      series('istio_tcp_connections_closed_total').map(({ labels, slot }) => [labels['response_flags'], slot(0)]),
      [
        ['-', 1],
        ['UF', 1],
      ],
    );
  });
});

import { describe, expect, test } from 'vitest';
import { latencyBucket } from '../core/latency-buckets.ts';
import type { Exchange } from '../live/exchange.ts';
import { EdgeBook } from './edge-stats-book.ts';
import type { EdgeRow } from './edge-stats-row.ts';
import { EdgeStats } from './edge-stats.ts';
import type { Report } from './report-courier.ts';
import { exchange, liveCluster, liveEndpoint, namedRoute, proxyNode, workload } from './sample-exchange.ts';

const REVIEWS = workload('reviews', 'v3', '127.67.0.6');
const RATINGS = workload('ratings', 'v1', '127.67.0.7');
const PRODUCTPAGE = workload('productpage', 'v1', '127.67.0.3');
const NODE = proxyNode(REVIEWS);
const toRatings = liveCluster('outbound|9080||ratings.default.svc.cluster.local', 'ratings');
const own = liveCluster('inbound|9080||', 'reviews', 'inbound');
const endpoint = liveEndpoint(RATINGS);

/** As after a start: nothing hangs on what is alive. */
function fresh(): EdgeStats {
  endpoint.edges = null;
  own.edges = null;
  return new EdgeStats(NODE);
}

function call(over: Partial<Exchange> = {}): Exchange {
  const x = exchange('outbound');
  x.cluster = toRatings;
  x.endpoint = endpoint;
  return Object.assign(x, over);
}

function served(peer = PRODUCTPAGE, over: Partial<Exchange> = {}): Exchange {
  const x = exchange('inbound', peer);
  x.cluster = own;
  return Object.assign(x, over);
}

const connection = (): Exchange => call({ opaque: true, method: '', status: 0, endMs: 0, bytesSent: 0 });

const shown = (rows: readonly EdgeRow[]): string[] =>
  rows.map(
    ({ reporter, source, destination, service, protocol, requests, failed }) =>
      `${reporter}: ${source.workload} → ${destination.workload} (${service}, ${protocol}) ${requests}, failed ${failed}`,
  );

describe('edge statistics', () => {
  test('tell who called whom, how often and how long it took, and then count anew', () => {
    const stats = fresh();
    for (let i = 0; i < 3; i++) stats.record(call());
    stats.record(call({ status: 503, flags: 'UF' }));
    stats.record(served());
    const rows = stats.drain();
    expect(shown(rows)).toEqual([
      'source: reviews-v3 → ratings-v1 (ratings.default.svc.cluster.local, http) 4, failed 1',
      'destination: productpage-v1 → reviews-v3 (reviews.default.svc.cluster.local, http) 1, failed 0',
    ]);
    expect(rows[0]).toMatchObject({ classes: [0, 0, 3, 0, 0, 1], flags: { UF: 1 }, pod: 'ratings-v1-0', sent: 2220 });
    expect(rows[0]!.latency[latencyBucket(12.9)]).toBe(4);
    expect(stats.drain()).toEqual([]);
    stats.record(call());
    expect(shown(stats.drain())).toEqual([
      'source: reviews-v3 → ratings-v1 (ratings.default.svc.cluster.local, http) 1, failed 0',
    ]);
    // What was handed out is nobody's to change any more.
    expect(rows[0]!.requests).toBe(4);
  });

  test('tell apart routes, callers and gRPC that share an endpoint or a cluster, however they take turns', () => {
    const stats = fresh();
    const callers = Array.from({ length: 20 }, (_, i) => workload(`caller${i}`, 'v1', `127.67.1.${i}`));
    const routes = ['a', 'b'].map((name) => namedRoute(name));
    for (let round = 0; round < 3; round++) {
      for (const caller of callers) stats.record(served(caller));
      for (const route of routes) stats.record(call({ route }));
      stats.record(call({ grpc: true, grpcStatus: 14 }));
    }
    const rows = stats.drain();
    expect(rows).toHaveLength(23);
    expect(new Set(rows.map((row) => row.requests))).toEqual(new Set([3]));
    expect(rows.find((row) => row.protocol === 'grpc')).toMatchObject({ failed: 3 });
  });

  test('count what is denied before a cluster is chosen at the service it was for', () => {
    const ports: number[] = [];
    const stats = new EdgeStats(NODE, (port) => (ports.push(port), own.settings));
    stats.record(served(PRODUCTPAGE, { cluster: null, status: 403 }));
    expect(shown(stats.drain())).toEqual([
      'destination: productpage-v1 → reviews-v3 (reviews.default.svc.cluster.local, http) 1, failed 0',
    ]);
    expect(ports).toEqual([9080]);
  });

  test('follow an endpoint that is somebody else by now', () => {
    const stats = fresh();
    const moving = liveEndpoint(RATINGS);
    stats.record(call({ endpoint: moving }));
    moving.workload = workload('ratings', 'v2', '127.67.0.7');
    stats.record(call({ endpoint: moving }));
    expect(stats.drain().map((row) => row.destination.version)).toEqual(['v1', 'v2']);
  });

  test('know what was denied and what was blocked; a client that left is nobody’s fault', () => {
    const stats = fresh();
    const decidedBy = { kind: 'AuthorizationPolicy', namespace: 'default', name: 'deny', path: 'spec' } as const;
    stats.record(served(PRODUCTPAGE, { status: 403, decidedBy }));
    stats.record(served(PRODUCTPAGE, { status: 0, flags: 'DC' }));
    stats.record(call({ cluster: null, endpoint: null, status: 502, route: namedRoute('block_all') }));
    const [inbound, outbound] = stats.drain();
    expect(inbound).toMatchObject({ denied: 1, blocked: 0, failed: 0, requests: 2 });
    expect(outbound).toMatchObject({ blocked: 1, failed: 1, service: 'BlackHoleCluster' });
  });

  test('count connections while they are open, with what passes', () => {
    const stats = fresh();
    const [one, two, refused] = [connection(), connection(), connection()];
    for (const x of [one, two]) {
      x.upstreamLocal = '127.67.0.6:1';
      stats.reached(x);
    }
    one.bytesReceived = 100;
    expect(stats.drain()).toMatchObject([{ protocol: 'tcp', opened: 2, closed: 0, open: 2, received: 100 }]);
    expect(stats.drain()).toEqual([]);
    one.bytesReceived = 150;
    one.bytesSent = 7;
    stats.recordTcp(one);
    refused.flags = 'UF';
    stats.recordTcp(refused);
    expect(stats.drain()).toMatchObject([
      { opened: 1, closed: 2, open: 1, received: 50, sent: 7, failed: 1, requests: 0, flags: { UF: 1 } },
    ]);
    // A control API that was started anew learns what is open.
    const later = Array.from({ length: 10 }, () => stats.drain()).flat();
    expect(later).toMatchObject([{ open: 1, opened: 0 }]);
    stats.recordTcp(two);
    expect(stats.drain()).toMatchObject([{ open: 0, closed: 1 }]);
  });

  test('count a CONNECT as the connection it is', () => {
    const stats = fresh();
    const tunnel = call({ method: 'CONNECT', status: 200, upstreamLocal: '127.67.0.6:1' });
    stats.reached(tunnel);
    stats.record(tunnel);
    stats.record(call({ method: 'CONNECT', status: 503 }));
    expect(stats.drain()).toMatchObject([{ requests: 0, opened: 2, closed: 2, open: 0, failed: 1, protocol: 'tcp' }]);
  });

  test('stay within their bounds with 100,000 edges, lose no request, and let go of what is idle', () => {
    const stats = fresh();
    for (let i = 0; i < 100_000; i++) stats.record(call({ route: namedRoute(`r${i}`) }));
    expect(stats.size).toBe(501);
    const rows = stats.drain();
    expect(rows.reduce((sum, row) => sum + row.requests, 0)).toBe(100_000);
    expect(rows.at(-1)).toMatchObject({ protocol: 'other', requests: 99_500 });
    const last = namedRoute('last');
    stats.record(call({ route: last }));
    for (let i = 0; i < 600; i++) stats.drain();
    expect(stats.size).toBeLessThan(2);
    // What still hangs on the endpoint is of no edge any more.
    for (let i = 0; i < 600; i++) stats.drain();
    stats.record(call({ route: last }));
    expect(stats.drain()).toMatchObject([{ route: 'last', requests: 1 }]);
  });

  test('do not grow with what callers choose: hosts, paths and methods', () => {
    const stats = fresh();
    for (let i = 0; i < 1000; i++)
      stats.record(
        call({ endpoint: null, cluster: null, authority: `h${i}`, path: `/${i}`, status: 404, method: `M${i}` }),
      );
    expect(stats.size).toBe(1);
  });
});

describe('the book of edges', () => {
  const rowsOf = (count: number): EdgeRow[] => {
    const stats = fresh();
    for (let i = 0; i < count; i++) stats.record(call());
    return stats.drain();
  };
  const openRows = (count: number): EdgeRow[] => {
    const stats = fresh();
    for (let i = 0; i < count; i++) stats.reached(connection());
    return stats.drain();
  };

  test('sums up workers, knows what each has open, and sends again what did not arrive', async () => {
    const reports: Report<EdgeRow>[] = [];
    const { promise: all, resolve } = Promise.withResolvers<void>();
    const book = new EdgeBook({
      workload: 'reviews-v3',
      run: '1',
      everyMs: 1,
      // The first one is lost on its way, twice.
      send: (report) => {
        if (reports.push(report) === 4) resolve();
        return Promise.resolve(reports.length >= 3);
      },
    });
    book.add(1, rowsOf(2));
    book.add(2, rowsOf(3));
    book.add(1, openRows(2));
    book.add(2, openRows(5));
    book.gone(1);
    await all;
    expect(reports.map(({ seq }) => seq)).toEqual([1, 1, 1, 2]);
    expect(reports[0]).toMatchObject({ seq: 1, rows: [{ requests: 2 }] });
    expect(reports.at(-1)!.rows.map((row) => [row.requests, row.open])).toEqual([
      [3, 0],
      [0, 5],
    ]);
  });

  test('keeps a bounded number of edges while nobody listens', async () => {
    let sent: readonly EdgeRow[] = [];
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const book = new EdgeBook({
      workload: '',
      run: '1',
      send: (report) => {
        sent = report.rows;
        return promise;
      },
    });
    const [row] = rowsOf(1);
    book.add(1, [row!]);
    for (let i = 0; i < 5000; i++) book.add(1, [{ ...row!, route: `r${i}` }]);
    resolve(true);
    await book.close();
    expect(sent).toHaveLength(1000);
  });
});

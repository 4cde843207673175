import { afterEach, describe, expect, test } from 'vitest';
import { LATENCY_BUCKETS, latencyBucket } from '#proxy/core/latency-buckets.ts';
import { call, start, stopAll } from './server.kit.ts';
import type { Counted } from './stats-input.ts';
import { StatsStore } from './stats-store.ts';
import { viewOf, type By, type StatsFilter, type StatsRow } from './stats-view.ts';

afterEach(stopAll);

const party = (workload: string, version = 'v1', namespace = 'default') =>
  workload === '' ? { namespace: '', workload: '', version: '' } : { namespace, workload, version };

/** `requests` that took 10 ms. */
function row(from: string, to: string, requests: number, over: Partial<Counted> = {}): Counted {
  const latency = Array.from({ length: LATENCY_BUCKETS }, () => 0);
  latency[latencyBucket(10)] = requests;
  const service = `${to.split('-')[0]}.default.svc.cluster.local`;
  return {
    reporter: 'source',
    gateway: false,
    source: party(from),
    destination: party(to, to.split('-')[1] ?? ''),
    pod: `${to}-0`,
    service: to === '' ? '' : service,
    protocol: 'http',
    route: 'default',
    requests,
    failed: 0,
    denied: 0,
    blocked: 0,
    received: 10 * requests,
    sent: 100 * requests,
    opened: 0,
    closed: 0,
    classes: [0, 0, requests, 0, 0, 0],
    latency,
    open: 0,
    flags: {},
    ...over,
  };
}

const heard = { reporter: 'destination' } as const;

let seq = 0;
function tell(store: StatsStore, proxy: string, rows: readonly Counted[], now?: number, run = '1'): void {
  store.accept(proxy, { run, seq: ++seq, workload: '', rows }, now);
}

function view(rows: readonly Counted[], by: By, filter: StatsFilter = {}): StatsRow[] {
  const store = new StatsStore();
  tell(store, 'p.default', rows);
  const { totals, covered } = store.totals(60_000);
  return viewOf(totals, by, filter, covered);
}

const shown = (rows: readonly StatsRow[]): string[] => rows.map((r) => `${r.name}.${r.namespace} ${r.requests}`);

describe('statistics count each request once', () => {
  const BOTH = [
    row('productpage-v1', 'reviews-v3', 8),
    row('productpage-v1', 'reviews-v3', 7, { ...heard, route: 'inbound', denied: 2 }),
  ];

  test('as the source tells it; the destination knows what it denied', () => {
    expect(view(BOTH, 'workload')).toMatchObject([
      { name: 'reviews-v3', requests: 8, denied: 2, reporters: ['source'] },
    ]);
  });

  test('as the destination tells it, when the source has no proxy', () => {
    const rows = view([...BOTH, row('', 'reviews-v3', 5, heard), row('batch', 'reviews-v3', 4, heard)], 'workload');
    expect(rows).toMatchObject([{ requests: 17, reporters: ['destination', 'source'] }]);
  });

  test('of a gateway as what it serves, too', () => {
    const gateway = { gateway: true, source: party('istio-ingressgateway', 'latest', 'istio-system') };
    expect(shown(view([row('', 'productpage-v1', 3, gateway)], 'workload'))).toEqual([
      'productpage-v1.default 3',
      'istio-ingressgateway.istio-system 3',
    ]);
  });
});

describe('statistics are asked for', () => {
  const ROWS = [
    row('productpage-v1', 'reviews-v1', 30),
    row('productpage-v1', 'reviews-v3', 10, { failed: 5, classes: [0, 0, 5, 0, 0, 5], flags: { UF: 5 } }),
    row('reviews-v3', 'ratings-v1', 20, { route: 'slow' }),
    row('ratings-v1', '', 0, {
      protocol: 'tcp',
      service: 'mysql.example.com',
      opened: 3,
      failed: 1,
      open: 2,
      classes: [0, 0, 0, 0, 0, 0],
    }),
  ];

  test('by workload, service, pod, route and edge', () => {
    expect(shown(view(ROWS, 'service'))).toEqual([
      'reviews.default.svc.cluster.local.default 40',
      'ratings.default.svc.cluster.local.default 20',
      'mysql.example.com.default 0',
    ]);
    expect(shown(view(ROWS, 'pod', { workload: 'reviews-v3' }))).toEqual(['reviews-v3-0.default 10']);
    expect(shown(view(ROWS, 'route', { service: 'ratings' }))).toEqual(['slow.default 20']);
    const edges = view(ROWS, 'edge', { workload: 'reviews-v3' });
    expect(edges.map((e) => `${e.source?.workload} ${e.destination?.workload} ${e.share}`)).toEqual([
      'reviews-v3 ratings-v1 1',
      'productpage-v1 reviews-v3 1',
    ]);
    const split = view(ROWS, 'edge', { service: 'reviews' });
    expect(split.map((e) => e.share)).toEqual([0.75, 0.25]);
  });

  test('with what went wrong, how long it took, and connections', () => {
    const [reviews, , mysql] = view(ROWS, 'service');
    expect(reviews).toMatchObject({ success: 0.875, status: { '2xx': 35, '5xx': 5 }, flags: { UF: 5 }, sent: 4000 });
    for (const p of [reviews!.p50, reviews!.p90, reviews!.p95, reviews!.p99]) {
      expect(p).toBeGreaterThan(8);
      expect(p).toBeLessThan(12.1);
    }
    expect(mysql).toMatchObject({ success: null, p50: null, tcpOpen: 2, tcpOpened: 3, tcpFailed: 1 });
  });

  test('of one namespace, or of all', () => {
    const other = row('a', 'b-v1', 1, {
      destination: party('b-v1', 'v1', 'prod'),
      service: 'b.prod.svc.cluster.local',
    });
    expect(shown(view([...ROWS, other], 'service', { namespace: 'prod' }))).toEqual([
      'b.prod.svc.cluster.local.prod 1',
    ]);
    expect(view([...ROWS, other], 'edge', { namespace: 'default' })).toHaveLength(5);
  });
});

describe('the store of statistics', () => {
  const T = 1_800_000_000_000;
  const requests = (store: StatsStore, window: number, now: number): number =>
    store.totals(window, now).totals.reduce((sum, { cell }) => sum + cell.counts[0]!, 0);

  test('tells a window, forgets after an hour, and counts a report that comes twice once', () => {
    const store = new StatsStore();
    const report = { run: '1', seq: 1, workload: '', rows: [row('a', 'b-v1', 1)] };
    store.accept('p.default', report, T);
    store.accept('p.default', report, T);
    store.accept('p.default', { ...report, seq: 2 }, T + 300_000);
    expect(requests(store, 60_000, T + 300_000)).toBe(1);
    expect(requests(store, 600_000, T + 300_000)).toBe(2);
    // A proxy that was started anew begins at 1.
    store.accept('p.default', { ...report, run: '2' }, T + 300_000);
    expect(requests(store, 600_000, T + 300_000)).toBe(3);
    expect(requests(store, 3_600_000, T + 4_000_000)).toBe(0);
    expect(store.size).toEqual({ edges: 0, cells: 0, lost: 0 });
  });

  test('knows what is open, of proxies that are there', () => {
    const store = new StatsStore();
    const open = (count: number) => [row('a', 'b-v1', 0, { protocol: 'tcp', open: count })];
    const total = (now: number): number => store.totals(10_000, now).totals.reduce((sum, t) => sum + t.open, 0);
    tell(store, 'p.default', open(3), T);
    tell(store, 'q.default', open(4), T);
    expect(total(T)).toBe(7);
    tell(store, 'q.default', open(1), T + 30_000);
    expect(total(T + 30_000)).toBe(4);
    // The first has not told for too long.
    expect(total(T + 40_000)).toBe(1);
    tell(store, 'q.default', [], T + 40_000, '2');
    expect(total(T + 40_000)).toBe(0);
  });

  test('has bounds: 100,000 edges take no more room than the busiest ones that are kept', () => {
    const store = new StatsStore({ cells: 5000 });
    for (let i = 0; i < 100; i++)
      tell(
        store,
        'p.default',
        Array.from({ length: 1000 }, (_, n) => row('a', `b${i * 1000 + n}-v1`, 1)),
        T + i * 10_000,
      );
    expect(store.size.edges).toBeLessThanOrEqual(2000);
    expect(store.size.cells).toBeLessThanOrEqual(5000);
    // All at once: those that are in use stay, and what there is no room for is counted.
    const crowd = new StatsStore({ edges: 100 });
    tell(
      crowd,
      'p.default',
      Array.from({ length: 1000 }, (_, n) => row('a', `b${n}-v1`, 1)),
      T,
    );
    expect(crowd.size).toEqual({ edges: 100, cells: 100, lost: 900 });
  });

  test('keeps few edges for long, and many for shorter', () => {
    const store = new StatsStore({ cells: 20 });
    for (let i = 0; i < 30; i++) tell(store, 'p.default', [row('a', 'b-v1', 1), row('a', 'c-v1', 1)], T + i * 10_000);
    expect(store.size).toEqual({ edges: 2, cells: 20, lost: 0 });
    expect(requests(store, 3_600_000, T + 290_000)).toBe(20);
  });
});

describe('over HTTP', () => {
  const PATH = '/lateen/v1/proxies/a-0.default/stats';

  test('a proxy reports, and somebody asks', async () => {
    const api = await start();
    const told = await call(api, 'PUT', PATH, { run: '1', seq: 1, workload: 'a', rows: [row('a', 'b-v1', 4)] });
    expect(told.status).toBe(200);
    const { body } = await call(api, 'GET', '/lateen/v1/stats?by=edge&window=5m&namespace=default');
    expect(body).toMatchObject({ by: 'edge', rows: [{ requests: 4, source: { workload: 'a' } }] });
    expect((await call(api, 'GET', '/lateen/v1/stats')).body.rows).toHaveLength(1);
  });

  test.each([
    ['window=soon', 'window: expected a duration from 1s to 1h, got "soon"'],
    ['window=2h', 'window: expected'],
    ['by=colour', 'by: expected one of workload, service, pod, route, edge, got "colour"'],
  ])('%s is refused', async (query, message) => {
    const { status, body } = await call(await start(), 'GET', `/lateen/v1/stats?${query}`);
    expect(status).toBe(400);
    expect(body.message).toContain(message);
  });

  test.each([
    ['requests', -1, 'rows[0].requests: expected a whole number'],
    ['latency', [1, 2], `rows[0].latency: expected ${LATENCY_BUCKETS} whole numbers`],
    ['source', 'me', 'rows[0].source: expected an object'],
    ['flags', [], 'rows[0].flags: expected an object'],
    ['protocol', 'smtp', 'rows[0].protocol: expected one of http'],
  ])('a report with a bad %s is refused', async (field, value, message) => {
    const rows = [{ ...row('a', 'b-v1', 1), [field]: value }];
    const { status, body } = await call(await start(), 'PUT', PATH, { run: '1', seq: 1, workload: '', rows });
    expect(status).toBe(400);
    expect(body.message).toContain(message);
  });

  test('names come out as printable ASCII, flags as flags', async () => {
    const api = await start();
    const evil = row('a\u001b[2J', 'b-v1', 1, { flags: { 'U\u0007': 1, UF: 2 } });
    await call(api, 'PUT', PATH, { run: '1', seq: 1, workload: '', rows: [evil] });
    const { body } = await call(api, 'GET', '/lateen/v1/stats?by=edge');
    expect(body.rows).toMatchObject([{ source: { workload: 'a?[2J' }, flags: { UF: 2 } }]);
  });
});

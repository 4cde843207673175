import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { clusterName, ms } from '../core/brand.ts';
import { manualClock, type ManualClock } from '../core/manual-clock.ts';
import type { LiveCluster } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import type { Workload } from '../snapshot/node.ts';
import { Reads } from '../wire/lent-reads.ts';
import type { DnsAnswer } from './dns-lookup.ts';
import { sampleCluster } from '../snapshot/sample-cluster.ts';
import { Upstreams, type MakePicker } from './upstreams.ts';

const HOST = '127.42.3.1';
/** Of no concern here: whoever owns an address. */
const SOMEBODY = { name: 'details-v1' } as Workload;

const firstOf: MakePicker = (_balancing, endpoints) => () => endpoints[0] ?? null;

let clock: ManualClock;
let dns: Record<string, readonly string[] | null>;
let asked: string[];
let warnings: string[];
let upstreams: Upstreams;

beforeEach(() => {
  clock = manualClock();
  dns = {};
  asked = [];
  warnings = [];
  upstreams = new Upstreams(firstOf, () => 0, {
    clock,
    lookup: (name): Promise<DnsAnswer> => {
      asked.push(name);
      const addresses = dns[name];
      return addresses === undefined || addresses === null
        ? Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' }))
        : Promise.resolve({ addresses, ttl: 10_000 });
    },
  });
  upstreams.from = '10.1.2.3';
  upstreams.onWarning = (message) => warnings.push(message);
});

afterEach(() => upstreams.close());

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

function dnsCluster(name: string, hosts: readonly string[], over: Partial<Cluster> = {}): Cluster {
  const discovery = {
    kind: 'dns',
    mode: 'strict',
    hosts: hosts.map((host) => ({ host, port: 3306, weight: 1 })),
  } as const;
  return sampleCluster({ name: clusterName(name), discovery, ...over });
}

async function set(...clusters: Cluster[]): Promise<LiveCluster> {
  upstreams.setClusters(Object.fromEntries(clusters.map((cluster) => [cluster.name, cluster])));
  await settled();
  return upstreams.clusters.get(clusters[0]!.name)!;
}

const keys = (cluster: LiveCluster): string => cluster.endpoints.map((endpoint) => endpoint.key).join(' ');

/** TTLs of ten seconds are over. */
async function later(): Promise<void> {
  clock.advance(11_000);
  await settled();
}

describe('a cluster of names', () => {
  test('has an endpoint for each address of each name, and each once', async () => {
    dns = { 'a.example': ['192.0.2.1', '192.0.2.2'], 'b.example': ['192.0.2.2', '192.0.2.3'] };
    const cluster = await set(dnsCluster('a', ['a.example', 'b.example', '192.0.2.9']));
    expect(keys(cluster)).toBe('192.0.2.1:3306 192.0.2.2:3306 192.0.2.3:3306 192.0.2.9:3306');
    expect(cluster.picker(null)).not.toBeNull();
  });

  test('asks once for a name that several clusters have', async () => {
    dns = { 'a.example': ['192.0.2.1'] };
    await set(
      dnsCluster('a', ['a.example']),
      dnsCluster('b', ['A.example.']),
      dnsCluster('c', ['a.example', 'a.example']),
    );
    expect(asked).toEqual(['a.example']);
    await later();
    expect(asked).toEqual(['a.example', 'a.example']);
    expect([...upstreams.clusters.values()].map(keys)).toEqual(Array(3).fill('192.0.2.1:3306'));
  });

  test('uses the names that are answered while another is not', async () => {
    dns = { 'a.example': ['192.0.2.1'] };
    const cluster = await set(dnsCluster('a', ['a.example', 'b.example']));
    expect(keys(cluster)).toBe('192.0.2.1:3306');
    dns = { 'b.example': ['192.0.2.2'] };
    await later();
    expect(keys(cluster)).toBe('192.0.2.1:3306 192.0.2.2:3306');
  });

  test('keeps its endpoints when DNS fails, and tells once', async () => {
    dns = { 'a.example': ['192.0.2.1'] };
    const cluster = await set(dnsCluster('a', ['a.example']));
    const [endpoint] = cluster.endpoints;
    dns = {};
    for (let i = 0; i < 5; i++) await later();
    expect(cluster.endpoints).toEqual([endpoint]);
    expect(warnings).toEqual(['a.example: DNS resolution failed (ENOTFOUND); its last answer holds']);
  });

  test('keeps its endpoints, and their pools, when DNS lists them in another order', async () => {
    dns = { 'a.example': ['192.0.2.1', '192.0.2.2'] };
    const cluster = await set(dnsCluster('a', ['a.example']));
    const [one, two] = cluster.endpoints;
    const { picker } = cluster;
    dns = { 'a.example': ['192.0.2.2', '192.0.2.1'] };
    await later();
    expect(new Set(cluster.endpoints)).toEqual(new Set([one, two]));
    expect(cluster.picker).toBe(picker);
  });

  test('finds the pool of an address that was gone for a moment; after a minute it is closed', async () => {
    dns = { 'a.example': ['192.0.2.1'] };
    const cluster = await set(dnsCluster('a', ['a.example']));
    const [one] = cluster.endpoints;
    const pool = upstreams.poolOf(cluster, one!);
    dns = { 'a.example': ['192.0.2.2'] };
    await later();
    expect(keys(cluster)).toBe('192.0.2.2:3306');
    dns = { 'a.example': ['192.0.2.1'] };
    await later();
    expect(cluster.endpoints).toEqual([one]);
    expect(one!.pool).toBe(pool);
    dns = { 'a.example': ['192.0.2.2'] };
    await later();
    clock.advance(60_000);
    upstreams.sweep(performance.now());
    expect(one!.pool).toBeNull();
    dns = { 'a.example': ['192.0.2.1'] };
    await later();
    expect(cluster.endpoints[0]).not.toBe(one);
  });

  test('has its endpoints at once when its TLS settings change', async () => {
    dns = { 'a.example': ['192.0.2.1'] };
    const settings = dnsCluster('a', ['a.example']);
    const cluster = await set(settings);
    const tls = {
      sni: 'a',
      caFile: null,
      certFile: null,
      keyFile: null,
      subjectAltNames: [],
      insecureSkipVerify: true,
    };
    upstreams.setClusters({ a: { ...settings, tls } });
    expect(keys(cluster)).toBe('192.0.2.1:3306');
    expect(asked).toHaveLength(1);
  });

  test('makes those wait who come before the first answer', async () => {
    using server = await listen(HOST);
    const answer = Promise.withResolvers<DnsAnswer>();
    upstreams.close();
    upstreams = new Upstreams(firstOf, () => 0, { clock, lookup: () => answer.promise });
    const settings = dnsCluster('a', [], {
      discovery: { kind: 'dns', mode: 'strict', hosts: [{ host: 'a.example', port: server.port, weight: 1 }] },
    });
    const cluster = await set(settings);
    const outcome = connectTo(cluster, cluster.picker(null)!);
    answer.resolve({ addresses: [HOST], ttl: 10_000 });
    expect((await outcome).socket).not.toBeNull();
    expect(keys(cluster)).toBe(`${HOST}:${server.port}`);
  });

  test('that is gone asks no more', async () => {
    dns = { 'a.example': ['192.0.2.1'] };
    const cluster = await set(dnsCluster('a', ['a.example']));
    upstreams.setClusters({});
    await later();
    expect([asked.length, cluster.endpoints.length, clock.pending]).toEqual([1, 0, 0]);
  });

  test('says why it has no endpoint', async () => {
    const cluster = await set(dnsCluster('a', ['a.example']), dnsCluster('b', ['2130706433']), sampleCluster());
    const [, bad, other] = upstreams.clusters.values();
    expect(upstreams.whyNone(cluster)).toBe('a.example: DNS resolution failed (ENOTFOUND)');
    expect(upstreams.whyNone(bad!)).toBe('2130706433: not a host name');
    expect(upstreams.whyNone(other!)).toBe('');
  });

  test('is not led inside the mesh where it may not be', async () => {
    dns = { 'a.example': ['169.254.169.254', '192.0.2.1', '10.9.9.9'], 'b.example': ['127.0.0.1'] };
    upstreams.setDiscovery({ endpoints: {}, workloads: { '10.9.9.9': SOMEBODY } });
    const mixed = await set(
      dnsCluster('mixed', ['a.example'], { mayPointInside: false }),
      dnsCluster('all', ['b.example'], { mayPointInside: false }),
      dnsCluster('trusted', ['a.example', 'b.example']),
    );
    expect(keys(mixed)).toBe('192.0.2.1:3306');
    const all = upstreams.clusters.get('all')!;
    expect([all.endpoints.length, all.picker(null)]).toEqual([0, null]);
    expect(upstreams.whyNone(all)).toBe('DNS answer points inside the mesh: b.example resolves to 127.0.0.1');
    expect(upstreams.clusters.get('trusted')!.endpoints).toHaveLength(4);
    await later();
    expect(warnings).toEqual([
      'a.example: DNS answer points inside the mesh (10.9.9.9, 169.254.169.254); it is not used',
      'b.example: DNS answer points inside the mesh (127.0.0.1); it is not used',
    ]);
  });

  test('loses an address that becomes a workload of the mesh, and has it back', async () => {
    dns = { 'a.example': ['10.9.9.9'] };
    const cluster = await set(dnsCluster('a', ['a.example'], { mayPointInside: false }));
    expect(keys(cluster)).toBe('10.9.9.9:3306');
    upstreams.setDiscovery({ endpoints: {}, workloads: { '10.9.9.9': SOMEBODY } });
    expect(keys(cluster)).toBe('');
    upstreams.setDiscovery({ endpoints: {}, workloads: {} });
    expect(keys(cluster)).toBe('10.9.9.9:3306');
  });

  test('may hold addresses that were written into the configuration', async () => {
    const cluster = await set(dnsCluster('a', ['127.0.0.1'], { mayPointInside: false }));
    expect([keys(cluster), upstreams.whyNone(cluster)]).toEqual(['127.0.0.1:3306', '']);
  });
});

type Outcome = { readonly socket: Socket | null; readonly cause: string };

function connectTo(cluster: LiveCluster, endpoint: LiveEndpoint): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  upstreams.connect(
    cluster,
    endpoint,
    { reads: new Reads(), client: null },
    {
      onConnected(socket) {
        socket.on('error', () => undefined);
        socket.destroy();
        resolve({ socket, cause: '' });
      },
      onDialFailed: (cause) => resolve({ socket: null, cause }),
    },
  );
  return promise;
}

/** Tells where each connection came in. */
async function listen(host: string, port = 0): Promise<{ port: number; next: () => Promise<string> } & Disposable> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    server.emit('came', socket.localAddress);
    socket.destroy();
  }).listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    next: async () => String((await once(server, 'came'))[0]),
    [Symbol.dispose]: () => void server.close(),
  };
}

describe('a logical cluster', () => {
  const logical = (port: number, over: Partial<Cluster> = {}): Cluster =>
    dnsCluster('a', [], {
      discovery: { kind: 'dns', mode: 'logical', hosts: [{ host: 'A.example', port, weight: 1 }] },
      ...over,
    });

  test('has one endpoint, that stays; connections go to the first address of the latest answer', async () => {
    using first = await listen(HOST);
    using second = await listen('127.42.3.2', first.port);
    dns = { 'a.example': [HOST, '127.42.3.2'] };
    const cluster = await set(logical(first.port));
    const [endpoint] = cluster.endpoints;
    expect(keys(cluster)).toBe(`a.example:${first.port}`);
    const came = first.next();
    await connectTo(cluster, endpoint!);
    expect(await came).toBe(HOST);
    dns = { 'a.example': ['127.42.3.2', HOST] };
    await later();
    expect(cluster.endpoints).toEqual([endpoint]);
    const cameToSecond = second.next();
    await connectTo(cluster, endpoint!);
    expect(await cameToSecond).toBe('127.42.3.2');
  });

  test('has none before DNS answers, nor when all it says is inside', async () => {
    const cluster = await set(logical(1, { mayPointInside: false }));
    expect(cluster.endpoints).toEqual([]);
    dns = { 'a.example': ['127.0.0.1'] };
    await later();
    expect([cluster.endpoints.length, cluster.picker(null)]).toEqual([0, null]);
    expect(upstreams.whyNone(cluster)).toContain('DNS answer points inside the mesh');
  });
});

describe('names that are asked for (DYNAMIC_DNS)', () => {
  const dynamic = (port: number, over: Partial<Cluster> = {}): Cluster =>
    sampleCluster({ discovery: { kind: 'dynamic-dns', port }, ...over });

  test('are endpoints at once, resolved when a connection is made', async () => {
    using server = await listen(HOST);
    dns = { 'x.example': [HOST] };
    const cluster = await set(dynamic(server.port));
    const endpoint = upstreams.dynamic(cluster, 'X.example');
    expect([endpoint.key, upstreams.dynamic(cluster, 'x.example')]).toEqual([`x.example:${server.port}`, endpoint]);
    expect(asked).toEqual([]);
    const came = server.next();
    expect((await connectTo(cluster, endpoint)).socket).not.toBeNull();
    expect(await came).toBe(HOST);
    expect(asked).toEqual(['x.example']);
  });

  test('fail with the reason of DNS, or because of where they lead', async () => {
    dns = { 'in.example': ['127.0.0.1', '169.254.169.254'] };
    const cluster = await set(dynamic(1, { mayPointInside: false }));
    const causeOf = async (host: string): Promise<string> =>
      (await connectTo(cluster, upstreams.dynamic(cluster, host))).cause;
    expect(await causeOf('no.example')).toBe('DNS resolution failed (ENOTFOUND)');
    expect(await causeOf('in.example')).toBe('DNS answer points inside the mesh');
    expect(await causeOf('127.0.0.1')).toBe('DNS answer points inside the mesh');
    expect(await causeOf('::ffff:169.254.169.254')).toBe('DNS answer points inside the mesh');
    expect(await causeOf('2130706433')).toBe('DNS resolution failed (not a host name)');
  });
});

describe('passthrough', () => {
  test('resolves a name, but for addresses that would come back to this proxy', async () => {
    using server = await listen(HOST);
    dns = { 'round.example': ['127.42.3.9', HOST], 'loop.example': ['127.42.3.9'] };
    upstreams.leadsBack = (address, port) => address === '127.42.3.9' && port === server.port;
    const cluster = await set(sampleCluster({ discovery: { kind: 'passthrough' } }));
    const came = server.next();
    await connectTo(cluster, upstreams.passthrough(cluster, 'round.example', server.port));
    expect(await came).toBe(HOST);
    const { cause } = await connectTo(cluster, upstreams.passthrough(cluster, 'loop.example', server.port));
    expect(cause).toBe('the destination is this proxy itself: the connection would come round for ever');
  });

  test('finds the endpoint of an address again, among any number', async () => {
    const cluster = await set(
      sampleCluster({ discovery: { kind: 'passthrough' }, balancing: { kind: 'PASSTHROUGH' } }),
    );
    upstreams.setDiscovery({ endpoints: {}, workloads: { '10.0.0.1': SOMEBODY } });
    const first = upstreams.passthrough(cluster, '10.0.0.1', 80);
    for (let i = 0; i < 999; i++) upstreams.passthrough(cluster, '10.0.0.2', i);
    expect(upstreams.passthrough(cluster, '10.0.0.1', 80)).toBe(first);
    expect([first.workload, cluster.endpoints.length]).toEqual([SOMEBODY, 1000]);
    upstreams.passthrough(cluster, '10.0.0.3', 80);
    expect(upstreams.passthrough(cluster, '10.0.0.1', 80)).not.toBe(first);
    expect(cluster.endpoints).toHaveLength(1000);
  });

  test('starts anew when the settings of its connections change', async () => {
    const settings = sampleCluster({ discovery: { kind: 'passthrough' } });
    const cluster = await set(settings);
    const first = upstreams.passthrough(cluster, '10.0.0.1', 80);
    await set({ ...settings, sourceAddress: '127.0.0.6' });
    expect(cluster.endpoints).toEqual([]);
    const second = upstreams.passthrough(cluster, '10.0.0.1', 80);
    expect(second).not.toBe(first);
    expect(cluster.endpoints).toEqual([second]);
    await set({ ...settings, sourceAddress: '127.0.0.6', connectTimeout: ms(1) });
    expect(upstreams.passthrough(cluster, '10.0.0.1', 80)).toBe(second);
  });
});

import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ms } from '../core/brand.ts';
import type { LiveCluster } from '../live/cluster.ts';
import type { Cluster } from '../snapshot/cluster.ts';
import type { Http1Connection } from './http1.ts';
import type { LeaseProblem, Pool } from './pool.ts';
import { sampleCluster } from '../snapshot/sample-cluster.ts';
import { Upstreams, type MakePicker } from './upstreams.ts';

const HOST = '127.42.4.1';

const firstOf: MakePicker = (_balancing, endpoints) => () => endpoints[0] ?? null;

let server: Server;
let heard: string[];
let upstreams: Upstreams;

beforeEach(async () => {
  heard = [];
  server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      heard.push(bytes.latin1Slice());
      if (bytes.includes('GET')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    });
  }).listen(0, HOST);
  await once(server, 'listening');
  upstreams = new Upstreams(firstOf, () => 0);
});

afterEach(() => {
  upstreams.close();
  server.close();
});

function poolWith(over: Partial<Cluster>): { pool: Pool; cluster: LiveCluster } {
  const settings = sampleCluster({ protocol: 'http', ...over });
  const { port } = server.address() as AddressInfo;
  upstreams.setClusters({ [settings.name]: settings });
  upstreams.setDiscovery({
    endpoints: { [settings.name]: [{ address: HOST, port, weight: 1, healthy: true, locality: '' }] },
    workloads: {},
  });
  const cluster = upstreams.clusters.get(settings.name)!;
  return { cluster, pool: upstreams.poolOf(cluster, cluster.endpoints[0]!) };
}

function lease(pool: Pool): Promise<Http1Connection> {
  const { promise, resolve, reject } = Promise.withResolvers<Http1Connection>();
  const waiter = { onLease: resolve, onLeaseFailed: (problem: LeaseProblem) => reject(new Error(problem.kind)) };
  const now = pool.lease(waiter, false);
  if (now !== null) resolve(now);
  return promise;
}

/** One exchange. */
function use(connection: Http1Connection): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const ignore = (): void => undefined;
  connection.send('GET', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n', 'none', {
    onUpstreamInformational: ignore,
    onUpstreamHead: ignore,
    onUpstreamData: ignore,
    onUpstreamEnd: () => resolve(),
    onUpstreamReadEnd: ignore,
    onUpstreamDrain: ignore,
    onUpstreamProblem: (problem) => reject(new Error(problem.kind)),
  });
  connection.flush();
  return promise;
}

async function oldEnough(connection: Http1Connection, age: number): Promise<void> {
  while (performance.now() - connection.openedAt < age) await pause(1);
}

describe('maxConnectionDuration of pooled connections', () => {
  test('none: one connection serves on', async () => {
    const { pool } = poolWith({});
    const first = await lease(pool);
    await use(first);
    expect(await lease(pool)).toBe(first);
  });

  test('an old connection finishes what is under way, and serves no more', async () => {
    const { pool, cluster } = poolWith({ maxConnectionDuration: ms(20) });
    const first = await lease(pool);
    await oldEnough(first, 20);
    await use(first);
    expect(first.socket.destroyed).toBe(true);
    expect(await lease(pool)).not.toBe(first);
    expect(cluster.connections).toBe(1);
  });

  test('an old connection that is idle is not leased, and swept', async () => {
    const { pool } = poolWith({ maxConnectionDuration: ms(20) });
    const [first, second] = await Promise.all([lease(pool), lease(pool)]);
    await Promise.all([use(first), use(second)]);
    expect(pool.open).toBe(2);
    await oldEnough(second, 20);
    const third = await lease(pool);
    expect([third === first, third === second]).toEqual([false, false]);
    upstreams.sweep(performance.now());
    expect([first.socket.destroyed, second.socket.destroyed, third.socket.destroyed]).toEqual([true, true, false]);
  });
});

describe('pooled connections', () => {
  test('say in their PROXY header that nobody in particular is behind them, once', async () => {
    const { pool } = poolWith({ proxyProtocol: 'V1' });
    const connection = await lease(pool);
    await use(connection);
    await use(await lease(pool));
    expect(heard.join('')).toBe(`PROXY UNKNOWN\r\n${'GET / HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(2)}`);
  });

  test('come from the source address of the cluster', async () => {
    const { pool } = poolWith({ sourceAddress: '127.0.0.6' });
    expect((await lease(pool)).local).toMatch(/^127\.0\.0\.6:/);
  });

  test('know whether they are in use', async () => {
    const { pool } = poolWith({});
    expect(pool.inUse).toBe(false);
    const leasing = lease(pool);
    expect(pool.inUse).toBe(true);
    const connection = await leasing;
    expect(pool.inUse).toBe(true);
    await use(connection);
    expect(pool.inUse).toBe(false);
  });
});

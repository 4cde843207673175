import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, describe, test } from 'vitest';
import { ms } from '../core/brand.ts';
import { wheelClock } from '../core/clock.ts';
import { LiveCluster } from '../live/cluster.ts';
import type { Connection } from '../live/connection.ts';
import type { Exchange } from '../live/exchange.ts';

import { LiveEndpoint } from '../live/endpoint.ts';
import { sampleCluster } from '../snapshot/sample-cluster.ts';
import type { Environment } from './environment.ts';
import type { TcpRulePlan } from './plan.ts';
import { makePicker } from '../balancer/picker.ts';
import { Upstreams } from '../upstream/upstreams.ts';
import { serveTcp } from './tcp.ts';
import { Reads } from '../wire/lent-reads.ts';

const SETTINGS = sampleCluster({ connectTimeout: ms(1000), tcpIdleTimeout: ms(0), maxConnections: 1 });

const server = createServer({ allowHalfOpen: true });
afterAll(() => server.close());

/** Serves one connection that goes to `port` (0: nobody is there); what was logged, once both ends are gone. */
async function serve(port: number, leave: (client: Socket) => void, cluster = new LiveCluster(SETTINGS)) {
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening');
  const endpoint = port === 0 ? null : new LiveEndpoint('127.0.0.1', port);
  cluster.picker = () => endpoint;
  const ends: Exchange[] = [];
  let opened = 0;
  const env = {
    tunnels: new Set(),
    clock: wheelClock(),
    upstreams: new Upstreams(makePicker, Math.random),
    plans: { current: { snapshot: { version: 'v', listeners: [] } } },
    tcpSeries: () => ({ opened: () => opened++, bytes: () => undefined, closed: () => undefined }),
    reached: () => undefined,
    recordTcp: (x: Exchange) => ends.push(x),
  } as unknown as Environment;
  const rule: TcpRulePlan = { covers: null, named: null, source: null, pick: () => cluster };
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined);
  client.resume();
  const [socket] = await accepted;
  const over = new Promise((done) => socket.once('close', done));
  const reads = new Reads();
  socket.pause().on('data', (bytes: Buffer) => reads.onBytes(bytes));
  socket.pause();
  const connection = { localAddress: '127.0.0.1', localPort: 1, serverName: '' } as Connection;
  const way = {
    direction: 'outbound',
    port: { rules: [rule], http: null, authorize: null },
    rule,
    refused: null,
  } as const;
  serveTcp(env, way, connection, { socket, reads, early: null });
  leave(client);
  await over;
  // Whatever would be told a second time is told by now.
  while (ends.length === 0 || env.tunnels.size > 0) await new Promise((done) => setTimeout(done, 5));
  await new Promise((done) => setTimeout(done, 20));
  assert.equal(opened, 1);
  assert.equal(cluster.connections, 0);
  return ends.map(({ flags, reason }) => ({ flag: flags, reason }));
}

describe('a TCP connection is told of once', () => {
  test('when nobody is there', async () => {
    assert.deepEqual(await serve(0, () => undefined), [{ flag: 'UH', reason: 'no healthy endpoint' }]);
  });

  test('when the far end refuses it', async () => {
    const [end, ...more] = await serve(1, () => undefined);
    assert.deepEqual([end!.flag, more], ['UF', []]);
  });

  test('when it is one too many', async () => {
    const full = new LiveCluster({ ...SETTINGS, maxConnections: 0 });
    assert.deepEqual(await serve(1, () => undefined, full), [{ flag: 'UO', reason: 'connection limit reached' }]);
  });

  for (const [what, leave, reason] of [
    ['both ends close', (client: Socket) => void client.end(), ''],
    ['its client resets it', (client: Socket) => client.resetAndDestroy(), 'the client reset the connection'],
  ] as const) {
    test(`when ${what}`, async () => {
      const far = createServer((socket) => socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1');
      await once(far, 'listening');
      const connected = once(far, 'connection');
      const ends = await serve(
        (far.address() as AddressInfo).port,
        (client) => void connected.then(() => leave(client)),
      );
      assert.deepEqual(ends, [{ flag: '', reason }]);
      far.close();
    });
  }
});

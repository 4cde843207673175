import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, test } from 'vitest';
import { tableName } from '../core/brand.ts';
import type { Listener } from '../snapshot/listener.ts';
import { LoadBoard } from '../live/load-board.ts';
import { Admission } from './admission.ts';
import { SIDECAR_LIMITS } from './limits.ts';
import { Listeners } from './listeners.ts';

const listener = (name: string, port: number, direction: Listener['direction'] = 'inbound'): Listener => ({
  kind: 'http',
  name,
  address: '127.0.0.1',
  port,
  direction,
  authz: null,
  pick: 'fixed',
  tables: {},
  fallback: tableName('t'),
  forwardProxy: null,
  captured: null,
});

const anybody = (): Admission => new Admission(SIDECAR_LIMITS, new LoadBoard(1), 0, never);

const never = (): void => assert.fail('nothing was to go wrong');

/** A server on a port of its own; `close` lets go of the port. */
async function taken(): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, close: () => new Promise((resolve) => void server.close(() => resolve())) };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
  });
}

describe('listeners', () => {
  test('are bound and let go as they are wanted; connections that are open stay', async () => {
    const accepted: Socket[] = [];
    const listeners = new Listeners((_, socket) => void accepted.push(socket), never, never, anybody());
    const free = await taken();
    await free.close();
    const { port } = free;
    await listeners.set([listener('a', port)]);
    const client = connect(port, '127.0.0.1');
    await new Promise((resolve) => client.once('connect', resolve));
    while (accepted.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await listeners.set([]);
    assert.equal(await answers(port), false);
    const echoed = new Promise((resolve) => client.once('data', (bytes) => resolve(bytes.toString())));
    accepted[0]!.write('still here');
    assert.equal(await echoed, 'still here');
    client.destroy();
    accepted[0]!.destroy();
    await listeners.close();
  });

  test('whose port is taken tell so, and are bound when it is free', async () => {
    const holder = await taken();
    const problem = Promise.withResolvers<string>();
    const recovered = Promise.withResolvers<string>();
    const listeners = new Listeners(
      (_, socket) => void socket.destroy(),
      (p) => problem.resolve(`${p.listener} ${p.message}`),
      (listener) => recovered.resolve(listener),
      anybody(),
    );
    await listeners.set([listener('a', holder.port)]);
    assert.match(await problem.promise, /^a .*EADDRINUSE/);
    await holder.close();
    assert.equal(await recovered.promise, 'a');
    assert.equal(await answers(holder.port), true);
    await listeners.close();
  });

  test('of one direction can be closed alone, and stay closed', async () => {
    const listeners = new Listeners((_, socket) => void socket.destroy(), never, never, anybody());
    const [one, two] = [await taken(), await taken()];
    await one.close();
    await two.close();
    const both = [listener('in', one.port), listener('out', two.port, 'outbound')];
    await listeners.set(both);
    await listeners.close('inbound');
    await listeners.set(both);
    assert.deepEqual([await answers(one.port), await answers(two.port)], [false, true]);
    await listeners.close();
  });
});

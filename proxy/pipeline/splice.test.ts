import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'vitest';
import { manualClock } from '../core/manual-clock.ts';
import { Reads } from '../wire/lent-reads.ts';
import type { Environment } from './environment.ts';
import { splice, type TunnelEnd } from './splice.ts';

let server: Server;

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  server.close();
  await once(server, 'close');
});

/** Both ends of a connection. */
async function pair(): Promise<{ readonly far: Socket; readonly near: Socket }> {
  const arrives = once(server, 'connection');
  const far = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  const [near] = (await arrives) as [Socket];
  far.on('error', () => undefined);
  return { far, near };
}

/** Of a socket that reads as Node's own do. */
function readsOf(socket: Socket): Reads {
  const reads = new Reads();
  socket.on('data', (bytes: Buffer) => reads.onBytes(bytes));
  return reads;
}

function joined(client: Socket, origin: Socket, early: Buffer | null): Promise<TunnelEnd> {
  const env = { clock: manualClock(), tunnels: new Set() } as unknown as Environment;
  const { promise, resolve } = Promise.withResolvers<TunnelEnd>();
  splice(
    env,
    { socket: client, reads: readsOf(client), early: null },
    { socket: origin, reads: readsOf(origin), early },
    { direction: 'outbound', idle: 0, longest: 0, passed: () => undefined, ended: resolve },
  );
  return promise;
}

describe('two connections that are joined', () => {
  test('when one said good-bye and was closed before, the other does not stay behind', async () => {
    const [client, origin] = [await pair(), await pair()];
    client.near.resume();
    client.far.end();
    await once(client.near, 'end');
    // Closed, but `close` is still to come: this is where an answer of the origin may come in.
    client.near.destroy();
    const gone = once(origin.far, 'close');
    origin.far.resume().on('end', () => origin.far.end());
    const over = joined(client.near, origin.near, Buffer.from('hello'));
    assert.equal((await over).by, 'a');
    await gone;
    client.far.destroy();
  });

  test('pass on a good-bye, and what the other side says after it', async () => {
    const [client, origin] = [await pair(), await pair()];
    const over = joined(client.near, origin.near, null);
    client.far.end('last words');
    let heard = '';
    origin.far.on('data', (bytes: Buffer) => (heard += String(bytes)));
    await once(origin.far, 'end');
    assert.equal(heard, 'last words');
    origin.far.end('answer');
    const answer = await once(client.far, 'data');
    assert.equal(String(answer[0]), 'answer');
    assert.deepEqual(await over, { by: 'a', how: 'fin' });
  });
});

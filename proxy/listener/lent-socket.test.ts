import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'vitest';
import { Reads } from '../wire/lent-reads.ts';
import { lendReads } from './lent-socket.ts';

let server: Server;
let client: Socket;
let accepted: Socket;

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const arrives = once(server, 'connection');
  client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  [accepted] = (await arrives) as [Socket];
});

afterEach(async () => {
  client.destroy();
  server.close();
  await once(server, 'close');
});

/** Resolves with what was read once it is `text`. */
function reading(reads: Reads, text: string): Promise<string> {
  let all = '';
  return new Promise((resolve) => {
    reads.onBytes = (bytes) => {
      all += bytes.toString('latin1');
      if (all.length >= text.length) resolve(all);
    };
  });
}

describe('an accepted connection that lends its reads', () => {
  test('reads, pauses, resumes and writes', async () => {
    const reads = new Reads();
    const socket = lendReads(accepted, reads);
    const came = reading(reads, 'hello');
    client.write('hello');
    assert.equal(await came, 'hello');
    socket.pause();
    client.write('later');
    socket.write('answer');
    assert.equal(String((await once(client, 'data'))[0]), 'answer');
    const rest = reading(reads, 'later');
    socket.resume();
    assert.equal(await rest, 'later');
    socket.destroy();
  });

  test('tells of the end of the client, and stays open for the answer', async () => {
    const socket = lendReads(accepted, new Reads());
    const ended = once(socket, 'end');
    client.end();
    await ended;
    socket.end('last words');
    assert.equal(String((await once(client, 'data'))[0]), 'last words');
  });

  test('counts as one connection of its server, until it closes', async () => {
    const count = (): Promise<number> =>
      new Promise((resolve, reject) =>
        server.getConnections((error, n) => (error === null ? resolve(n) : reject(error))),
      );
    const socket = lendReads(accepted, new Reads());
    assert.equal(await count(), 1);
    const gone = once(accepted, 'close');
    socket.destroy();
    await gone;
    assert.equal(await count(), 0);
  });

  test('a socket without a handle of Node’s is read as a stream', async () => {
    const reads = new Reads();
    const plain = Object.create(accepted, { _handle: { value: null } }) as Socket;
    assert.equal(lendReads(plain, reads), plain);
    const came = reading(reads, 'hello');
    client.write('hello');
    assert.equal(await came, 'hello');
    accepted.destroy();
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { test } from 'vitest';
import { PAGE } from '../telemetry/exposition-writer.ts';
import { PageWriter } from './page-writer.ts';

/** Writes `pages` pages to whoever asks, and notes how many were taken. */
async function writing(pages: number, writer: PageWriter, isZipped = false) {
  const noted = { asked: 0, ended: 0, responses: [] as ServerResponse[] };
  const ends: (() => void)[] = [];
  async function* text(): AsyncIterable<string> {
    for (let i = 0; i < pages; i++) {
      noted.asked++;
      yield `${i}`.padEnd(PAGE, isZipped ? 'x' : '.');
    }
  }
  const server = createServer((_, response) => {
    noted.responses.push(response);
    void writer.write(text(), response, isZipped).then(() => {
      noted.ended++;
      for (const end of ends.splice(0)) end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.62.0.2', () => resolve()));
  const { port } = server.address() as AddressInfo;
  const ask = (): Socket => {
    const socket = connect(port, '127.62.0.2').pause();
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    return socket;
  };
  const ended = (): Promise<void> => new Promise((resolve) => ends.push(resolve));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { noted, ask, ended, port, [Symbol.asyncDispose]: close };
}

for (const isZipped of [false, true])
  test(`all pages arrive${isZipped ? ', compressed' : ''}`, async () => {
    await using server = await writing(50, new PageWriter(), isZipped);
    const ended = server.ended();
    const body = Buffer.from(await (await fetch(`http://127.62.0.2:${server.port}/`)).arrayBuffer());
    await ended;
    const text = isZipped ? gunzipSync(body) : body;
    assert.equal(text.length, 50 * PAGE);
    assert.equal(text.subarray(49 * PAGE, 49 * PAGE + 3).toString(), '49.'.replace('.', isZipped ? 'x' : '.'));
  });

test('a scraper that stops in the middle makes nobody write on, holds a page, and is cut off', async () => {
  await using server = await writing(100_000, new PageWriter(50));
  const ended = server.ended();
  const socket = server.ask();
  await ended;
  // What the kernel's buffers took, and one page.
  assert.ok(server.noted.asked < 1000, `${server.noted.asked} pages`);
  assert.ok(server.noted.responses[0]!.destroyed);
  socket.destroy();
});

test('one that goes away ends the writing', async () => {
  await using server = await writing(100_000, new PageWriter());
  const ended = server.ended();
  const socket = server.ask();
  socket.once('data', () => socket.destroy());
  socket.resume();
  await ended;
  assert.ok(server.noted.asked < 1000);
});

test('too many at a time cost the oldest its answer', async () => {
  await using server = await writing(100_000, new PageWriter());
  const first = server.ended();
  const sockets = Array.from({ length: 16 }, () => server.ask());
  while (server.noted.asked < 16) await once(AbortSignal.timeout(5), 'abort');
  sockets.push(server.ask());
  await first;
  assert.equal(server.noted.ended, 1);
  assert.equal(server.noted.responses.filter(({ destroyed }) => destroyed).length, 1);
  for (const socket of sockets) socket.destroy();
});

test('an error in the middle cuts the answer off: it must not look whole', async () => {
  const writer = new PageWriter();
  const server = createServer((_, response) => {
    void writer.write(failing(), response, false);
  });
  async function* failing(): AsyncIterable<string> {
    yield 'x';
    await Promise.reject(new Error('no'));
  }
  await new Promise<void>((resolve) => server.listen(0, '127.62.0.2', () => resolve()));
  const { port } = server.address() as AddressInfo;
  await assert.rejects(fetch(`http://127.62.0.2:${port}/`).then((response) => response.text()));
  server.close();
});

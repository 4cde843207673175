/** One long stream through a proxy: `node test/bounds/stream.ts [download|upload|tunnel] [MB]`. */
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { ask, canary, mb, open, print, startSidecar, type Sidecar } from './sidecar.ts';

export type Kind = 'download' | 'upload' | 'tunnel';

export type Streamed = {
  readonly kind: Kind;
  /** Bytes that came out at the other end. */
  readonly arrived: number;
  /** How much the proxy grew at its highest, bytes. */
  readonly grown: number;
  readonly seconds: number;
};

const BLOCK = Buffer.alloc(262_144, 'x');

/** Streams `size` bytes of each kind, one after the other; the far end reads as fast as it can, but for a pause of 300 ms in the middle. */
export async function streams(kinds: readonly Kind[], size: number, network: string): Promise<readonly Streamed[]> {
  let far: Took = () => undefined;
  await using sidecar = await startSidecar(network, (socket) => serve(socket, size, (s, bytes) => far(s, bytes)));
  for (let i = 0; i < 200; i++) await canary(sidecar);
  const told: Streamed[] = [];
  for (const kind of kinds) told.push(await stream(kind, size, sidecar, (took) => (far = took)));
  return told;
}

type Took = (socket: Socket, bytes: number) => void;

/** `atFarEnd`: who is told of what an upload brings. */
async function stream(kind: Kind, size: number, sidecar: Sidecar, atFarEnd: (took: Took) => void): Promise<Streamed> {
  let arrived = 0;
  const all = Promise.withResolvers<void>();
  const took: Took = (socket, bytes) => {
    const before = arrived < size / 2;
    arrived += bytes;
    if (arrived >= size) all.resolve();
    if (!before || arrived < size / 2) return;
    socket.pause();
    setTimeout(() => socket.resume(), 300);
  };
  atFarEnd(took);
  const before = sidecar.rss();
  let top = before;
  const from = performance.now();
  const timer = setInterval(() => (top = Math.max(top, sidecar.rss())), 50);
  const client = await begin(kind, size, sidecar, took);
  await all.promise;
  clearInterval(timer);
  client.destroy();
  return { kind, arrived, grown: top - before, seconds: (performance.now() - from) / 1000 };
}

async function begin(kind: Kind, size: number, sidecar: Sidecar, took: Took) {
  const client = await open(sidecar);
  if (kind === 'upload') {
    client.write(ask('POST', '/upload', `Content-Length: ${size}\r\n`));
    client.resume();
    pump(client, size);
    return client;
  }
  if (kind === 'tunnel') {
    const { address, port } = sidecar.origin;
    client.write(`CONNECT ${address}:${port} HTTP/1.1\r\nHost: ${address}:${port}\r\n\r\n`);
    await once(client, 'data');
  }
  client.write(ask('GET', '/download'));
  client.once('data', (head: Buffer) => {
    took(client, head.length - head.indexOf('\r\n\r\n') - 4);
    client.on('data', (bytes: Buffer) => took(client, bytes.length));
  });
  return client;
}

function serve(socket: Socket, size: number, took: Took): void {
  socket.on('data', first);
  function first(bytes: Buffer): void {
    const head = bytes.toString('latin1', 0, 40);
    if (head.startsWith('GET /canary ')) return void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    socket.off('data', first);
    if (head.startsWith('GET /download ')) {
      socket.write(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${size}\r\n\r\n`);
      pump(socket, size);
    } else {
      took(socket, bytes.length - bytes.indexOf('\r\n\r\n') - 4);
      socket.on('data', (more: Buffer) => took(socket, more.length));
    }
  }
}

/** Writes `size` bytes as fast as they are taken. */
function pump(socket: Socket, size: number): void {
  let left = size;
  const more = (): void => {
    while (left > 0 && !socket.destroyed) {
      const block = left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK;
      left -= block.length;
      if (!socket.write(block)) return void socket.once('drain', more);
    }
  };
  more();
}

if (import.meta.main) {
  const kinds = process.argv[2] === undefined ? (['download', 'upload', 'tunnel'] as const) : [process.argv[2] as Kind];
  for (const told of await streams(kinds, Number(process.argv[3] ?? 10_240) * 1_048_576, '127.46.4')) {
    const rate = told.arrived / told.seconds / 1e6;
    print(
      `${told.kind}: ${mb(told.arrived)} in ${told.seconds.toFixed(1)} s (${rate.toFixed(0)} MB/s); the proxy grew by ${mb(told.grown)}`,
    );
  }
}

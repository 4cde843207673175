/** Many clients that read a large body slowly: `node test/bounds/slow-readers.ts [readers] [MB] [seconds]`. */
import type { Socket } from 'node:net';
import { ask, canary, mb, open, print, startSidecar } from './sidecar.ts';

export type SlowReaders = {
  readonly readers: number;
  /** How much the proxy grew at its highest, bytes. */
  readonly grown: number;
  /** What the origin could hand over in all: bounded by what the network and the proxy hold. */
  readonly sent: number;
  readonly canaryMs: number;
  /** Descriptors that are left over when all have gone. */
  readonly filesLeft: number;
};

const BLOCK = Buffer.alloc(65_536, 'x');

/** `readers` clients take 16 kB of a body of `size` bytes every 200 ms, for `seconds`. */
export async function slowReaders(
  readers: number,
  size: number,
  seconds: number,
  network: string,
): Promise<SlowReaders> {
  let sent = 0;
  await using sidecar = await startSidecar(network, (socket) =>
    socket.on('data', (bytes) => {
      if (bytes.toString('latin1', 0, 12) === 'GET /canary ')
        return void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
      let left = size;
      const pump = (): void => {
        while (left > 0) {
          const block = left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK;
          left -= block.length;
          sent += block.length;
          if (!socket.write(block)) return void socket.once('drain', pump);
        }
      };
      pump();
    }),
  );
  for (let i = 0; i < 200; i++) await canary(sidecar);
  const before = sidecar.rss();
  const files = sidecar.files();
  const sockets: Socket[] = [];
  while (sockets.length < readers) {
    const socket = await open(sidecar);
    socket.pause();
    socket.write(ask('GET', '/large'));
    sockets.push(socket);
  }
  let top = 0;
  let slowest = 0;
  for (let turn = 0; turn < seconds * 5; turn++) {
    for (const socket of sockets) socket.read(16_384);
    top = Math.max(top, sidecar.rss());
    if (turn % 5 === 0) slowest = Math.max(slowest, await canary(sidecar));
    await new Promise((done) => setTimeout(done, 200));
  }
  for (const socket of sockets) socket.destroy();
  for (let look = 0; look < 100 && sidecar.files() > files; look++) await new Promise((done) => setTimeout(done, 50));
  return { readers, grown: top - before, sent, canaryMs: slowest, filesLeft: Math.max(0, sidecar.files() - files) };
}

if (import.meta.main) {
  const [readers = 1000, megabytes = 100, seconds = 20] = process.argv.slice(2).map(Number);
  const told = await slowReaders(readers, megabytes * 1_048_576, seconds, '127.46.3');
  print(
    `${readers} readers: ${mb(told.grown)} in all, ${mb(told.grown / readers)} each; ${mb(told.sent)} left the origin; canary ${told.canaryMs.toFixed(1)} ms; ${told.filesLeft} descriptors left over`,
  );
}

/** What an idle client connection costs: `node test/bounds/idle.ts [connections]`. */
import type { Socket } from 'node:net';
import { ask, canary, highest, mb, open, print, startSidecar } from './sidecar.ts';

export type Idle = {
  readonly connections: number;
  /** Resident bytes a connection, of those that never said a word, and of those that have been served once. */
  readonly silent: number;
  readonly served: number;
  /** Milliseconds until a small request was answered beside them. */
  readonly canaryMs: number;
};

/** Opens `connections` twice: first ones that stay silent, then as many that ask once and stay. */
export async function idle(connections: number, network: string): Promise<Idle> {
  await using sidecar = await startSidecar(network, (socket) =>
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')),
  );
  for (let i = 0; i < 200; i++) await canary(sidecar);
  const before = await highest(sidecar.rss);
  const silent = await openMany(connections);
  const withSilent = await highest(sidecar.rss);
  const served = await openMany(connections, ask('GET', '/'));
  const withServed = await highest(sidecar.rss);
  const times = [];
  for (let i = 0; i < 5; i++) times.push(await canary(sidecar));
  for (const socket of [...silent, ...served]) socket.destroy();
  return {
    connections,
    silent: Math.round((withSilent - before) / connections),
    served: Math.round((withServed - withSilent) / connections),
    canaryMs: Math.max(...times),
  };

  async function openMany(count: number, first = ''): Promise<Socket[]> {
    const sockets: Socket[] = [];
    while (sockets.length < count) {
      const batch = Array.from({ length: Math.min(100, count - sockets.length) }, async () => {
        const socket = await open(sidecar);
        if (first === '') return socket;
        socket.write(first);
        await new Promise((done) => socket.once('data', done));
        return socket;
      });
      sockets.push(...(await Promise.all(batch)));
    }
    return sockets;
  }
}

if (import.meta.main) {
  const told = await idle(Number(process.argv[2] ?? 5000), '127.46.1');
  print(
    `${told.connections} connections: ${told.silent} bytes each when silent, ${told.served} after a request; canary ${told.canaryMs.toFixed(1)} ms`,
  );
  print(`all of them: ${mb((told.silent + told.served) * told.connections)}`);
}

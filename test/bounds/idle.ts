/** What an idle client connection costs: `node test/bounds/idle.ts [connections]`. */
import type { Socket } from 'node:net';
import { ask, canary, highest, mb, open, print, startSidecar, type Sidecar } from './sidecar.ts';

export type Idle = {
  readonly connections: number;
  /** Resident bytes a connection, of those that never said a word, and of those that have been served once. */
  readonly silent: number;
  readonly served: number;
  /** And of a tunnel through which something has passed once: both of its ends. */
  readonly tunnel: number;
  /** Milliseconds until a small request was answered beside them. */
  readonly canaryMs: number;
};

/** Opens `connections` three times: first ones that stay silent, then as many that ask once and stay, then as many tunnels. */
export async function idle(connections: number, network: string): Promise<Idle> {
  const asked = await clients(connections, network);
  // By another process: what clients have left behind would do for tunnels.
  return { connections, ...asked, tunnel: await tunnels(connections, network) };
}

async function warm(network: string): Promise<Sidecar> {
  const sidecar = await startSidecar(network, (socket) =>
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')),
  );
  for (let i = 0; i < 200; i++) await canary(sidecar);
  return sidecar;
}

async function clients(connections: number, network: string): Promise<Pick<Idle, 'silent' | 'served' | 'canaryMs'>> {
  await using sidecar = await warm(network);
  const before = await highest(sidecar.rss);
  const silent = await openMany(sidecar, connections);
  const withSilent = await highest(sidecar.rss);
  const served = await openMany(sidecar, connections, ask('GET', '/'));
  const withServed = await highest(sidecar.rss);
  const times = [];
  for (let i = 0; i < 5; i++) times.push(await canary(sidecar));
  for (const socket of [...silent, ...served]) socket.destroy();
  return {
    silent: Math.round((withSilent - before) / connections),
    served: Math.round((withServed - withSilent) / connections),
    canaryMs: Math.max(...times),
  };
}

async function tunnels(connections: number, network: string): Promise<number> {
  await using sidecar = await warm(network);
  const before = await highest(sidecar.rss);
  const { address, port } = sidecar.origin;
  const hello = `CONNECT ${address}:${port} HTTP/1.1\r\nhost: x\r\n\r\n`;
  const open = await openMany(sidecar, connections, hello, ask('GET', '/'));
  const after = await highest(sidecar.rss);
  for (const socket of open) socket.destroy();
  return Math.round((after - before) / connections);
}

/** Each says the words, one after another, when the one before has been answered. */
async function openMany(sidecar: Sidecar, count: number, ...words: readonly string[]): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(100, count - sockets.length) }, async () => {
      const socket = await open(sidecar);
      for (const word of words) {
        socket.write(word);
        await new Promise((done) => socket.once('data', done));
      }
      return socket;
    });
    sockets.push(...(await Promise.all(batch)));
  }
  return sockets;
}

if (import.meta.main) {
  const told = await idle(Number(process.argv[2] ?? 5000), '127.46.1');
  print(
    `${told.connections} connections: ${told.silent} bytes each when silent, ${told.served} after a request, ${told.tunnel} for a tunnel; canary ${told.canaryMs.toFixed(1)} ms`,
  );
  print(`all of them: ${mb((told.silent + told.served) * told.connections)}`);
}

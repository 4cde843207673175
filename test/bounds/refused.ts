/** Connections that cannot get anywhere: `node test/bounds/refused.ts [connections] [rounds]`. Each is refused, and nothing stays of it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { freePort } from '../../bench/process.ts';
import { canary, mb, open, print, startSidecar, type Sidecar } from './sidecar.ts';

export type Refused = {
  /** How many ended as they should: all of them. */
  readonly refused: number;
  /** Resident memory before, and after each round, bytes. */
  readonly rss: readonly number[];
  readonly filesBefore: number;
  readonly filesAfter: number;
  readonly seconds: number;
};

/** Where nobody listens. */
type Nobody = { readonly address: string; readonly port: number };

export async function refused(connections: number, rounds: number, network: string): Promise<Refused> {
  const nobody = { address: `${network}.9`, port: await freePort(`${network}.9`) };
  const port = await freePort(`${network}.2`);
  await using sidecar = await startSidecar(network, serve, resources(`${network}.2`, port, nobody));
  for (let i = 0; i < 50; i++) await canary(sidecar);
  // The first ones make the code warm.
  await round(sidecar, port, nobody, Math.min(connections, 1000));
  const filesBefore = await settled(sidecar);
  const rss = [sidecar.rss()];
  const from = performance.now();
  let count = 0;
  for (let i = 0; i < rounds; i++) {
    count += await round(sidecar, port, nobody, Math.ceil(connections / rounds));
    rss.push(sidecar.rss());
  }
  const seconds = (performance.now() - from) / 1000;
  const filesAfter = await settled(sidecar);
  await canary(sidecar);
  return { refused: count, rss, filesBefore, filesAfter, seconds };
}

/** Descriptors, when they have stopped changing. */
async function settled(sidecar: Sidecar): Promise<number> {
  let last = -1;
  for (let same = 0; same < 10;) {
    await new Promise((done) => setTimeout(done, 50));
    same = sidecar.files() === last ? same + 1 : 0;
    last = sidecar.files();
  }
  return last;
}

async function round(sidecar: Sidecar, port: number, nobody: Nobody, count: number): Promise<number> {
  const to = `${nobody.address}:${nobody.port}`;
  const tunnel = `CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n`;
  let next = 0;
  let ended = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const nth = next++;
      const early = nth % 3 === 1 ? 'early' : '';
      const well = nth % 3 === 0 ? await answered(sidecar, tunnel) : await reset(sidecar, port, early);
      if (well) ended++;
    }
  };
  await Promise.all(Array.from({ length: 50 }, worker));
  return ended;
}

/** A port of TCP; true: the connection was taken, and reset without a byte. (It may be gone before its client has heard that it was taken.) */
function reset(sidecar: Sidecar, port: number, early: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: sidecar.address, port, localAddress: sidecar.address, noDelay: true });
  if (early !== '') socket.write(early);
  let came = 0;
  socket.on('data', (bytes: Buffer) => (came += bytes.length));
  socket.on('error', ({ code }: NodeJS.ErrnoException) =>
    resolve(came === 0 && (code === 'ECONNRESET' || code === 'EPIPE')),
  );
  socket.on('close', () => resolve(false));
  return promise;
}

/** A tunnel; true: it was refused in HTTP. */
async function answered(sidecar: Sidecar, head: string): Promise<boolean> {
  const socket = await open(sidecar);
  socket.write(head);
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  // Not by a good-bye: ports would be held for a minute.
  socket.resetAndDestroy();
  return bytes.latin1Slice().startsWith('HTTP/1.1 503 ');
}

const resources = (bind: string, port: number, nobody: Nobody): string => `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db, namespace: default }
spec:
  hosts: [db.bounds]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: ${port}, name: tcp-db, protocol: TCP, targetPort: ${nobody.port} }]
  endpoints: [{ address: ${nobody.address} }]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: default }
spec:
  egress:
    - { port: { number: ${port}, name: tcp-db, protocol: TCP }, bind: ${bind}, captureMode: NONE, hosts: [./db.bounds] }
    - { hosts: ['*/*'] }
`;

function serve(socket: Socket): void {
  socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok'));
  socket.on('end', () => socket.end());
}

if (import.meta.main) {
  const [connections = 100_000, rounds = 4] = process.argv.slice(2).map(Number);
  const told = await refused(connections, rounds, '127.48.60');
  print(`${told.refused} of ${connections} refused in ${told.seconds.toFixed(1)} s`);
  print(`descriptors ${told.filesBefore} before, ${told.filesAfter} after; memory ${told.rss.map(mb).join(', ')}`);
}

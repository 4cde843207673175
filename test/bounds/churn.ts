/** Connections that come and are broken off: `node test/bounds/churn.ts [cycles] [rounds]`. Descriptors and memory come back. */
import type { Socket } from 'node:net';
import { ask, canary, mb, open, print, startSidecar, type Sidecar } from './sidecar.ts';

export type Churn = {
  /** Resident memory after each round of `cycles`, bytes: flat when nothing leaks. */
  readonly rss: readonly number[];
  /** Descriptors that are left over when all is over. */
  readonly filesLeft: number;
};

const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

/** What is broken off: a request that nobody answers, a body half sent, an answer half read, tunnels, what is no HTTP. */
const SHAPES: readonly ((sidecar: Sidecar) => string)[] = [
  () => 'GET /nev',
  () => ask('GET', '/never'),
  () => ask('POST', '/never', 'Content-Length: 100000\r\n') + 'x'.repeat(5000),
  () => ask('GET', '/large'),
  () => ask('GET', '/reset'),
  () => ask('GET', '/socket', UPGRADE),
  () => ask('GET', '/socket-reset', UPGRADE),
  ({ origin }) => `CONNECT ${origin.address}:${origin.port} HTTP/1.1\r\nHost: ${origin.address}\r\n\r\nGET /never `,
  () => 'this is no HTTP\r\n\r\n',
];

const LARGE = Buffer.alloc(1_000_000, 'x');

export async function churn(cycles: number, rounds: number, network: string): Promise<Churn> {
  await using sidecar = await startSidecar(network, serve);
  for (let i = 0; i < 200; i++) await canary(sidecar);
  await round(sidecar, Math.min(cycles, 2000));
  // The origin keeps no connection: what is open after a round was left behind.
  const settled = async (): Promise<number> => {
    let last = -1;
    for (let same = 0; same < 10;) {
      await new Promise((done) => setTimeout(done, 50));
      same = sidecar.files() === last ? same + 1 : 0;
      last = sidecar.files();
    }
    return last;
  };
  const files = await settled();
  const rss: number[] = [];
  for (let i = 0; i < rounds; i++) {
    await round(sidecar, cycles);
    await settled();
    rss.push(sidecar.rss());
  }
  const filesLeft = Math.max(0, (await settled()) - files);
  await canary(sidecar);
  return { rss, filesLeft };
}

async function round(sidecar: Sidecar, cycles: number): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < cycles) {
      const nth = next++;
      const socket = await open(sidecar);
      socket.write(SHAPES[nth % SHAPES.length]!(sidecar));
      await breakOff(socket, nth);
    }
  };
  await Promise.all(Array.from({ length: 50 }, worker));
}

/** After 0 to 6 turns of the loop: by a reset twice in three times, else by a FIN that nobody waits for. */
async function breakOff(socket: Socket, nth: number): Promise<void> {
  for (let turn = nth % 7; turn > 0; turn--) await new Promise((done) => setImmediate(done));
  if (socket.destroyed) return;
  const closed = new Promise((done) => socket.once('close', done));
  if (nth % 3 === 0) socket.destroy();
  else socket.resetAndDestroy();
  await closed;
}

function serve(socket: Socket): void {
  socket.on('data', (bytes) => {
    const text = bytes.toString('latin1', 0, 40);
    const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello';
    if (text.startsWith('GET /canary '))
      socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok');
    else if (text.startsWith('GET /large ')) {
      socket.write(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${LARGE.length}\r\n\r\n`);
      socket.end(LARGE);
    } else if (text.startsWith('GET /reset ')) socket.resetAndDestroy();
    else if (text.startsWith('GET /socket ')) socket.write(upgrade);
    else if (text.startsWith('GET /socket-reset ')) socket.write(upgrade, () => socket.resetAndDestroy());
  });
  // Half-open by nature: whoever has gone is told good-bye.
  socket.on('end', () => socket.end());
}

if (import.meta.main) {
  const [cycles = 10_000, rounds = 4] = process.argv.slice(2).map(Number);
  const told = await churn(cycles, rounds, '127.46.5');
  print(`${rounds} rounds of ${cycles}: ${told.rss.map(mb).join(', ')}; ${told.filesLeft} descriptors left over`);
}

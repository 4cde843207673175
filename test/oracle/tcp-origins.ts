/** Far ends of opaque connections, each with one habit, and what each saw of the connections that came. */
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** What a far end saw of one connection. */
export type Seen = { readonly bytes: string; readonly ended: 'fin' | 'reset' | 'open' };

/** What a habit does when a connection comes; bytes and ends are recorded by themselves. */
const HABITS = {
  /** Says back what it hears, and good-bye when the other does. */
  echo: (socket) => void socket.on('data', (bytes) => socket.write(bytes)).on('end', () => socket.end()),
  /** Speaks first. */
  greet: (socket) => {
    socket.write('hello ');
    HABITS.echo(socket);
  },
  /** Hears everything, then says how much it was. */
  count: (socket) => {
    let size = 0;
    socket.on('data', (bytes) => (size += bytes.length)).on('end', () => socket.end(`got ${size}`));
  },
  /** Says its last word first, and still listens. */
  last: (socket) => void socket.end('bye'),
  /** When the proxy has seen it come. */
  resetAtOnce: (socket) => void setTimeout(() => socket.resetAndDestroy(), 20),
  resetAtData: (socket) => void socket.once('data', () => socket.resetAndDestroy()),
  /** Says something, and resets when that has arrived. */
  resetAfterAll: (socket) =>
    void socket.once('data', () => socket.write('some', () => setTimeout(() => socket.resetAndDestroy(), 50))),
  /** Says 10 MB and hears whatever comes. */
  much: (socket) => void socket.end(MUCH),
  silent: () => undefined,
} satisfies Record<string, (socket: Socket) => void>;

export type Habit = keyof typeof HABITS;

export const MUCH: Buffer = Buffer.alloc(10_000_000);
for (let i = 0; i < MUCH.length; i += 4) MUCH.writeUInt32LE((i * 2_654_435_761) >>> 0, i);

/** Short bytes as they are, long ones by their sum. */
export function shown(parts: readonly Buffer[]): string {
  const all = Buffer.concat(parts);
  if (all.length <= 64) return all.latin1Slice();
  return `${all.length} bytes ${createHash('sha256').update(all).digest('hex').slice(0, 12)}`;
}

export type Origin = AsyncDisposable & {
  readonly port: number;
  /** Of the connections since `forget`. */
  readonly seen: () => readonly Seen[];
  readonly forget: () => void;
};

export async function startOrigin(address: string, habit: Habit): Promise<Origin> {
  type Record = { parts: Buffer[]; ended: Seen['ended'] };
  let records: Record[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const record: Record = { parts: [], ended: 'open' };
    records.push(record);
    sockets.add(socket);
    socket.on('data', (bytes: Buffer) => record.parts.push(bytes));
    socket.on('end', () => {
      if (record.ended === 'open') record.ended = 'fin';
    });
    socket.on('error', () => (record.ended = 'reset'));
    socket.on('close', () => sockets.delete(socket));
    HABITS[habit](socket);
  });
  await once(server.listen(0, address), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen: () => records.map(({ parts, ended }) => ({ bytes: shown(parts), ended })),
    forget: () => (records = []),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** The embedded MySQL-protocol server: as much of MySQL as BookInfo and a curious `mysql` need, over SQLite, in a process outside the mesh. */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { BOOKINFO_DB, BOOKINFO_TABLES, ISTIO_DB, ISTIO_TABLES } from '../schema.ts';
import { Engine } from './engine.ts';
import { framed } from './packet.ts';
import { failed } from './answer.ts';
import { serve, type Patience, type Users } from './session.ts';
import { SqlError } from './sql-error.ts';

export type ServerOptions = {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** A directory with a file per database, or `:memory:`. */
  readonly data: string;
  readonly users: Users;
  readonly maxConnections?: number;
  readonly patience?: Patience;
};

export type MysqlServer = AsyncDisposable & { readonly host: string; readonly port: number; close(): Promise<void> };

const MAX_CONNECTIONS = 150;
const PATIENCE: Patience = { signInMs: 10_000, idleMs: 600_000 };

/** Resolves once it listens, with `bookinfo_db` and `test` filled unless they are there; rejects when the port or the data cannot be had. */
export async function startMysqlServer(options: ServerOptions): Promise<MysqlServer> {
  const engine = new Engine(options.data);
  seed(engine);
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    if (open.size >= (options.maxConnections ?? MAX_CONNECTIONS)) {
      socket.on('error', () => {});
      socket.end(framed(0, failed(new SqlError(1040, '08004', 'Too many connections'))));
      socket.destroySoon();
      return;
    }
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    connections = (connections % 0xffff_fff0) + 1;
    serve(socket, engine, options.users, connections, options.patience ?? PATIENCE);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { address, port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => {
        engine.close();
        resolve();
      });
      for (const socket of open) socket.destroy();
    });
  return { host: address, port, close, [Symbol.asyncDispose]: close };
}

function seed(engine: Engine): void {
  const session = { id: 0, user: 'root', database: null, lastInsertId: 0 };
  for (const [name, tables] of [
    [BOOKINFO_DB, BOOKINFO_TABLES],
    [ISTIO_DB, ISTIO_TABLES],
  ] as const) {
    if (engine.has(name)) continue;
    for (const sql of [`CREATE DATABASE ${name}`, ...tables]) engine.query(session, sql);
  }
}

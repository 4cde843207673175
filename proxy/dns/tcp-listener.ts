/** Questions over TCP: length and message, several on one connection (RFC 7766). Bounded in connections, questions, bytes and time. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { LONGEST_QUERY } from './query.ts';
import type { Server } from './resolv-conf.ts';

export type TcpListener = { readonly address: Server; close(): void };

/** `respond` may be called later, and not at all. */
export type Serve = (message: Buffer, from: { readonly port: number }, respond: (reply: Buffer | null) => void) => void;

export type TcpLimits = {
  readonly connections: number;
  /** Without a whole question for so long, a connection is closed, ms. */
  readonly idleMs: number;
  /** Questions of one connection under way. */
  readonly pipelined: number;
};

export const TCP_LIMITS: TcpLimits = { connections: 128, idleMs: 10_000, pipelined: 16 };
/** Replies that a client does not read. */
const MOST_UNREAD = 262_144;

/** Rejects when the address cannot be bound. */
export async function listenTcp(bind: Server, serve: Serve, shared: boolean, limits: TcpLimits): Promise<TcpListener> {
  const sockets = new Set<Socket>();
  const server: NetServer = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    converse(socket, serve, limits);
  });
  server.maxConnections = limits.connections;
  server.listen({ host: bind.host, port: bind.port, reusePort: shared });
  await once(server, 'listening');
  // A descriptor that is missing for a moment costs the connection that came then.
  server.on('error', () => undefined);
  const { address: host, port } = server.address() as AddressInfo;
  return {
    address: { host, port },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function converse(socket: Socket, serve: Serve, limits: TcpLimits): void {
  let pending: Buffer = Buffer.alloc(0);
  let active = 0;
  let ended = false;
  let taking = false;
  let whole = performance.now();
  const from = { port: socket.remotePort ?? 0 };
  // Not the socket's own time-out: bytes that trickle in would put it off for ever.
  const watch = setInterval(() => {
    if (active === 0 && performance.now() - whole >= limits.idleMs) socket.destroy();
  }, limits.idleMs / 4);
  socket.on('close', () => clearInterval(watch)).on('error', () => socket.destroy());
  socket.on('end', () => {
    ended = true;
    if (active === 0) socket.end();
  });
  const respond = (reply: Buffer | null): void => {
    active--;
    if (socket.destroyed) return;
    if (reply !== null) socket.write(prefixed(reply));
    if (socket.writableLength > MOST_UNREAD) return void socket.destroy();
    whole = performance.now();
    if (!taking) take();
    if (ended && active === 0) socket.end();
  };
  // Answers that come at once come from within: thousands of questions in one read must not pile up on the stack.
  const take = (): void => {
    taking = true;
    while (pending.length >= 2 && active < limits.pipelined && !socket.destroyed) {
      const length = pending.readUInt16BE(0);
      // Nothing that could be answered.
      if (length === 0 || length > LONGEST_QUERY) {
        socket.destroy();
        break;
      }
      if (pending.length < 2 + length) break;
      const message = Buffer.from(pending.subarray(2, 2 + length));
      pending = pending.subarray(2 + length);
      whole = performance.now();
      active++;
      serve(message, from, respond);
    }
    taking = false;
    if (active >= limits.pipelined) socket.pause();
    else socket.resume();
  };
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    take();
  });
}

function prefixed(reply: Buffer): Buffer {
  const bytes = Buffer.alloc(2 + reply.length);
  bytes.writeUInt16BE(reply.length, 0);
  reply.copy(bytes, 2);
  return bytes;
}

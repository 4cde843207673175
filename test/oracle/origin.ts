/** A raw origin whose behaviour each request chooses by its `x-origin` header; it remembers what it was sent. */
import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { BEHAVIOURS, type Behaviour } from './origin-behaviours.ts';
import { BREAKING } from './origin-breaks.ts';

/** One request as it arrived: its head, byte for byte, and as much of the body as had come when the reply went out. */
export type Seen = { readonly head: string; readonly body: string };

export type Origin = AsyncDisposable & {
  readonly host: string;
  readonly port: number;
  /** What arrived, by the request's `x-case` header; a retried request appears several times. */
  readonly seen: ReadonlyMap<string, readonly Seen[]>;
};

/** The last chunk with its trailers. */
const LAST_CHUNK = /(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n/;
const HEAD_END = '\r\n\r\n';
/** No scenario sends more; a connection that does is cut. */
const MAX_BYTES = 1 << 20;

/** Listens on `host`, port chosen by the system. */
export async function startOrigin(host: string, name = 'origin'): Promise<Origin> {
  const seen = new Map<string, Seen[]>();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    serve(socket, name, (id, request) => {
      seen.set(id, [...(seen.get(id) ?? []), request]);
    });
  });
  server.listen(0, host);
  await once(server, 'listening');
  return { host, port: portOf(server), seen, [Symbol.asyncDispose]: () => stop(server, sockets) };
}

function serve(socket: Socket, name: string, note: (id: string, request: Seen) => void): void {
  let buffered = '';
  let busy = false;
  socket.setEncoding('latin1');
  socket.on('data', (chunk: Buffer | string) => {
    buffered += String(chunk);
    if (buffered.length > MAX_BYTES) socket.destroy();
    else next();
  });

  function next(): void {
    if (busy || socket.destroyed) return;
    const end = buffered.indexOf(HEAD_END);
    if (end < 0) return;
    const head = buffered.slice(0, end);
    const behaviour = behaviourOf(head);
    const rest = buffered.slice(end + HEAD_END.length);
    const length = behaviour.early === true ? 0 : bodyLength(head, rest);
    if (length === null) return;
    busy = true;
    buffered = rest.slice(length);
    note(field(head, 'x-case') ?? '', { head, body: rest.slice(0, length) });
    behaviour.act(socket, { head, rest, name }, () => {
      busy = false;
      next();
    });
  }
}

function behaviourOf(head: string): Behaviour {
  const name = field(head, 'x-origin') ?? 'ok';
  return BEHAVIOURS[name] ?? BREAKING[name] ?? BEHAVIOURS['ok']!;
}

/** How many bytes of `rest` are this request's body; null while some are missing. */
function bodyLength(head: string, rest: string): number | null {
  if (field(head, 'transfer-encoding') !== undefined) {
    const last = LAST_CHUNK.exec(rest);
    return last === null ? null : last.index + last[0].length;
  }
  const length = Number(field(head, 'content-length') ?? 0);
  return rest.length < length ? null : length;
}

/** The first value of header `name` (lower case) in a raw head. */
export function field(head: string, name: string): string | undefined {
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (line.slice(0, colon).toLowerCase() === name) return line.slice(colon + 1).trim();
  }
  return undefined;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the origin has no port');
  return address.port;
}

async function stop(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  for (const socket of sockets) socket.destroy();
  await closed;
}

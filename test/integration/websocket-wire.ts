/** Two raw ends of a WebSocket, moved step by step, and what each of them saw: bytes, good-byes, resets, in their order. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Opcodes of RFC 6455 section 5.2. */
export const OP = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A frame, masked as a client's must be; the mask is always the same. */
export function frame(op: number, payload: Buffer | string, { fin = true, masked = true } = {}): Buffer {
  const body = Buffer.from(payload);
  const length = body.length < 126 ? Buffer.from([body.length]) : Buffer.alloc(body.length < 65_536 ? 3 : 9, 126);
  if (length.length === 3) length.writeUInt16BE(body.length, 1);
  if (length.length === 9) {
    length[0] = 127;
    length.writeBigUInt64BE(BigInt(body.length), 1);
  }
  const first = Buffer.from([(fin ? 0x80 : 0) | op]);
  if (!masked) return Buffer.concat([first, length, body]);
  length[0]! |= 0x80;
  const mask = Buffer.from([1, 2, 3, 4]);
  for (let i = 0; i < body.length; i++) body[i]! ^= mask[i & 3]!;
  return Buffer.concat([first, length, mask, body]);
}

/** A Close frame; `code` null: with an empty body. */
export function closeFrame(code: number | null, reason: Buffer | string = '', masked = true): Buffer {
  if (code === null) return frame(OP.close, '', { masked });
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return frame(OP.close, Buffer.concat([head, Buffer.from(reason)]), { masked });
}

export type Who = 'client' | 'origin';

/** `fin`: half-close. `rst`: a reset. `close`: both directions at once, as `close(2)` does. */
export type Step = readonly [who: Who, what: Buffer | 'fin' | 'rst' | 'close'];

export type Script = {
  /** Sent in one segment with the request, and with the 101. */
  readonly early?: Partial<Record<Who, Buffer>>;
  /** One after the other: the next begins when the other side has noticed. An array of several: at once. */
  readonly steps: readonly (Step | readonly Step[])[];
};

export type Saw = {
  /** Digest of all bytes after the handshake. */
  readonly bytes: string;
  readonly count: number;
  /** `fin`, `reset`, `closed`, in their order; `silence` where something was waited for in vain. */
  readonly events: readonly string[];
};

const ASK =
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const SWITCH =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';

/** What is waited for must come within this time, ms: far more than it takes. */
const PATIENCE = 3000;

class End {
  readonly socket: Socket;
  readonly events: string[] = [];
  readonly opened = Promise.withResolvers<void>();
  /** Bytes after the handshake, and how many were sent. */
  got = 0;
  sent = 0;
  readonly #digest = createHash('sha256');
  #head: string | null = '';
  readonly #waiting = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#onData(bytes));
    socket.on('end', () => this.#tell('fin'));
    socket.on('error', () => this.#tell('reset'));
    socket.on('close', () => this.#tell('closed'));
  }

  /** False: it did not come true in time. */
  async until(holds: () => boolean): Promise<boolean> {
    const deadline = performance.now() + PATIENCE;
    while (!holds()) {
      const left = deadline - performance.now();
      if (left <= 0) return false;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, left);
      this.#waiting.add(resolve);
      await promise;
      this.#waiting.delete(resolve);
      clearTimeout(timer);
    }
    return true;
  }

  has(event: string): boolean {
    return this.events.includes(event);
  }

  get saw(): Saw {
    return { bytes: this.#digest.digest('hex'), count: this.got, events: this.events };
  }

  #onData(bytes: Buffer): void {
    let rest = bytes;
    if (this.#head !== null) {
      this.#head += bytes.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return;
      rest = Buffer.from(this.#head.slice(end + 4), 'latin1');
      this.#head = null;
      this.opened.resolve();
    }
    this.got += rest.length;
    this.#digest.update(rest);
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }

  #tell(event: string): void {
    this.events.push(event);
    this.opened.resolve();
    this.#wake();
  }
}

/** Plays `script` between a client and an origin; `proxyTo` gives the port to go through for the origin's port. */
export async function play(
  script: Script,
  proxyTo: (origin: number) => Promise<AsyncDisposable & { readonly port: number }>,
): Promise<Record<Who, Saw>> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await using proxy = await proxyTo((server.address() as AddressInfo).port);
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = new End(connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true }));
  const early = script.early ?? {};
  client.socket.write(Buffer.concat([Buffer.from(ASK), early.client ?? Buffer.alloc(0)]));
  const [socket] = await accepted;
  const ends: Record<Who, End> = { client, origin: new End(socket) };
  await ends.origin.opened.promise;
  ends.origin.socket.write(Buffer.concat([Buffer.from(SWITCH), early.origin ?? Buffer.alloc(0)]));
  await client.opened.promise;
  client.sent += early.client?.length ?? 0;
  ends.origin.sent += early.origin?.length ?? 0;
  await Promise.all([settled(ends, 'client'), settled(ends, 'origin')]);
  for (const entry of script.steps) {
    const together = isStep(entry) ? [entry] : entry;
    const noticed = together.map(([who, what]) => act(ends, who, what));
    await Promise.all(noticed.map((wait) => wait()));
  }
  const saw = { client: client.saw, origin: ends.origin.saw };
  for (const end of Object.values(ends)) end.socket.destroy();
  server.close();
  return saw;
}

const isStep = (entry: Step | readonly Step[]): entry is Step => typeof entry[0] === 'string';

/** Does it now; what it returns waits until the other side has noticed, or this side that there is none. */
function act(ends: Record<Who, End>, who: Who, what: Step[1]): () => Promise<void> {
  const self = ends[who];
  const other = ends[who === 'client' ? 'origin' : 'client'];
  const wait = async (end: End, holds: () => boolean): Promise<void> => {
    if (!(await end.until(holds))) end.events.push('silence');
  };
  if (typeof what !== 'string') {
    if (other.socket.destroyed) return () => writeToNobody(self, what);
    self.socket.write(what);
    self.sent += what.length;
    return () => settled(ends, who);
  }
  const gone = other.socket.destroyed;
  if (what === 'fin') self.socket.end();
  else if (what === 'rst') self.socket.resetAndDestroy();
  else self.socket.destroy();
  return () =>
    gone ? Promise.resolve() : wait(other, () => other.has(what === 'rst' ? 'closed' : 'fin') || other.has('closed'));
}

/** Who has read the other's FIN hears of a reset only when it writes. */
async function writeToNobody(self: End, what: Buffer): Promise<void> {
  const timer = setInterval(() => self.socket.destroyed || self.socket.write(what), 5);
  if (!(await self.until(() => self.socket.destroyed))) self.events.push('silence');
  clearInterval(timer);
}

/** Waits until all that `who` sent has come. */
async function settled(ends: Record<Who, End>, who: Who): Promise<void> {
  const [from, to] = who === 'client' ? [ends.client, ends.origin] : [ends.origin, ends.client];
  if (!(await to.until(() => to.got >= from.sent || to.has('closed')))) to.events.push('silence');
}

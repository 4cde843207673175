/** TLS hellos to test with: real ones of Node's client, taken apart and put together again with whatever shall be wrong with them. */
import { Duplex } from 'node:stream';
import { connect, TLSSocket, type ConnectionOptions } from 'node:tls';

/** A hello in parts; the lengths between them are written by `message`. */
export type HelloParts = {
  readonly version: number;
  readonly random: Buffer;
  readonly sessionId: Buffer;
  readonly suites: Buffer;
  readonly compressions: Buffer;
  /** Null: no extensions at all, as before TLS 1.2. */
  readonly extensions: readonly Extension[] | null;
};

export type Extension = readonly [type: number, data: Buffer];

export const SERVER_NAME = 0;
export const ALPN = 16;

export const u8 = (n: number): Buffer => Buffer.from([n]);
export const u16 = (n: number): Buffer => Buffer.from([(n >> 8) & 255, n & 255]);
export const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
/** `data` behind its length. */
export const vector8 = (...data: readonly Buffer[]): Buffer => prefix(1, data);
export const vector16 = (...data: readonly Buffer[]): Buffer => prefix(2, data);

function prefix(size: 1 | 2 | 3, data: readonly Buffer[]): Buffer {
  const length = Buffer.alloc(size);
  length.writeUIntBE(
    data.reduce((sum, part) => sum + part.length, 0),
    0,
    size,
  );
  return Buffer.concat([length, ...data]);
}

const ALERT = 21;
const HANDSHAKE_FAILURE = 40;

/** One entry of a server name list; type 0 is a host name. */
export const nameEntry = (name: string, type = 0): Buffer => Buffer.concat([u8(type), vector16(latin1(name))]);

export const serverNames = (...entries: readonly Buffer[]): Extension => [SERVER_NAME, vector16(...entries)];
export const serverName = (name: string): Extension => serverNames(nameEntry(name));
export const alpn = (...protocols: readonly string[]): Extension => [
  ALPN,
  vector16(...protocols.map((protocol) => vector8(latin1(protocol)))),
];

/** The first bytes that Node's client would send: nothing goes over a network. */
export function nodeHello(options: ConnectionOptions): Buffer {
  const written: Buffer[] = [];
  const socket = connect({ ...options, socket: sinkOf((bytes) => written.push(bytes)) });
  socket.on('error', () => {});
  socket.destroy();
  return Buffer.concat(written);
}

/** A stream whose writes go to `take` and which never reads anything unless it is pushed. */
export function sinkOf(take: (bytes: Buffer) => void): Duplex {
  return new Duplex({
    read() {},
    write(bytes: Buffer, _, done) {
      take(bytes);
      done();
    },
  });
}

/** Takes apart a hello that lies in one record, and is right. */
export function partsOf(bytes: Buffer): HelloParts {
  let p = 9;
  const take = (size: number): Buffer => bytes.subarray(p, (p += size));
  const vector = (size: 1 | 2): Buffer => take(take(size).readUIntBE(0, size));
  const version = take(2).readUInt16BE(0);
  const parts = { version, random: take(32), sessionId: vector(1), suites: vector(2), compressions: vector(1) };
  const extensions: Extension[] = [];
  p += 2;
  while (p < bytes.length) extensions.push([take(2).readUInt16BE(0), vector(2)]);
  return { ...parts, extensions };
}

/** The handshake message, without a record around it. */
export function message(parts: HelloParts, type = 1): Buffer {
  const extensions =
    parts.extensions === null
      ? Buffer.alloc(0)
      : vector16(...parts.extensions.map(([number, data]) => Buffer.concat([u16(number), vector16(data)])));
  const body = [
    u16(parts.version),
    parts.random,
    vector8(parts.sessionId),
    vector16(parts.suites),
    vector8(parts.compressions),
    extensions,
  ];
  return Buffer.concat([u8(type), prefix(3, body)]);
}

/** A record of `content`. */
export const record = (content: Buffer, version = 0x0301, type = 22): Buffer =>
  Buffer.concat([u8(type), u16(version), vector16(content)]);

/** `content` in records of at most `size` bytes. */
export function records(content: Buffer, size: number): Buffer {
  const all: Buffer[] = [];
  for (let p = 0; p < content.length; p += size) all.push(record(content.subarray(p, p + size)));
  return Buffer.concat(all);
}

/** `parts` with `extensions` instead of its own of the same types, in their place, or at the end. */
export function withExtensions(parts: HelloParts, ...extensions: readonly Extension[]): HelloParts {
  const types = new Set(extensions.map(([type]) => type));
  const rest = (parts.extensions ?? []).filter(([type]) => !types.has(type));
  return { ...parts, extensions: [...extensions, ...rest] };
}

/**
 * What Node's server (OpenSSL) makes of `bytes`: the server name that its SNICallback is told ("": none), or the alert it refuses with,
 * (0: it just ends), or null: it waits for more. It has no certificate, so that it gives up right after the hello (alert 40).
 */
export async function nodeReads(bytes: Buffer): Promise<{ readonly name: string } | { readonly alert: number } | null> {
  const { promise, resolve } = Promise.withResolvers<number | null>();
  const raw = sinkOf((written) => resolve(written[0] === ALERT ? written[6]! : HANDSHAKE_FAILURE));
  let name = '';
  const server = new TLSSocket(raw, {
    isServer: true,
    SNICallback: (told, done) => {
      name = told;
      done(null);
    },
  });
  server.on('error', () => resolve(0));
  raw.push(bytes);
  // All that it does with these bytes is done in turns of the event loop, not in time.
  for (let turn = 0; turn < 8; turn++) await new Promise((done) => setImmediate(done));
  resolve(null);
  const alert = await promise;
  server.destroy();
  return alert === null ? null : alert === HANDSHAKE_FAILURE ? { name } : { alert };
}

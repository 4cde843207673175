/** Where conformance is tried: a recording origin that reads with llhttp, a proxy before it, and a client that speaks raw bytes. */
import { connect, type Socket } from 'node:net';
import { endpoint, rawOrigin, startProxy, type TestProxy, type TestProxyOptions } from '../kit/proxy.ts';
import { LlhttpReader, type Seen } from './llhttp.ts';

export type Place = AsyncDisposable & {
  readonly proxy: TestProxy;
  readonly originPort: number;
  /** Every request that reached the origin, in the order of their heads; cleared by `forget`. */
  readonly seen: Seen[];
  /** Connections on which the origin read something that is no HTTP: none, ever. */
  readonly broken: string[];
  forget(): void;
};

/** The answer of an origin to one whole request, as raw latin1; null: none. */
export type Answer = (request: Seen, socket: Socket) => string | null;

/** Tells the caller which request the origin saw: target and body are in its answer. */
export const echo: Answer = ({ method, target, body }) => {
  const text = `${target} ${body}`;
  return `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${method === 'HEAD' ? '' : text}`;
};

export async function startPlace(options: Omit<TestProxyOptions, 'endpoints'> = {}, answer = echo): Promise<Place> {
  const seen: Seen[] = [];
  const broken: string[] = [];
  const origin = await rawOrigin((socket) => {
    let reader = new LlhttpReader('request');
    let listed = 0;
    let answered = 0;
    socket.on('data', (bytes: Buffer) => {
      reader.feed(bytes);
      for (; listed < reader.messages.length; listed++) seen.push(reader.messages[listed]!);
      if (reader.error !== null) broken.push(`${reader.error} in ${JSON.stringify(bytes.latin1Slice())}`);
      while (reader.messages[answered]?.complete === true) {
        const text = answer(reader.messages[answered++]!, socket);
        if (text !== null) socket.write(text, 'latin1');
      }
      // A fresh reader: an upgrade stops the old one.
      if (answered > 0 && answered === reader.messages.length) {
        reader.close();
        reader = new LlhttpReader('request');
        listed = 0;
        answered = 0;
      }
    });
  });
  const proxy = await startProxy({ ...options, endpoints: { origin: [endpoint(origin.port)] } });
  return {
    proxy,
    originPort: origin.port,
    seen,
    broken,
    forget() {
      seen.length = 0;
      broken.length = 0;
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await origin[Symbol.asyncDispose]();
    },
  };
}

export type Talk = {
  /** The answers, informational ones included. */
  readonly answers: readonly Seen[];
  /** llhttp's complaint about what came back; null: none. */
  readonly error: string | null;
  readonly ended: 'open' | 'end' | 'reset';
};

/**
 * Writes `segments` one after the other (each in its own packet as far as that can be told) and reads answers until there are
 * `expect` final ones, or the connection ends.
 */
export async function talk(
  port: number,
  segments: readonly (string | Buffer)[],
  expect: number,
  methods: readonly string[] = [],
  host = '127.0.0.1',
): Promise<Talk> {
  const reader = new LlhttpReader('response', (nth) => methods[nth] ?? 'GET');
  const socket = connect({ port, host, noDelay: true });
  const { promise, resolve } = Promise.withResolvers<Talk['ended']>();
  socket.on('data', (bytes: Buffer) => {
    reader.feed(bytes);
    if (reader.finals >= expect) resolve('open');
  });
  socket.on('end', () => resolve('end'));
  socket.on('error', () => resolve('reset'));
  socket.on('close', () => resolve('reset'));
  void writeAll(socket, segments);
  const ended = await promise;
  if (ended === 'end') reader.end();
  socket.destroy();
  return { answers: reader.messages, error: reader.error, ended };
}

async function writeAll(socket: Socket, segments: readonly (string | Buffer)[]): Promise<void> {
  for (const segment of segments) {
    if (socket.destroyed) return;
    await new Promise((done) =>
      typeof segment === 'string' ? socket.write(segment, 'latin1', done) : socket.write(segment, done),
    );
    // A turn of the loop: the proxy is in this process, and reads what was written before more comes.
    if (segments.length > 1) await new Promise((done) => setImmediate(done));
  }
}

/** Resolves when a value has not changed over twenty turns of the event loop with I/O in them. */
export async function settled(value: () => number): Promise<void> {
  let last = -1;
  for (let same = 0; same < 20;) {
    await new Promise((done) => setTimeout(done, 5));
    same = value() === last ? same + 1 : 0;
    last = value();
  }
}

/** Clients of opaque connections: what each does, in turn, and what it hears. */
import { connect, type Socket } from 'node:net';
import { nodeHello } from '../kit/client-hello.ts';
import { RANGES } from './tcp-proxies.ts';
import { MUCH, shown, type Habit } from './tcp-origins.ts';

/** What a client heard. `open`: nothing ended it in time. `from`: both addresses. */
export type Heard = { readonly bytes: string; readonly ended: 'fin' | 'reset' | 'open'; readonly from: string };

export type Talk = {
  readonly send: (bytes: string | Buffer) => Promise<void>;
  readonly fin: () => void;
  readonly reset: () => void;
  /** Resolves when so many bytes have come. */
  readonly hears: (count: number) => Promise<void>;
  readonly slowly: () => void;
  readonly turns: (count: number) => Promise<void>;
};

export type Conversation = {
  readonly name: string;
  /** Which listener it goes to. */
  readonly to: string;
  readonly says: (talk: Talk) => Promise<void> | void;
  /** How many at once (default 1). */
  readonly times?: number;
  /** The address it is made to (default: the proxy's own). */
  readonly at?: string;
};

/** One connection to `address:port`; resolves when it has ended, or when nothing has in time. */
export async function converse(address: string, port: number, says: Conversation['says']): Promise<Heard> {
  const socket = connect({ host: address, port, noDelay: true, allowHalfOpen: true });
  const parts: Buffer[] = [];
  let size = 0;
  let ended: Heard['ended'] = 'open';
  const over = Promise.withResolvers<void>();
  const waiting: { count: number; done: () => void }[] = [];
  socket.on('data', (bytes: Buffer) => {
    parts.push(bytes);
    size += bytes.length;
    for (const { count, done } of waiting) if (size >= count) done();
  });
  socket.on('end', () => {
    if (ended === 'open') ended = 'fin';
    over.resolve();
  });
  socket.on('error', () => {
    ended = 'reset';
    over.resolve();
  });
  socket.on('close', () => over.resolve());
  let from = '';
  socket.once('connect', () => (from = `${socket.localAddress ?? ''}:${socket.localPort ?? 0} ${address}:${port}`));
  await new Promise((done) => socket.once('connect', done).once('error', done));
  const limit = setTimeout(() => over.resolve(), 8000);
  await Promise.race([says(talkOf(socket, waiting, () => size)), over.promise]);
  await over.promise;
  clearTimeout(limit);
  socket.destroy();
  return { bytes: shown(parts), ended, from };
}

function talkOf(socket: Socket, waiting: { count: number; done: () => void }[], size: () => number): Talk {
  return {
    send: (bytes) => new Promise((done) => void (socket.destroyed ? done() : socket.write(bytes, () => done()))),
    fin: () => void socket.end(),
    reset: () => void socket.resetAndDestroy(),
    hears: (count) => new Promise((done) => void (size() >= count ? done() : waiting.push({ count, done }))),
    slowly() {
      const rest = (): void => {
        socket.pause();
        setTimeout(() => socket.resume(), 5);
      };
      let since = 0;
      socket.on('data', (bytes: Buffer) => {
        since += bytes.length;
        if (since < 500_000) return;
        since = 0;
        rest();
      });
    },
    async turns(count) {
      for (let i = 0; i < count; i++) await new Promise((done) => setTimeout(done, 1));
    },
  };
}

/** The same bytes for both proxies. */
const hellos = new Map<string, Buffer>();
function hello(name: string): Buffer {
  let bytes = hellos.get(name);
  if (bytes === undefined) hellos.set(name, (bytes = nodeHello(name === '' ? {} : { servername: name })));
  return bytes;
}

/** Conversations with each far end, as the name of its listener. */
export const CONVERSATIONS: readonly Conversation[] = [
  { name: 'nothing is said, and good-bye', to: 'echo', says: (c) => c.fin() },
  { name: 'a word each way', to: 'echo', says: async (c) => (await c.send('hi'), await c.hears(2), c.fin()) },
  { name: 'early data before the server is there', to: 'count', says: async (c) => (await c.send('early'), c.fin()) },
  { name: 'the server speaks first', to: 'greet', says: async (c) => (await c.hears(6), c.fin()) },
  { name: 'the server speaks first, both go on', to: 'greet', says: async (c) => (await c.hears(6), await c.send('x'), await c.hears(7), c.fin()) }, // prettier-ignore
  { name: 'the client half-closes at once', to: 'greet', says: (c) => c.fin() },
  { name: 'the server half-closes first, the client still speaks', to: 'last', says: async (c) => (await c.hears(3), await c.turns(20), await c.send('more'), c.fin()) }, // prettier-ignore
  { name: 'a byte at a time', to: 'echo', says: async (c) => {
    for (let i = 0; i < 50; i++) {
      await c.send(String.fromCharCode(65 + (i % 26)));
      await c.hears(i + 1);
    }
    c.fin();
  } }, // prettier-ignore
  { name: '10 MB to the server', to: 'count', says: async (c) => (await c.send(MUCH), c.fin()) },
  { name: '10 MB each way at once, a slow reader', to: 'much', says: async (c) => (c.slowly(), await c.send(MUCH), c.fin()) }, // prettier-ignore
  { name: '10 MB that come back', to: 'echo', says: async (c) => (await c.send(MUCH), await c.hears(MUCH.length), c.fin()) }, // prettier-ignore
  { name: 'the server resets at once', to: 'resetAtOnce', says: () => undefined },
  { name: 'the server resets when it hears something', to: 'resetAtData', says: (c) => c.send('x') },
  { name: 'the server says something and resets', to: 'resetAfterAll', says: (c) => c.send('x') },
  { name: 'the client resets in the middle', to: 'echo', says: async (c) => (await c.send('x'), await c.hears(1), c.reset()) }, // prettier-ignore
  { name: 'the client resets while the server is silent', to: 'silent', says: async (c) => (await c.send('x'), await c.turns(50), c.reset()) }, // prettier-ignore
  { name: 'the client half-closes, then resets', to: 'silent', says: async (c) => (await c.send('x'), c.fin(), await c.turns(50), c.reset()) }, // prettier-ignore
  { name: 'nobody listens', to: 'refused', says: () => undefined },
  { name: 'nobody listens, and the client has spoken', to: 'refused', says: (c) => c.send('x') },
  { name: 'nobody answers', to: 'hole', says: (c) => c.send('x') },
  { name: 'there is no endpoint', to: 'empty', says: (c) => c.send('x') },
  {
    name: 'silence longer than the idle timeout',
    to: 'idle',
    says: async (c) => (await c.send('x'), await c.hears(1)),
  },
  { name: 'longer than a connection may last', to: 'old', says: async (c) => (await c.send('x'), await c.hears(1)) },
  { name: 'three where one may be', to: 'limited', times: 3, says: async (c) => (await c.send('x'), await c.turns(300), c.fin()) }, // prettier-ignore
  { name: 'split by weight', to: 'split', times: 20, says: (c) => c.fin() },
  ...['a.example', 'A.Example', 'b.wild.example', 'c.b.wild.example', 'wild.example', 'other.test'].map((name) => ({
    name: `TLS to ${name}`,
    to: 'names',
    // Not both at once: Envoy drops who says good-bye while it looks.
    says: async (c: Talk) => (await c.send(hello(name)), await c.turns(30), c.fin()),
  })),
  { name: 'TLS to nobody', to: 'names', says: async (c) => (await c.send(hello('')), await c.turns(30), c.fin()) },
  { name: 'TLS in pieces', to: 'names', says: async (c) => {
    const bytes = hello('a.example');
    for (let p = 0; p < bytes.length; p += 100) {
      await c.send(bytes.subarray(p, p + 100));
      await c.turns(2);
    }
    await c.turns(30);
    c.fin();
  } }, // prettier-ignore
  { name: 'no TLS', to: 'names', says: async (c) => (await c.send('SELECT 1;'), await c.turns(30), c.fin()) },
  { name: 'half a hello', to: 'names', says: async (c) => (await c.send(hello('a.example').subarray(0, 100)), c.fin()) }, // prettier-ignore
  { name: 'half a hello, and a reset', to: 'names', says: async (c) => (await c.send(hello('a.example').subarray(0, 100)), await c.turns(20), c.reset()) }, // prettier-ignore
  { name: 'nothing where a hello is expected', to: 'names', says: (c) => c.fin() },
  ...RANGES.map((at) => ({
    name: `to ${at}`,
    to: at,
    at,
    says: async (c: Talk) => (await c.send('x'), c.fin()),
  })),
];

export const HABIT_OF: Readonly<Record<string, Habit>> = {
  echo: 'echo', count: 'count', greet: 'greet', last: 'last', much: 'much', silent: 'silent',
  resetAtOnce: 'resetAtOnce', resetAtData: 'resetAtData', resetAfterAll: 'resetAfterAll',
  exact: 'count', wild: 'count', any: 'count', raw: 'count', idle: 'echo', old: 'echo', limited: 'echo', heavy: 'greet', light: 'echo',
}; // prettier-ignore

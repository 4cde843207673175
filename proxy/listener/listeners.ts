/** The sockets a worker listens on: brought in line with each new plan; connections that are open are never cut by that. */
import { closeSync, existsSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { plainAddress } from '../core/cidr.ts';
import type { Connection } from '../live/connection.ts';
import type { Listener } from '../snapshot/listener.ts';
import type { Admission } from './admission.ts';
import { descriptorOf } from './descriptors.ts';
import type { OriginalDst } from './original-dst.ts';

/** Told of each accepted connection. */
export type Accept = (listener: string, socket: Socket, connection: Connection) => void;

export type BindProblem = {
  readonly listener: string;
  readonly address: string;
  readonly port: number;
  readonly message: string;
};

/** A listening socket that another process, or another thread, can listen on, too. */
export type SharedSocket = { readonly address: string; readonly port: number; readonly fd: number };

/** Several servers: see SOCKETS, and a worker may have been given the sockets of more workers than there are now. */
type Bound = { readonly settings: Listener; readonly servers: readonly Server[] };

/** A port may still be held by a process that is on its way out. */
const REBIND_MS = 500;

export class Listeners {
  readonly #accept: Accept;
  readonly #onProblem: (problem: BindProblem) => void;
  readonly #onRecovered: (listener: string) => void;
  readonly #bound = new Map<string, Bound>();
  readonly #retries = new Map<string, NodeJS.Timeout>();
  readonly #admission: Admission;
  readonly #originalDst: OriginalDst | null;
  /** No new connection is taken, on any socket. */
  #refusing = false;
  #nextId = 1;
  /** Directions that are not accepted any more. */
  readonly #drained = new Set<Listener['direction']>();
  #closed = false;
  /** Sockets of a predecessor that nobody listens on yet. */
  #adopted: SharedSocket[] = [];
  #taken: number[] = [];

  /**
   * `onRecovered`: a listener that had a problem is bound after all, or not wanted any more. `originalDst`: where a connection was
   * going before it was redirected; null: none is.
   */
  constructor(
    accept: Accept,
    onProblem: (problem: BindProblem) => void,
    onRecovered: (listener: string) => void,
    admission: Admission,
    originalDst: OriginalDst | null = null,
  ) {
    this.#accept = accept;
    this.#onProblem = onProblem;
    this.#onRecovered = onRecovered;
    this.#admission = admission;
    this.#originalDst = originalDst;
  }

  /** Resolves when every listener of `wanted` is bound or has failed once (it is tried again then), and no other is. */
  async set(wanted: readonly Listener[]): Promise<void> {
    const names = new Map(wanted.map((l) => [l.name, l]));
    const closing: Promise<void>[] = [];
    for (const [name, bound] of this.#bound) {
      const next = names.get(name);
      if (next !== undefined && next.address === bound.settings.address && next.port === bound.settings.port) continue;
      this.#bound.delete(name);
      closing.push(...bound.servers.map(closeGently));
    }
    for (const [name, timer] of this.#retries) {
      clearTimeout(timer);
      if (!names.has(name)) this.#onRecovered(name);
    }
    this.#retries.clear();
    const missing = wanted.filter((l) => !this.#bound.has(l.name) && !this.#drained.has(l.direction));
    await Promise.all([...closing, ...missing.map((l) => this.#bind(l))]);
    // Nobody would ever accept what waits in them.
    for (const { fd } of this.#adopted) closeSync(fd);
    this.#adopted = [];
  }

  /** Sockets that are listened on already, for the next `set`: it uses those whose address it wants, and closes the others. */
  adopt(sockets: readonly SharedSocket[]): void {
    this.#adopted.push(...sockets);
  }

  /** Descriptors of the adopted sockets that are in use. */
  get taken(): readonly number[] {
    return this.#taken;
  }

  /** What is listened on now. The descriptors stay this process's own. */
  sockets(): readonly SharedSocket[] {
    return [...this.#bound.values()].flatMap(({ settings: { address, port }, servers }) =>
      servers.map((server) => ({ address, port, fd: descriptorOf(server) })).filter(({ fd }) => fd >= 0),
    );
  }

  /** From now on every new connection is closed unread, or they are welcome again. Sockets stay bound, what is open stays open. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing;
    for (const { servers } of this.#bound.values()) for (const server of servers) this.#limit(server);
  }

  /** Stops accepting, everywhere or in one direction; open connections are their owners' business. Resolves when no port is open any more. */
  async close(direction?: Listener['direction']): Promise<void> {
    const closing: Promise<void>[] = [];
    if (direction === undefined) this.#closed = true;
    else this.#drained.add(direction);
    for (const [name, { settings, servers }] of this.#bound) {
      if (direction !== undefined && settings.direction !== direction) continue;
      this.#bound.delete(name);
      closing.push(...servers.map(closeGently));
    }
    if (this.#closed) for (const timer of this.#retries.values()) clearTimeout(timer);
    await Promise.all(closing);
  }

  async #bind(settings: Listener): Promise<void> {
    const { name, address, port } = settings;
    const adopted = this.#adopted.filter((shared) => shared.address === address && shared.port === port);
    this.#adopted = this.#adopted.filter((shared) => !adopted.includes(shared));
    const places = adopted.length > 0 ? adopted.map(({ fd }) => ({ fd })) : sockets(address, port);
    this.#taken.push(...adopted.map(({ fd }) => fd));
    const servers = places.map(() => this.#server(settings));
    this.#bound.set(name, { settings, servers });
    await Promise.all(
      servers.map((server, i) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        server.once('error', () => resolve());
        server.listen({ ...places[i]!, backlog: 4096 }, resolve);
        return promise;
      }),
    );
  }

  #server(settings: Listener): Server {
    const { name, address, port } = settings;
    // Half-open: a client that has sent its FIN may still wait for its answer.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#onConnection(settings, socket),
    );
    this.#limit(server);
    server.on('drop', () => this.#admission.refused(labelOf(settings), 'overload'));
    server.on('error', (error) => {
      const bound = this.#bound.get(name);
      if (bound?.servers.includes(server) === true) {
        this.#bound.delete(name);
        for (const other of bound.servers) if (other !== server) void closeGently(other);
      }
      this.#onProblem({ listener: name, address, port, message: error.message });
      if (this.#closed) return;
      clearTimeout(this.#retries.get(name));
      this.#retries.set(
        name,
        setTimeout(() => void this.#rebind(settings), REBIND_MS),
      );
    });
    return server;
  }

  async #rebind(settings: Listener): Promise<void> {
    this.#retries.delete(settings.name);
    if (this.#closed || this.#bound.has(settings.name)) return;
    await this.#bind(settings);
    if (this.#bound.has(settings.name)) this.#onRecovered(settings.name);
  }

  /** Node closes what is beyond it before it makes anything of it. */
  #limit(server: Server): void {
    server.maxConnections = this.#refusing ? 0 : Infinity;
  }

  #onConnection(settings: Listener, socket: Socket): void {
    const { remoteAddress } = socket;
    // Gone before it was looked at.
    if (remoteAddress === undefined) return void socket.destroy();
    const label = labelOf(settings);
    if (!this.#admission.enter(label, remoteAddress)) return void socket.resetAndDestroy();
    socket.once('close', () => this.#admission.leave(label, remoteAddress));
    const original =
      settings.kind === 'http' && settings.captured !== null ? (this.#originalDst?.(socket) ?? null) : null;
    this.#accept(settings.name, socket, {
      id: this.#nextId++,
      remoteAddress: plainAddress(remoteAddress),
      remotePort: socket.remotePort ?? 0,
      localAddress: original?.address ?? plainAddress(socket.localAddress ?? ''),
      localPort: original?.port ?? socket.localPort ?? 0,
      redirected: original !== null,
      peer: null,
      serverName: '',
    });
  }
}

/** As Envoy names a listener in its metrics. */
const labelOf = ({ address, port }: Listener): string => `${address}_${port}`;

const reusePort = process.platform === 'linux';

/**
 * Sockets of one listener. libuv 1.52 accepts one connection a socket in each turn of the event loop: with turns of some
 * milliseconds, a busy worker would take a few hundred a second, and whoever comes new would wait for seconds.
 */
const SOCKETS = reusePort ? 4 : 1;

/** A port that the system chooses is another one for each socket. */
const sockets = (host: string, port: number): { host: string; port: number; reusePort: boolean }[] =>
  Array.from({ length: port === 0 ? 1 : SOCKETS }, () => ({
    host: host === '::' ? EVERYWHERE : host,
    port,
    reusePort,
  }));

/** A kernel without IPv6 has no such address. */
const EVERYWHERE = process.platform !== 'linux' || existsSync('/proc/net/if_inet6') ? '::' : '0.0.0.0';

/** More turns than this are not waited for: somebody connects again and again, and has to meet a closed port at last. */
const MOST_TURNS = 256;

/**
 * Closing a socket resets what waits in its accept queue. A turn of the event loop that accepted nothing has found the queue empty:
 * what is left of the danger are some microseconds, and nothing when another process has the socket, too.
 */
function closeGently(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let came = true;
  let turns = 0;
  server.on('connection', () => (came = true));
  const look = (): void => {
    if (!came || ++turns > MOST_TURNS) {
      server.close();
      return resolve();
    }
    came = false;
    // The next turn's poll lies between two immediates.
    setImmediate(look);
  };
  setImmediate(look);
  return promise;
}

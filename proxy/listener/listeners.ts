/** The sockets a worker listens on: brought in line with each new plan; connections that are open are never cut by that. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Connection } from '../live/connection.ts';
import type { Listener } from '../snapshot/listener.ts';

/** Told of each accepted connection. */
export type Accept = (listener: string, socket: Socket, connection: Connection) => void;

export type BindProblem = {
  readonly listener: string;
  readonly address: string;
  readonly port: number;
  readonly message: string;
};

type Bound = { readonly settings: Listener; readonly server: Server };

/** A port may still be held by a process that is on its way out. */
const REBIND_MS = 500;

export class Listeners {
  readonly #accept: Accept;
  readonly #onProblem: (problem: BindProblem) => void;
  readonly #onRecovered: (listener: string) => void;
  readonly #bound = new Map<string, Bound>();
  readonly #retries = new Map<string, NodeJS.Timeout>();
  readonly #maxConnections: number;
  #nextId = 1;
  /** Directions that are not accepted any more. */
  readonly #drained = new Set<Listener['direction']>();
  #closed = false;

  /** `onRecovered`: a listener that had a problem is bound after all, or not wanted any more. */
  constructor(
    accept: Accept,
    onProblem: (problem: BindProblem) => void,
    onRecovered: (listener: string) => void,
    maxConnections: number,
  ) {
    this.#accept = accept;
    this.#onProblem = onProblem;
    this.#onRecovered = onRecovered;
    this.#maxConnections = maxConnections;
  }

  /** Resolves when every listener of `wanted` is bound or has failed once (it is tried again then). */
  async set(wanted: readonly Listener[]): Promise<void> {
    const names = new Map(wanted.map((l) => [l.name, l]));
    for (const [name, bound] of this.#bound) {
      const next = names.get(name);
      if (next !== undefined && next.address === bound.settings.address && next.port === bound.settings.port) continue;
      this.#bound.delete(name);
      bound.server.close();
    }
    for (const [name, timer] of this.#retries) {
      clearTimeout(timer);
      if (!names.has(name)) this.#onRecovered(name);
    }
    this.#retries.clear();
    const missing = wanted.filter((l) => !this.#bound.has(l.name) && !this.#drained.has(l.direction));
    await Promise.all(missing.map((l) => this.#bind(l)));
  }

  /** Stops accepting, everywhere or in one direction; open connections are their owners' business. */
  close(direction?: Listener['direction']): void {
    if (direction === undefined) this.#closed = true;
    else this.#drained.add(direction);
    for (const [name, { settings, server }] of this.#bound) {
      if (direction !== undefined && settings.direction !== direction) continue;
      this.#bound.delete(name);
      server.close();
    }
    if (!this.#closed) return;
    for (const timer of this.#retries.values()) clearTimeout(timer);
  }

  #bind(settings: Listener): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // Half-open: a client that has sent its FIN may still wait for its answer.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#onConnection(settings.name, socket),
    );
    server.maxConnections = this.#maxConnections;
    this.#bound.set(settings.name, { settings, server });
    server.on('error', (error) => {
      if (this.#bound.get(settings.name)?.server === server) this.#bound.delete(settings.name);
      this.#onProblem({
        listener: settings.name,
        address: settings.address,
        port: settings.port,
        message: error.message,
      });
      if (!this.#closed)
        this.#retries.set(
          settings.name,
          setTimeout(() => void this.#rebind(settings), REBIND_MS),
        );
      resolve();
    });
    server.listen(
      { host: settings.address, port: settings.port, reusePort: process.platform === 'linux', backlog: 4096 },
      resolve,
    );
    return promise;
  }

  async #rebind(settings: Listener): Promise<void> {
    this.#retries.delete(settings.name);
    if (this.#closed || this.#bound.has(settings.name)) return;
    await this.#bind(settings);
    if (this.#bound.has(settings.name)) this.#onRecovered(settings.name);
  }

  #onConnection(name: string, socket: Socket): void {
    // Gone before it was looked at.
    if (socket.remoteAddress === undefined) return void socket.destroy();
    this.#accept(name, socket, {
      id: this.#nextId++,
      remoteAddress: plainAddress(socket.remoteAddress),
      remotePort: socket.remotePort ?? 0,
      localAddress: plainAddress(socket.localAddress ?? ''),
      localPort: socket.localPort ?? 0,
      peer: null,
    });
  }
}

/** An IPv4 address that came through a dual-stack socket is an IPv4 address. */
const plainAddress = (address: string): string => (address.startsWith('::ffff:') ? address.slice(7) : address);

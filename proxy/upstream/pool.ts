/**
 * The connections to one endpoint: lease, return, cap, drain. Idle connections are reused newest first, so that the surplus of
 * a burst ages out. A request that finds none waits for the first that is free: a new one, or one that comes back.
 */
import type { Socket } from 'node:net';
import type { LiveCluster } from '../live/cluster.ts';
import type { LiveEndpoint } from '../live/endpoint.ts';
import { Reads } from '../wire/lent-reads.ts';
import type { Dialed } from './connect.ts';
import { Http1Connection, type Http1Owner } from './http1.ts';

/** Who waits for a connection. */
export type Waiter = {
  onLease(connection: Http1Connection): void;
  onLeaseFailed(problem: LeaseProblem): void;
};

export type LeaseProblem =
  | { readonly kind: 'overflow' }
  | { readonly kind: 'connect-failed'; readonly cause: string }
  | { readonly kind: 'connect-timeout' };

/** Never keep an idle connection longer than a server's announced patience, less the time a request may be under way. */
const HINT_MARGIN_MS = 1000;

/** Opens a connection for a pool; the returned function gives it up. */
export type Connect = (cluster: LiveCluster, endpoint: LiveEndpoint, reads: Reads, done: Dialed) => () => void;

export class Pool implements Http1Owner {
  readonly endpoint: LiveEndpoint;
  readonly #cluster: LiveCluster;
  readonly #connect: Connect;
  readonly #idle: Http1Connection[] = [];
  readonly #open = new Set<Http1Connection>();
  readonly #waiting: Waiter[] = [];
  readonly #dialing = new Set<() => void>();
  #draining = false;

  constructor(cluster: LiveCluster, endpoint: LiveEndpoint, connect: Connect) {
    this.#cluster = cluster;
    this.endpoint = endpoint;
    this.#connect = connect;
  }

  get open(): number {
    return this.#open.size;
  }

  /**
   * A connection now, or null: `waiter` is told later. `fresh`: no connection that has served before. `unrepeatable`: the request
   * cannot be sent again once a byte of it has left, so a connection that was idle is not used before this turn of the event loop
   * has read what has come on it: its end may be there already.
   */
  lease(waiter: Waiter, fresh: boolean, unrepeatable = false): Http1Connection | null {
    if (!fresh) {
      if (unrepeatable && this.#mayHaveEnded()) {
        this.#cluster.pending++;
        this.#waiting.push(waiter);
        setImmediate(leaseNow, this, waiter);
        return null;
      }
      for (let c = this.#idle.pop(); c !== undefined; c = this.#idle.pop()) {
        if (c.closed || c.socket.destroyed) continue;
        if (!this.#isOld(c)) return c;
        c.close();
      }
    }
    const { maxConnections, maxPendingRequests } = this.#cluster.settings;
    if (this.#cluster.pending >= maxPendingRequests) {
      waiter.onLeaseFailed({ kind: 'overflow' });
      return null;
    }
    this.#cluster.pending++;
    this.#waiting.push(waiter);
    // One is always allowed: when other endpoints hold all connections, none of theirs would ever come back here (Envoy's rule too).
    const none = this.#open.size + this.#dialing.size === 0;
    if (none || this.#cluster.connections < maxConnections) this.#dial();
    return null;
  }

  /** True for a connection that has been idle; under load they are used again at once, and nobody need wait. */
  #mayHaveEnded(): boolean {
    const newest = this.#idle.at(-1);
    if (newest === undefined || this.#cluster.pending >= this.#cluster.settings.maxPendingRequests) return false;
    return performance.now() - newest.idleSince >= 1;
  }

  /** False: it waits no more. */
  cancel(waiter: Waiter): boolean {
    const i = this.#waiting.indexOf(waiter);
    if (i < 0) return false;
    this.#waiting.splice(i, 1);
    this.#cluster.pending--;
    return true;
  }

  onIdle(connection: Http1Connection): void {
    const { maxRequestsPerConnection } = this.#cluster.settings;
    const worn = maxRequestsPerConnection > 0 && connection.served >= maxRequestsPerConnection;
    if (worn || (connection.served > 0 && this.#isOld(connection))) return connection.close();
    const waiter = this.#next();
    if (waiter !== undefined) return waiter.onLease(connection);
    if (this.#draining) return connection.close();
    connection.idleSince = performance.now();
    this.#idle.push(connection);
  }

  onClosed(connection: Http1Connection): void {
    if (!this.#open.delete(connection)) return;
    this.#cluster.connections--;
    const i = this.#idle.indexOf(connection);
    if (i >= 0) this.#idle.splice(i, 1);
    // Someone may have waited for this very place; it is none when the connection has become a tunnel.
    const free = this.#cluster.connections < this.#cluster.settings.maxConnections;
    const none = this.#open.size + this.#dialing.size === 0;
    if ((free || none) && this.#waiting.length > this.#dialing.size) this.#dial();
  }

  /**
   * It has lived for maxConnectionDuration: nothing new goes out on it, what is under way ends (Envoy: HttpProtocolOptions'
   * max_connection_duration, where Istio puts it for clusters).
   */
  #isOld(connection: Http1Connection): boolean {
    const { maxConnectionDuration } = this.#cluster.settings;
    return maxConnectionDuration > 0 && performance.now() - connection.openedAt >= maxConnectionDuration;
  }

  /** Closes what has been idle, or open, for too long. `now`: `performance.now()`. */
  sweep(now: number): void {
    const { idleTimeout, maxConnectionDuration } = this.#cluster.settings;
    if (maxConnectionDuration > 0) this.#closeOld();
    while (this.#idle.length > 0) {
      const oldest = this.#idle[0]!;
      const hint = /timeout=(\d{1,6})/.exec(oldest.keepAliveHint);
      const limit =
        hint === null ? idleTimeout : Math.min(idleTimeout, Math.max(0, Number(hint[1]) * 1000 - HINT_MARGIN_MS));
      if (now - oldest.idleSince < limit) return;
      this.#idle.shift();
      oldest.close();
    }
  }

  #closeOld(): void {
    for (const connection of this.#idle.filter((c) => this.#isOld(c))) {
      this.#idle.splice(this.#idle.indexOf(connection), 1);
      connection.close();
    }
  }

  /** No new connections; idle ones close now, busy ones when they are done. */
  drain(): void {
    this.#draining = true;
    for (const c of this.#idle.splice(0)) c.close();
  }

  /** True when somebody waits for a connection, or is using one. */
  get inUse(): boolean {
    return this.#waiting.length > 0 || this.#dialing.size > 0 || this.#open.size > this.#idle.length;
  }

  /** True when nothing is open, under way or waited for. */
  get empty(): boolean {
    return this.#open.size === 0 && this.#dialing.size === 0 && this.#waiting.length === 0;
  }

  #next(): Waiter | undefined {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) this.#cluster.pending--;
    return waiter;
  }

  #dial(): void {
    const reads = new Reads();
    this.#cluster.connections++;
    const cancel = this.#connect(this.#cluster, this.endpoint, reads, {
      onConnected: (socket: Socket) => {
        this.#dialing.delete(cancel);
        const connection = new Http1Connection(socket, reads, this);
        this.#open.add(connection);
        this.onIdle(connection);
      },
      onDialFailed: (cause, timedOut) => {
        this.#dialing.delete(cancel);
        this.#cluster.connections--;
        this.#next()?.onLeaseFailed(timedOut ? { kind: 'connect-timeout' } : { kind: 'connect-failed', cause });
      },
    });
    this.#dialing.add(cancel);
  }
}

function leaseNow(pool: Pool, waiter: Waiter): void {
  const connection = pool.cancel(waiter) ? pool.lease(waiter, false) : null;
  if (connection !== null) waiter.onLease(connection);
}

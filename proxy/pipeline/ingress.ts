/** From an accepted connection to a served request: who is there, which plan is in force, what is asked. */
import type { Socket } from 'node:net';
import { get, type HeaderList } from '../core/header-list.ts';
import type { Http1Downstream, RequestHandler } from '../listener/http1.ts';
import type { Target } from '../listener/target.ts';
import type { Connection } from '../live/connection.ts';
import { Exchange } from '../live/exchange.ts';
import type { Downstream, DownstreamEvents } from '../live/stream.ts';
import { fail } from '../live/verdict.ts';
import type { HeadProblem, RequestHead } from '../wire/http1-head.ts';
import { serveConnect } from './connect.ts';
import { trustHeaders } from './edge.ts';
import type { Environment } from './environment.ts';
import { refuseHttp, serveHttp } from './http.ts';
import { mayUseOutbound } from './owner.ts';
import { serveTcp } from './tcp.ts';
import { tcpReport } from './tcp-report.ts';

/** `application/grpc`, with or without a `+proto` (gRPC over HTTP/2, "Requests"). */
function isGrpc(headers: HeaderList): boolean {
  const type = get(headers, 'content-type');
  return type !== undefined && type.startsWith('application/grpc');
}

export type OpenHttp = (socket: Socket, connection: Connection, handler: RequestHandler) => Http1Downstream;

export class Ingress {
  readonly #env: Environment;
  readonly #normalizePath: (path: string) => string | null;
  readonly #openHttp: OpenHttp;
  readonly #connections = new Map<Http1Downstream, Exchange['direction']>();
  /** Grows when the address book changes: peers are looked up again then. */
  #book = 0;
  #draining = false;

  constructor(env: Environment, normalizePath: (path: string) => string | null, openHttp: OpenHttp) {
    this.#env = env;
    this.#normalizePath = normalizePath;
    this.#openHttp = openHttp;
  }

  accept(listener: string, socket: Socket, connection: Connection): void {
    const plan = this.#env.plans.current.listeners.get(listener);
    connection.peer = this.#peerOf(connection.remoteAddress);
    if (plan === undefined || this.#draining) return void socket.destroy();
    if (plan.kind === 'tcp') {
      if (this.#isStranger(plan.settings.direction, connection)) return void socket.resetAndDestroy();
      serveTcp(this.#env, plan, connection, socket, tcpReport(this.#env, plan.settings.direction, connection));
      return;
    }
    let book = this.#book;
    const handler: RequestHandler = {
      onRequest: (info, head, target, headBytes, startMs, down) => {
        if (book !== this.#book) {
          book = this.#book;
          info.peer = this.#peerOf(info.remoteAddress);
        }
        return this.#serve(listener, info, head, target, headBytes, startMs, down);
      },
      onRefused: (info, problem, bytes, startMs) =>
        this.#refused(plan.settings.direction, info, problem, bytes, startMs),
      onClosed: (downstream) => this.#connections.delete(downstream),
    };
    this.#connections.set(this.#openHttp(socket, connection, handler), plan.settings.direction);
  }

  /** The address book changed. */
  forgetPeers(): void {
    this.#book++;
  }

  sweep(now: number): void {
    for (const connection of this.#connections.keys()) connection.sweep(now);
  }

  /** Callers of the application are asked to go; the application's own connections stay. */
  drainInbound(): void {
    for (const [connection, direction] of this.#connections) if (direction === 'inbound') connection.drain();
  }

  /** Resolves when the last exchange is over, or after `within` ms. */
  drain(within: number): Promise<void> {
    this.#draining = true;
    for (const connection of this.#connections.keys()) connection.drain();
    const { promise, resolve } = Promise.withResolvers<void>();
    const deadline = performance.now() + within;
    const look = (): void => {
      const left = this.#connections.size + this.#env.tunnels.size;
      if (left === 0 || performance.now() > deadline) resolve();
      else setTimeout(look, 10);
    };
    look();
    return promise;
  }

  #peerOf(address: string): Connection['peer'] {
    return this.#env.upstreams.discovery.workloads[address] ?? null;
  }

  #serve(
    listener: string,
    connection: Connection,
    head: RequestHead,
    target: Target,
    headBytes: number,
    startMs: number,
    down: Downstream,
  ): DownstreamEvents {
    const plan = this.#env.plans.current.listeners.get(listener);
    if (plan === undefined || plan.kind !== 'http') {
      const x = this.#exchange(connection, 'inbound', head, target, headBytes, startMs);
      return refuseHttp(this.#env, x, down, fail({ kind: 'no-route' }));
    }
    const x = this.#exchange(connection, plan.settings.direction, head, target, headBytes, startMs);
    if (this.#isStranger(plan.settings.direction, connection)) return this.#refuseStranger(x, down);
    trustHeaders(x);
    if (head.method === 'CONNECT') return serveConnect(this.#env, plan, x, down);
    const path = target.path === '*' ? '*' : this.#normalizePath(target.path);
    if (path === null) {
      const bad = { kind: 'local', status: 400, details: 'path_normalization_failed', headers: [], body: '' } as const;
      return refuseHttp(this.#env, x, down, bad);
    }
    x.path = path;
    return serveHttp(this.#env, plan, x, down);
  }

  #isStranger(direction: Exchange['direction'], connection: Connection): boolean {
    return direction === 'outbound' && !mayUseOutbound(this.#env.node, connection);
  }

  #refuseStranger(x: Exchange, down: Downstream): DownstreamEvents {
    const who = x.connection.peer?.name ?? x.connection.remoteAddress;
    x.reason = `this port sends in the name of ${this.#env.node.name}, and the caller is ${who}`;
    return refuseHttp(
      this.#env,
      x,
      down,
      fail({ kind: 'denied', policy: 'none', status: 403, body: 'RBAC: access denied' }),
    );
  }

  #exchange(
    connection: Connection,
    direction: Exchange['direction'],
    head: RequestHead,
    target: Target,
    headBytes: number,
    startMs: number,
  ): Exchange {
    const x = new Exchange(connection, direction);
    x.configVersion = this.#env.plans.current.snapshot.version;
    x.method = head.method;
    x.target = head.target;
    x.authority = target.authority;
    x.scheme = target.scheme;
    x.path = target.path;
    x.minor = head.minor;
    x.headers = head.headers;
    x.nominated = head.nominated;
    x.startMs = startMs;
    x.requestHeadBytes = headBytes;
    x.grpc = isGrpc(head.headers);
    return x;
  }

  #refused(
    direction: Exchange['direction'],
    connection: Connection,
    problem: HeadProblem,
    bytes: number,
    startMs: number,
  ): void {
    const x = new Exchange(connection, direction);
    x.configVersion = this.#env.plans.current.snapshot.version;
    x.startMs = startMs;
    x.endMs = performance.now();
    x.status = problem.status;
    if (problem.details !== 'missing_host_header') x.flag('DPE');
    x.details = problem.details;
    x.reason = 'what came is no valid HTTP/1.1 request';
    x.requestHeadBytes = bytes;
    this.#env.record(x);
  }
}

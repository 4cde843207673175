/** From an accepted connection to a served request: who is there, which plan is in force, what is asked. */
import type { Socket } from 'node:net';
import { get, type HeaderList } from '../core/header-list.ts';
import type { Held } from '../listener/first-bytes.ts';
import { firstLook, type Seen } from '../listener/first-look.ts';
import type { Http1Downstream } from '../listener/http1.ts';
import { lendReads } from '../listener/lent-socket.ts';
import { readProxied } from '../listener/proxy-header.ts';
import type { Overload } from '../listener/overload.ts';
import type { RequestHandler } from '../listener/request-handler.ts';
import type { Target } from '../listener/target.ts';
import type { Connection } from '../live/connection.ts';
import { Exchange } from '../live/exchange.ts';
import type { Downstream, DownstreamEvents } from '../live/stream.ts';
import { fail } from '../live/verdict.ts';
import type { HeadProblem, RequestHead } from '../wire/http1-head.ts';
import { Reads } from '../wire/lent-reads.ts';
import { Clients } from './clients.ts';
import { serveConnect } from './connect.ts';
import { trustHeaders } from './edge.ts';
import type { Environment } from './environment.ts';
import { refuseHttp, serveHttp } from './http.ts';
import { mayUseOutbound } from './owner.ts';
import type { HttpListenerPlan, ListenerPlan, PortPlan } from './plan.ts';
import { serveTcp } from './tcp.ts';
import type { TcpEnd } from './tcp-report.ts';
import { wayOf } from './tcp-route.ts';

/** `application/grpc`, with or without a `+proto` (gRPC over HTTP/2, "Requests"). */
function isGrpc(headers: HeaderList): boolean {
  const type = get(headers, 'content-type');
  return type !== undefined && type.startsWith('application/grpc');
}

/** Told of requests that were refused, and of responses that close their connection, because of overload. */
export type OnOverload = (what: 'request' | 'keepAlive', listener: string) => void;

/** `reads` is told of what the socket reads. */
export type OpenHttp = (
  socket: Socket,
  reads: Reads,
  connection: Connection,
  handler: RequestHandler,
) => Http1Downstream;

/** The port a connection was made to, and what is for those that it has nothing for. Null: none. */
type Ports = {
  readonly port: PortPlan | null;
  readonly unknown: PortPlan | null;
  readonly direction: Exchange['direction'];
};

const OWN: TcpEnd = {
  flag: 'NR',
  reason:
    'this proxy’s own connections are redirected to it: it must run as the user that the rules leave alone (lateen iptables --proxy-uid)',
};

const NOWHERE: PortPlan = { rules: [], http: null, authorize: null };

export class Ingress {
  readonly #env: Environment;
  readonly #isProxied: (address: string) => boolean;
  readonly #openHttp: OpenHttp;
  readonly #overload: Overload;
  readonly #onOverload: OnOverload;
  readonly clients = new Clients();
  /** Grows when the address book changes: peers are looked up again then. */
  #book = 0;
  /** `isProxied`: connections from this address begin with a PROXY header. */
  constructor(
    env: Environment,
    openHttp: OpenHttp,
    overload: Overload,
    onOverload: OnOverload,
    isProxied: (address: string) => boolean,
  ) {
    this.#env = env;
    this.#isProxied = isProxied;
    this.#openHttp = openHttp;
    this.#overload = overload;
    this.#onOverload = onOverload;
  }

  accept(listener: string, accepted: Socket, connection: Connection): void {
    const plan = this.#env.plans.current.listeners.get(listener);
    // It has gone meanwhile: no good-bye, as its client would take that for an answer.
    if (plan === undefined) return void accepted.resetAndDestroy();
    const reads = new Reads();
    const socket = lendReads(accepted, reads);
    const held = { socket, reads, early: null };
    if (!this.#isProxied(connection.remoteAddress)) return this.#route(listener, plan, connection, held);
    socket.pause();
    const known = this.clients.await(socket, plan.settings.direction);
    readProxied(held, connection, this.#env.clock, (brought, rest) => {
      known();
      if (brought === null) return void socket.destroy();
      if (brought.why === '') return this.#route(listener, plan, brought.connection, rest);
      const direction = plan.settings.direction;
      const refused = { flag: 'DPE', reason: brought.why };
      serveTcp(this.#env, { direction, port: NOWHERE, rule: null, refused }, connection, rest);
    });
  }

  /** It is read as HTTP at once, or its rules say what is to become of it. */
  #route(listener: string, plan: ListenerPlan, connection: Connection, held: Held): void {
    connection.peer = this.#peerOf(connection.remoteAddress);
    const captured = plan.kind === 'http' && connection.redirected ? plan.captured : null;
    if (plan.kind === 'http' && captured === null) return this.#http(listener, connection, held);
    // Nothing is read before it is known who is to hear it: what the client says early waits in the kernel.
    held.socket.pause();
    if (this.#isStranger(plan.settings.direction, connection)) {
      const { direction } = plan.settings;
      const details = 'rbac_access_denied_matched_policy[none]';
      const refused = { flag: '', reason: this.#whoseName(connection), details };
      return serveTcp(this.#env, { direction, port: NOWHERE, rule: null, refused }, connection, held);
    }
    const port = plan.kind === 'tcp' ? plan : (captured?.of(connection.localPort) ?? null);
    const ports = { port, unknown: captured?.unknown ?? null, direction: plan.settings.direction };
    if (captured === null || ports.direction !== 'outbound')
      return this.#choose(listener, ports, connection, held, null);
    // A turn of the event loop later: the connection's other end, should it be one of ours, is known by then.
    setImmediate(() => {
      const { remotePort, localAddress, localPort } = connection;
      if (!this.#env.ownPorts.has(remotePort, localAddress, localPort))
        return this.#choose(listener, ports, connection, held, null);
      const { direction } = ports;
      serveTcp(this.#env, { direction, port: NOWHERE, rule: null, refused: OWN }, connection, held);
    });
  }

  /** Who is to have a connection: its port's rules say, or those for what no port is for. */
  #choose(listener: string, ports: Ports, connection: Connection, held: Held, seen: Seen | null): void {
    const { direction, unknown } = ports;
    let port = ports.port ?? unknown ?? NOWHERE;
    let way = wayOf(port, connection.localAddress, seen);
    if (way === null && unknown !== null) {
      port = unknown;
      way = wayOf(port, connection.localAddress, seen);
    }
    if (way === 'http') return this.#http(listener, connection, held);
    if (way === 'look') {
      const known = this.clients.await(held.socket, direction);
      return firstLook(held, this.#env.clock, (first, rest) => {
        known();
        if (first === null) return void rest.socket.destroy();
        connection.serverName = first.serverName;
        this.#choose(listener, ports, connection, rest, first);
      });
    }
    const refused = seen === null || seen.broken === '' ? null : { flag: 'DPE', reason: seen.broken };
    serveTcp(this.#env, { direction, port, rule: way, refused }, connection, held);
  }

  #http(listener: string, connection: Connection, { socket, reads, early }: Held): void {
    const plan = this.#planFor(listener, connection);
    if (plan === null) return void socket.destroy();
    // Not the plan itself: an open connection would keep it, and its snapshot, long after others have replaced it.
    const { direction } = plan.settings;
    let book = this.#book;
    const handler: RequestHandler = {
      onRequest: (info, head, target, headBytes, startMs, down) => {
        if (book !== this.#book) {
          book = this.#book;
          info.peer = this.#peerOf(info.remoteAddress);
        }
        if (this.#overload.disableKeepAlive) this.#disableKeepAlive(listener, opened);
        const now = this.#planFor(listener, info);
        // Its listener has gone: with this answer the client is let go, as by Envoy, which drains it.
        if (now === null) opened.drain(Infinity);
        return this.#serve(now, info, head, target, headBytes, startMs, down);
      },
      onRefused: (info, problem, bytes, startMs) => this.#refused(direction, info, problem, bytes, startMs),
      onClosed: () => this.clients.delete(opened),
    };
    const opened = this.#openHttp(socket, reads, connection, handler);
    this.clients.add(opened, direction);
    if (early !== null) opened.begin(early);
    if (socket.isPaused()) socket.resume();
    this.clients.welcome(opened, direction);
  }

  /** Of the plan in force. Null: it has nothing for HTTP there any more. */
  #planFor(listener: string, connection: Connection): HttpListenerPlan | null {
    const plan = this.#env.plans.current.listeners.get(listener);
    if (plan === undefined || plan.kind !== 'http') return null;
    if (!connection.redirected || plan.captured === null) return plan;
    return plan.captured.of(connection.localPort)?.http ?? plan.captured.unknown.http;
  }

  /** The address book changed. */
  forgetPeers(): void {
    this.#book++;
  }

  #peerOf(address: string): Connection['peer'] {
    return this.#env.upstreams.discovery.workloads[address] ?? null;
  }

  /** `plan` null: its listener has gone. */
  #serve(
    plan: HttpListenerPlan | null,
    connection: Connection,
    head: RequestHead,
    target: Target,
    headBytes: number,
    startMs: number,
    down: Downstream,
  ): DownstreamEvents {
    const { normalizePath } = this.#env.plans.current;
    this.#overload.begin(startMs);
    if (plan === null) {
      const x = this.#exchange(connection, 'inbound', head, target, headBytes, startMs);
      return refuseHttp(this.#env, x, down, fail({ kind: 'no-route' }));
    }
    const x = this.#exchange(connection, plan.settings.direction, head, target, headBytes, startMs);
    const overload = this.#overload.refusal();
    if (overload !== null) {
      this.#onOverload('request', plan.settings.name);
      return refuseHttp(this.#env, x, down, fail({ kind: 'overloaded', why: overload }));
    }
    if (this.#isStranger(plan.settings.direction, connection)) return this.#refuseStranger(x, down);
    this.#env.peers.readRequest(x);
    trustHeaders(x);
    if (head.method === 'CONNECT') return serveConnect(this.#env, plan, x, down);
    const path = target.path === '*' ? '*' : normalizePath(target.path);
    if (path === null) {
      const bad = { kind: 'local', status: 400, details: 'path_normalization_failed', headers: [], body: '' } as const;
      return refuseHttp(this.#env, x, down, bad);
    }
    x.path = path;
    return serveHttp(this.#env, plan, x, down);
  }

  /** The response that comes next closes the connection, as Envoy's do. */
  #disableKeepAlive(listener: string, connection: Http1Downstream): void {
    connection.drain(Infinity);
    this.#onOverload('keepAlive', listener);
  }

  #isStranger(direction: Exchange['direction'], connection: Connection): boolean {
    return direction === 'outbound' && !mayUseOutbound(this.#env.node, connection);
  }

  #whoseName({ peer, remoteAddress }: Connection): string {
    return `this port sends in the name of ${this.#env.node.name}, and the caller is ${peer?.name ?? remoteAddress}`;
  }

  #refuseStranger(x: Exchange, down: Downstream): DownstreamEvents {
    x.reason = this.#whoseName(x.connection);
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
    this.#overload.begin(startMs);
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

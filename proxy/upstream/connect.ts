/**
 * Opens a connection: resolves the name, tries its addresses, says the PROXY header, does the TLS handshake, asks for the tunnel. One time
 * limit holds for all of it.
 */
import { lookup } from 'node:dns';
import { connect as connectTcp, isIP, type Socket, type TcpNetConnectOpts } from 'node:net';
import type { OwnPorts } from '../live/own-ports.ts';
import type { ClientTls, KeepAlive, Tunnel } from '../snapshot/cluster.ts';
import { Reads } from '../wire/lent-reads.ts';
import { proxyHeader, type ProxiedAddresses } from '../wire/proxy-protocol.ts';
import { causeOf, tlsCauseOf } from './dial-cause.ts';
import { setKeepAlive } from './keep-alive.ts';
import type { OnAddresses } from './names.ts';
import { postTunnel } from './post-tunnel.ts';
import { tlsModule, tlsOptions } from './tls-origination.ts';
import { askForTunnel } from './tunnel.ts';

export type Dial = {
  /** Address or name. */
  readonly host: string;
  readonly port: number;
  /** The workload's address; "" for none. Used for destinations on loopback, where it tells the callee who calls. */
  readonly from: string;
  readonly tls: ClientTls | null;
  /** Server name for TLS settings that have none: whose certificate is expected. Null: `host`, when it is a name. */
  readonly serverName?: string | null;
  /** Milliseconds until the attempt is given up, names, all addresses, TLS and tunnel included. */
  readonly timeout: number;
  /** Told of what the connection reads; without it, the socket's own `data` tells. */
  readonly reads?: Reads;
  /** The address the connection is made from, wherever it goes. Null: `from`, where that is possible. */
  readonly sourceAddress?: string | null;
  /** Null: Lateen's own. */
  readonly keepAlive?: KeepAlive | null;
  readonly proxyProtocol?: 'V1' | 'V2' | null;
  /** Whose connection the PROXY header says it is; null: the proxy's own (LOCAL, UNKNOWN). */
  readonly client?: ProxiedAddresses | null;
  /** The far end is an HTTP proxy that is asked for this. Needs `reads`. */
  readonly tunnel?: Tunnel | null;
  /** Resolves `host` when it is a name, and says which addresses may be used; without it the system is asked. */
  readonly resolve?: (host: string, done: OnAddresses) => () => void;
  /** How a connection is made from one of several addresses; without it, as Node does. */
  readonly connectFrom?: ConnectFrom | null;
  /** Told of the local ports that are in use. */
  readonly ownPorts?: OwnPorts | null;
};

/** Connects from an address of ours whose port the kernel is to choose; null: this cannot be done. */
export type ConnectFrom = (localAddress: string, options: TcpNetConnectOpts) => Socket | null;

export type Dialed = {
  /** `early`: bytes that the far end of a tunnel has sent already. */
  onConnected(socket: Socket, early: Buffer | null): void;
  /** `cause`: half a sentence. */
  onDialFailed(cause: string, timedOut: boolean): void;
};

/** An address that does not answer leaves the others this much at least, ms. */
const LEAST_SHARE_MS = 250;

/** Calls exactly one of `done`'s functions, later. The returned function gives up silently. */
export function dial(to: Dial, done: Dialed): () => void {
  const attempt = new Attempt(to, done);
  attempt.start();
  return () => attempt.giveUp();
}

class Attempt {
  readonly #to: Dial;
  readonly #done: Dialed;
  readonly #until: number;
  readonly #timer: NodeJS.Timeout;
  /** Who is told of what the socket reads. By POST, the caller is told only of what is in it. */
  readonly #reads: Reads | null;
  #addresses: readonly string[] = [];
  #next = 0;
  #socket: Socket | null = null;
  #share: NodeJS.Timeout | null = null;
  #stopResolving: (() => void) | null = null;
  #over = false;

  constructor(to: Dial, done: Dialed) {
    this.#to = to;
    this.#done = done;
    this.#until = performance.now() + to.timeout;
    this.#timer = setTimeout(onTimeout, to.timeout, this);
    this.#reads = to.tunnel?.method === 'POST' ? new Reads() : (to.reads ?? null);
  }

  start(): void {
    const { host, resolve = bySystem } = this.#to;
    if ((isIP(host) !== 0 || isSocketPath(host)) && this.#to.resolve === undefined) {
      this.#addresses = [host];
      this.#tryNext('');
      return;
    }
    this.#stopResolving = resolve(host, (addresses, cause) => {
      if (this.#over) return;
      this.#addresses = addresses;
      if (addresses.length === 0) this.fail(cause, false);
      else this.#tryNext(cause);
    });
  }

  giveUp(): void {
    if (this.#over) return;
    this.#end();
    this.#drop();
  }

  fail(cause: string, timedOut: boolean): void {
    if (this.#over) return;
    this.#end();
    this.#drop();
    this.#done.onDialFailed(cause, timedOut);
  }

  /** The first address that takes the connection has it: `cause` is why the one before did not. */
  #tryNext(cause: string): void {
    const address = this.#addresses[this.#next++];
    if (address === undefined) return this.fail(cause, false);
    const left = this.#addresses.length - this.#next;
    if (left > 0) {
      // One that is silent must not use up the time of the others.
      const share = Math.max((this.#until - performance.now()) / (left + 1), LEAST_SHARE_MS);
      this.#share = setTimeout(onShareOver, share, this);
    }
    try {
      this.#open(address);
    } catch (error) {
      // Later, as everything that is told.
      setImmediate(() => this.refused(causeOf(error)));
    }
  }

  /** This address cannot be reached. */
  refused(cause: string): void {
    if (this.#over) return;
    this.#drop();
    this.#tryNext(cause);
  }

  #open(address: string): void {
    const to = this.#to;
    const reads = this.#reads;
    const localAddress = localFor(to, address);
    const options: TcpNetConnectOpts = {
      host: address,
      port: to.port,
      noDelay: true,
      // A server that has said its last word may still listen (TCP); HTTP ends such connections itself.
      allowHalfOpen: true,
      // TLS reads by itself.
      ...(reads === null || to.tls !== null ? {} : { onread: reads.onread }),
    };
    const socket = isSocketPath(address)
      ? connectTcp({ ...options, path: pathOf(address) })
      : ((localAddress === null ? null : to.connectFrom?.(localAddress, options)) ??
        connectTcp(localAddress === null ? options : { ...options, localAddress }));
    this.#socket = socket;
    const onError = (error: Error): void => {
      if (this.#socket === socket) this.refused(causeOf(error));
    };
    socket.on('error', onError);
    socket.once('connect', () => {
      if (this.#socket !== socket) return;
      this.#stopShare();
      setKeepAlive(socket, to.keepAlive ?? null);
      if (to.ownPorts) countPort(to.ownPorts, socket);
      // A socket that was made before it was told where to go has not heard of it.
      socket.setNoDelay(true);
      // From now on it is this address or none.
      socket.off('error', onError);
      const { proxyProtocol = null, client = null } = to;
      if (proxyProtocol !== null) socket.write(proxyHeader(proxyProtocol, client));
      if (to.tls === null) this.#connected(socket);
      else this.#secure(socket, to.tls, address);
    });
  }

  #secure(plain: Socket, tls: ClientTls, address: string): void {
    const { host, serverName = null } = this.#to;
    const reads = this.#reads;
    const onError = (error: Error): void => this.fail(tlsCauseOf(error), false);
    plain.on('error', onError);
    try {
      const name = serverName ?? (isIP(host) === 0 ? host : address);
      const socket = tlsModule().connect({ ...tlsOptions(tls, name), socket: plain });
      // Of TLS, Node resets nothing: it throws (ERR_INVALID_HANDLE_TYPE).
      socket.resetAndDestroy = () => {
        plain.resetAndDestroy();
        return socket;
      };
      this.#socket = socket;
      socket.on('error', onError);
      socket.once('secureConnect', () => {
        if (this.#over) return;
        socket.off('error', onError);
        if (reads !== null) socket.on('data', (bytes: Buffer) => reads.onBytes(bytes));
        this.#connected(socket);
      });
    } catch (error) {
      onError(error as Error);
    }
  }

  #connected(socket: Socket): void {
    const { tunnel = null, reads: told } = this.#to;
    const reads = this.#reads;
    if (tunnel === null || reads === null || told === undefined) return this.#succeed(socket, null);
    const onError = (error: Error): void => this.fail(`tunnel refused: ${causeOf(error)}`, false);
    socket.on('error', onError);
    askForTunnel(socket, reads, tunnel, {
      onOpen: (early, head) => {
        if (this.#over) return;
        socket.off('error', onError);
        if (tunnel.method === 'CONNECT') this.#succeed(socket, early);
        else this.#succeed(postTunnel(socket, reads, told, head, early), null);
      },
      onRefused: (why) => this.fail(why, false),
    });
  }

  #succeed(socket: Socket, early: Buffer | null): void {
    if (this.#over) return;
    this.#socket = null;
    this.#end();
    this.#done.onConnected(socket, early);
  }

  #end(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#stopShare();
    this.#stopResolving?.();
  }

  /** What is being destroyed may still report an error. */
  #drop(): void {
    this.#stopShare();
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.on('error', ignore);
    socket.destroy();
  }

  #stopShare(): void {
    if (this.#share !== null) clearTimeout(this.#share);
    this.#share = null;
  }
}

function countPort(ports: OwnPorts, socket: Socket): void {
  const { localPort, remoteAddress, remotePort } = socket;
  if (localPort === undefined || remoteAddress === undefined || remotePort === undefined) return;
  ports.opened(localPort, remoteAddress, remotePort);
  socket.once('close', () => ports.closed(localPort, remoteAddress, remotePort));
}

const onTimeout = (attempt: Attempt): void => attempt.fail('connection timeout', true);
const onShareOver = (attempt: Attempt): void => attempt.refused('connection timeout');
const ignore = (): void => undefined;

/** Where a connection comes from, as logs show it: `10.0.0.7:51234`; "" for a unix socket. */
export function localName({ localAddress, localPort }: Socket): string {
  if (localAddress === undefined) return '';
  return localAddress.includes(':') ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`;
}

/** `unix:///path` or `unix://@name` (WorkloadEntry.address). */
export const isSocketPath = (address: string): boolean => address.startsWith('unix://');

/** `@name` lies in the abstract namespace (unix(7)), whose names begin with a NUL. */
const pathOf = (address: string): string => address.slice('unix://'.length).replace(/^@/, '\0');

/** The address to connect from; null: the system picks. Only destinations on loopback can be reached from a loopback address. */
function localFor({ sourceAddress = null, from }: Dial, to: string): string | null {
  if (sourceAddress !== null) return isIP(sourceAddress) === isIP(to) ? sourceAddress : null;
  return from.startsWith('127.') && to.startsWith('127.') ? from : null;
}

function bySystem(host: string, done: OnAddresses): () => void {
  let wanted = true;
  lookup(host, { all: true, verbatim: true }, (error, found) => {
    if (!wanted) return;
    if (error === null)
      done(
        found.map(({ address }) => address),
        '',
      );
    else done([], `DNS resolution failed (${error.code ?? error.message})`);
  });
  return () => {
    wanted = false;
  };
}

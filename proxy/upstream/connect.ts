/** Opens a connection to an address: plain or TLS, from the workload's own address where that is possible. */
import { lookup } from 'node:dns';
import { readFileSync } from 'node:fs';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import type * as Tls from 'node:tls';
import type { ClientTls } from '../snapshot/cluster.ts';
import type { Reads } from '../wire/lent-reads.ts';

export type Dial = {
  readonly host: string;
  readonly port: number;
  /** The workload's address; "" for none. Used for destinations on loopback, where it tells the callee who calls. */
  readonly from: string;
  readonly tls: ClientTls | null;
  /** Milliseconds until the attempt is given up. */
  readonly timeout: number;
  /** Told of what the connection reads; without it, the socket's own `data` tells. */
  readonly reads?: Reads;
};

export type Dialed = { onConnected(socket: Socket): void; onDialFailed(cause: string, timedOut: boolean): void };

/** Calls exactly one of `done`'s functions, later. The returned function gives up silently. */
export function dial(to: Dial, done: Dialed): () => void {
  let socket: Socket | null = null;
  let over = false;
  const timer = setTimeout(() => finish('connection timeout', true), to.timeout);
  if (isIP(to.host) !== 0) open(to.host);
  else
    lookup(to.host, { verbatim: true }, (error, address) =>
      error === null ? open(address) : finish(dnsCause(error), false),
    );
  return () => {
    over = true;
    clearTimeout(timer);
    socket?.destroy();
  };

  function open(address: string): void {
    if (over) return;
    try {
      const options = {
        host: address,
        port: to.port,
        noDelay: true,
        // A host that vanished is noticed within some 70 s, also by a request without a time limit.
        keepAlive: true,
        keepAliveInitialDelay: 60_000,
        // A server that has said its last word may still listen (TCP); HTTP ends such connections itself.
        allowHalfOpen: true,
        ...(bindable(to.from, address) ? { localAddress: to.from } : {}),
      };
      const { reads } = to;
      if (to.tls === null) socket = connectTcp(reads === undefined ? options : { ...options, onread: reads.onread });
      else {
        socket = tlsModule().connect({ ...options, ...tlsOptions(to.tls, to.host) });
        if (reads !== undefined) socket.on('data', (bytes: Buffer) => reads.onBytes(bytes));
      }
    } catch (error) {
      finish(causeOf(error), false);
      return;
    }
    socket.on('error', failed);
    socket.once(to.tls === null ? 'connect' : 'secureConnect', () => finish(null, false));
  }

  function failed(error: Error): void {
    finish(causeOf(error), false);
  }

  function finish(cause: string | null, timedOut: boolean): void {
    if (over) return;
    over = true;
    clearTimeout(timer);
    if (cause === null && socket !== null) {
      socket.off('error', failed);
      done.onConnected(socket);
      return;
    }
    // The listener for `error` stays: a socket that is being destroyed may still report one.
    socket?.destroy();
    done.onDialFailed(cause ?? 'unknown', timedOut);
  }
}

/** Loaded by the first connection that needs it: most workers never do, and it is a megabyte in each. */
const tlsModule = (): typeof Tls => process.getBuiltinModule('node:tls');

/** Only destinations on loopback can be reached from a loopback address. */
const bindable = (from: string, to: string): boolean => from.startsWith('127.') && to.startsWith('127.');

function tlsOptions(tls: ClientTls, host: string) {
  const servername = tls.sni ?? (isIP(host) === 0 ? host : '');
  return {
    ...(servername === '' ? {} : { servername }),
    ...(tls.caFile === null ? {} : { ca: readFileSync(tls.caFile) }),
    ...(tls.certFile === null ? {} : { cert: readFileSync(tls.certFile) }),
    ...(tls.keyFile === null ? {} : { key: readFileSync(tls.keyFile) }),
    minVersion: 'TLSv1.2' as const,
    rejectUnauthorized: !tls.insecureSkipVerify,
    checkServerIdentity(name: string, certificate: Parameters<typeof Tls.checkServerIdentity>[1]): Error | undefined {
      if (tls.subjectAltNames.length === 0) return tlsModule().checkServerIdentity(name, certificate);
      const names = (certificate.subjectaltname ?? '')
        .split(', ')
        .map((n) => n.replace(/^(?:DNS|URI|IP Address):/, ''));
      return tls.subjectAltNames.some((wanted) => names.includes(wanted))
        ? undefined
        : new Error(`certificate is for ${names.join(', ')}, expected ${tls.subjectAltNames.join(' or ')}`);
    },
  };
}

function causeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ECONNREFUSED':
      return 'Connection refused';
    case 'ECONNRESET':
      return 'Connection reset by peer';
    case 'EHOSTUNREACH':
      return 'No route to host';
    case 'ENETUNREACH':
      return 'Network is unreachable';
    default:
      return (code ?? message).slice(0, 200);
  }
}

const dnsCause = (error: NodeJS.ErrnoException): string => `DNS resolution failed (${error.code ?? error.message})`;

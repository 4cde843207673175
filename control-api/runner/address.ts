/** Addresses for Pods out of a loopback range, and ports for applications. Another Lateen on this machine is kept clear of. */
import { createServer, type Server } from 'node:net';

/** Kept bound for as long as an address is held, so that nobody else takes it; no proxy uses this port. */
const CLAIM_PORT = 15099;
/** Where leased ports of 127.0.0.1 are held. */
const LOCK_ADDRESS = '127.0.0.2';

export type Lease = { readonly ip: string; release(): void };

export type Addresses = {
  /** Rejects, saying why, when no address of the range can be had. */
  lease(): Promise<Lease>;
  /** A port of 127.0.0.1 that nobody listens on, below the range that outgoing connections use. */
  port(): Promise<number>;
  releasePort(port: number): void;
};

/** `cidr`: `127.1.0.0/16`. Addresses are taken in turn, so that one that was given back is not soon used again. */
export function addressPool(cidr: string): Addresses {
  const range = parseCidr(cidr);
  let next = 1;
  let nextPort = 20_000 + (process.pid % 6000) * 2;
  const ports = new Map<number, Server | null>();
  return {
    async lease() {
      for (let tries = 0; tries < Math.min(range.size - 2, 4096); tries++) {
        const ip = textOf(range.first + next);
        next = next + 1 >= range.size - 1 ? 1 : next + 1;
        const claim = await bind(ip, CLAIM_PORT);
        if (typeof claim !== 'string') return { ip, release: () => void claim.close() };
        if (claim === 'EADDRNOTAVAIL')
          throw new Error(
            `${ip} cannot be bound on this machine. Pods need a range of loopback addresses of their own (--pod-cidr); on macOS add them first: sudo ifconfig lo0 alias ${ip}`,
          );
      }
      throw new Error(`No free address is left in ${cidr}.`);
    },
    async port() {
      for (let tries = 0; tries < 10_000; tries++) {
        const port = nextPort;
        nextPort = nextPort >= 32_000 ? 20_000 : nextPort + 1;
        if (ports.has(port)) continue;
        const lock = await lockPort(port);
        if (lock === 'taken') continue;
        const claim = await bind('127.0.0.1', port);
        if (typeof claim === 'string') {
          lock?.close();
          continue;
        }
        ports.set(port, lock);
        await new Promise((resolve) => claim.close(resolve));
        return port;
      }
      throw new Error('No free port is left between 20000 and 32000 on 127.0.0.1.');
    },
    releasePort(port) {
      ports.get(port)?.close();
      ports.delete(port);
    },
  };
}

/**
 * Between the check of a port and the start of the application that gets it, another Lateen could choose the same one. So the port
 * is held, on an address the application does not use, for as long as it is leased. Null: there is no such address (macOS).
 */
async function lockPort(port: number): Promise<Server | 'taken' | null> {
  const lock = await bind(LOCK_ADDRESS, port);
  if (typeof lock !== 'string') return lock;
  return lock === 'EADDRNOTAVAIL' ? null : 'taken';
}

function bind(host: string, port: number): Promise<Server | string> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
    server.listen({ host, port, exclusive: true }, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** Throws a RangeError for what is no range of at least four IPv4 loopback addresses. */
export function parseCidr(cidr: string): { readonly first: number; readonly size: number } {
  const [, address = '', bits = ''] = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(cidr) ?? [];
  const parts = address.split('.').map(Number);
  const length = Number(bits);
  if (parts.length !== 4 || parts.some((p) => p > 255) || length < 8 || length > 30 || parts[0] !== 127) {
    throw new RangeError(`expected a range of loopback addresses such as 127.1.0.0/16, got "${cidr}"`);
  }
  const size = 2 ** (32 - length);
  const n = parts.reduce((sum, part) => sum * 256 + part, 0);
  return { first: n - (n % size), size };
}

const textOf = (n: number): string => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255].join('.');

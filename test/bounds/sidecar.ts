/** A real sidecar process before an origin in this process, and what it holds: memory, descriptors. Linux only (/proc). */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { memoryOf } from '../../bench/accounting.ts';
import { freePort, listening, start } from '../../bench/process.ts';

const command = fileURLToPath(new URL('../../lateen', import.meta.url));

export type Sidecar = AsyncDisposable & {
  readonly address: string;
  readonly port: number;
  readonly origin: { readonly address: string; readonly port: number };
  /** Resident memory of the proxy, bytes. */
  readonly rss: () => number;
  /** Open descriptors of the proxy. */
  readonly files: () => number;
};

/** What an origin does with each connection. */
export type Serve = (socket: Socket) => void;

/**
 * Starts `lateen sidecar` on an address of `network` (the first three numbers of a loopback address), everything that goes to the
 * host `origin.bounds` served by `serve`. CONNECT goes where it is asked to. `resources`: YAML of what else there is.
 */
export async function startSidecar(network: string, serve: Serve, resources = ''): Promise<Sidecar> {
  const address = `${network}.2`;
  const dir = mkdtempSync(join(tmpdir(), 'lateen-bounds-'));
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    serve(socket);
  });
  server.listen({ host: `${network}.1`, port: 0, backlog: 4096 });
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the origin has no port');
  const origin = { address: bound.address, port: bound.port };
  writeFileSync(join(dir, 'origin.yaml'), `${serviceEntry(origin.address, origin.port)}${resources}`);
  const port = await freePort(address);
  const child = start('proxy', [
    ...[command, 'sidecar', '--workload', 'bounds-v1', '--labels', 'app=bounds', '--config', dir, '--ip', address],
    ...['--outbound-port', String(port), '--access-log', 'off', '--tracing', '0', '--concurrency', '1'],
  ]);
  const stop = async (): Promise<void> => {
    await child[Symbol.asyncDispose]();
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await listening(child, address, port);
  } catch (cause) {
    await stop();
    throw cause;
  }
  return {
    address,
    port,
    origin,
    rss: () => memoryOf(child.pid).rss,
    files: () => readdirSync(`/proc/${child.pid}/fd`).length,
    [Symbol.asyncDispose]: stop,
  };
}

const serviceEntry = (host: string, port: number): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: origin, namespace: default }
spec:
  hosts: [origin.bounds]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints: [{ address: ${host}, ports: { http: ${port} } }]
`;

/** A client's connection to the proxy; its errors are its own. */
export async function open(sidecar: Sidecar): Promise<Socket> {
  const socket = connect({ host: sidecar.address, port: sidecar.port, localAddress: sidecar.address, noDelay: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** A head for the origin, with nothing after it. */
export const ask = (method: string, path: string, fields = ''): string =>
  `${method} ${path} HTTP/1.1\r\nHost: origin.bounds\r\n${fields}\r\n`;

/** Milliseconds that a small request on a connection of its own takes. */
export async function canary(sidecar: Sidecar): Promise<number> {
  const from = performance.now();
  const socket = await open(sidecar);
  socket.write(ask('GET', '/canary'));
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  if (!bytes.latin1Slice().startsWith('HTTP/1.1 200 ')) throw new Error(`no canary: ${bytes.latin1Slice(0, 200)}`);
  return performance.now() - from;
}

/** Resolves when `value` has not grown over ten looks of 50 ms; the highest it was. */
export async function highest(value: () => number): Promise<number> {
  let top = value();
  for (let quiet = 0; quiet < 10; quiet++) {
    await new Promise((done) => setTimeout(done, 50));
    const now = value();
    if (now > top) quiet = 0;
    top = Math.max(top, now);
  }
  return top;
}

/** `12.3 MB` */
export const mb = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MB`;

/** One line to the terminal. */
export const print = (line: string): void => void process.stdout.write(`${line}\n`);

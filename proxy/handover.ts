/**
 * How one proxy takes over from another without a refused connection: both know a directory, each has a Unix socket in it, and who
 * starts asks those that run for their listening sockets (docs/decisions/0008-handover.md). One accept queue is then served by both,
 * so it does not matter who closes first. Envoy's hot restart, HAProxy's `-x` and Pingora's upgrade do the same.
 */
import { closeSync, mkdirSync, readdirSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { loadDescriptors, MOST } from './listener/descriptors.ts';
import type { SharedSocket } from './listener/listeners.ts';

export type HandoverOptions = {
  /** Where proxies that may have each other's sockets meet. Made for its owner alone (0700) when it is missing. */
  readonly dir: string;
  /** Those whose sockets were taken are told to drain once this proxy serves. */
  readonly takeover: boolean;
  /** The sockets this proxy listens on at this moment. */
  readonly sockets: () => Promise<readonly SharedSocket[]>;
  /** A successor serves on our sockets and wants us to go. */
  readonly onTakenOver: () => void;
  readonly log: (level: 'info' | 'warn', message: string) => void;
};

export type Handover = {
  /** What others gave. Whoever gets it closes what it does not use. */
  readonly adopted: readonly SharedSocket[];
  /** This proxy serves, on those of the adopted sockets. */
  serving(taken: readonly number[]): void;
  /** Another process that still runs serves on every socket we had. */
  handedOver(): boolean;
  close(): void;
};

/** How long a proxy that runs may take to answer, on a machine that is busy, ms. */
const ANSWER_MS = 5000;

type Offer = { readonly pid: number; readonly sockets: readonly Omit<SharedSocket, 'fd'>[] };
type Reply = { readonly pid: number; readonly took: number; readonly takeover: boolean };
type Giver = { readonly socket: Socket; readonly pid: number; readonly sockets: readonly SharedSocket[] };

/** Never rejects: a proxy that cannot meet others binds its own sockets. */
export async function startHandover(options: HandoverOptions): Promise<Handover> {
  const { dir, log } = options;
  const path = join(dir, `${process.pid}.sock`);
  const heirs = new Set<Socket>();
  const all = new Set<Socket>();
  let givers: Giver[] = [];
  let server: Server | null = null;
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const names = readdirSync(dir).filter((name) => name.endsWith('.sock') && join(dir, name) !== path);
    const asked = await Promise.all(names.map((name) => ask(join(dir, name), log)));
    givers = asked.filter((giver) => giver !== null);
    server = await listen(path, (socket) => void give(socket));
  } catch (error) {
    log('warn', `no handover by ${dir}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return {
    adopted: givers.flatMap((giver) => giver.sockets),
    serving(taken) {
      for (const { socket, pid, sockets } of givers) {
        const took = sockets.filter((shared) => taken.includes(shared.fd)).length;
        const takeover = options.takeover && took > 0;
        if (took > 0)
          log('info', `shares ${took} sockets with process ${pid}${takeover ? ', which is told to drain' : ''}`);
        socket.write(JSON.stringify({ pid: process.pid, took, takeover } satisfies Reply));
      }
    },
    handedOver: () => heirs.size > 0,
    close() {
      server?.close();
      for (const socket of [...all, ...givers.map((giver) => giver.socket)]) socket.destroy();
    },
  };

  /** Our side: gives what we listen on to who connects, and hears whether it serves there. */
  async function give(socket: Socket): Promise<void> {
    socket.on('error', () => undefined);
    socket.on('close', () => (all.delete(socket), heirs.delete(socket)));
    socket.unref();
    all.add(socket);
    const passing = loadDescriptors();
    if (passing === null) return void socket.destroy();
    const sockets = (await options.sockets()).slice(0, MOST);
    const offer: Offer = { pid: process.pid, sockets: sockets.map(({ address, port }) => ({ address, port })) };
    const descriptors = sockets.map((shared) => shared.fd);
    if (!passing.send(socket, JSON.stringify(offer), descriptors)) return void socket.destroy();
    socket.setEncoding('utf8').once('data', (text: string) => {
      const { pid, took, takeover } = JSON.parse(text) as Reply;
      log('info', `process ${pid} serves on ${took} of the ${sockets.length} sockets of this one`);
      if (took === sockets.length) heirs.add(socket);
      if (takeover) options.onTakenOver();
    });
  }
}

/** Their side: null when nobody is there, or nothing comes of it. */
async function ask(path: string, log: HandoverOptions['log']): Promise<Giver | null> {
  const socket = connect(path).pause();
  socket.unref();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once('connect', () => resolve(true));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    // Left behind by a process that did not get to clean up.
    if (error.code === 'ECONNREFUSED') unlink(path);
    resolve(false);
  });
  const passing = loadDescriptors();
  if (!(await promise) || passing === null) return (socket.destroy(), null);
  const deadline = performance.now() + ANSWER_MS;
  let answer = passing.receive(socket);
  while (answer === null && performance.now() < deadline) {
    await new Promise((again) => setTimeout(again, 2));
    answer = passing.receive(socket);
  }
  if (answer === null) {
    log('warn', `who listens on ${path} does not pass its sockets`);
    return (socket.destroy(), null);
  }
  try {
    const { pid, sockets } = JSON.parse(answer.text) as Offer;
    return { socket, pid, sockets: sockets.map((shared, i) => ({ ...shared, fd: answer.descriptors[i]! })) };
  } catch {
    for (const fd of answer.descriptors) closeSync(fd);
    return (socket.destroy(), null);
  }
}

function listen(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
  unlink(path);
  return new Promise((resolve, reject) => {
    const server = createServer(onConnection);
    server.once('error', reject);
    server.listen(path, () => resolve(server));
    server.unref();
  });
}

function unlink(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not there.
  }
}

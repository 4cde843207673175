/** The upstreams of the scenarios: two origins, a port nobody listens on, and one that never accepts. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { startOrigin, type Origin } from './origin.ts';
import type { Place, Places } from './scenario.ts';

export type RunningPlaces = Places & AsyncDisposable & { readonly origin: Origin; readonly other: Origin };

/** Starts them all on `host`. */
export async function startPlaces(host: string): Promise<RunningPlaces> {
  const origin = await startOrigin(host, 'origin');
  const other = await startOrigin(host, 'other');
  const blackhole = await startBlackhole(host);
  return {
    origin,
    other,
    refused: await unusedPort(host),
    blackhole: blackhole.place,
    async [Symbol.asyncDispose]() {
      await blackhole[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
      await origin[Symbol.asyncDispose]();
    },
  };
}

export async function unusedPort(host: string): Promise<Place> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return { host, port: address !== null && typeof address === 'object' ? address.port : 0 };
}

/** A process that listens with a queue of one and then sleeps for ever; once its queue is full the kernel drops every further SYN. */
const SLEEPER = `
const server = require('node:net').createServer().listen({ port: 0, host: process.argv[1], backlog: 1 }, () => {
  require('node:fs').writeSync(1, String(server.address().port) + '\\n');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});`;

export async function startBlackhole(host: string): Promise<AsyncDisposable & { place: Place }> {
  const child = spawn(process.execPath, ['-e', SLEEPER, host], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const place = { host, port: Number(line.toString()) };
  const fillers: Socket[] = [];
  while (fillers.length < 10 && (await connects(place, fillers)));
  return {
    place,
    async [Symbol.asyncDispose]() {
      for (const filler of fillers) filler.destroy();
      await kill(child);
    },
  };
}

/** Whether one more connection still gets through; kept open, so that it holds its place in the queue. */
function connects(place: Place, fillers: Socket[]): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(place);
    fillers.push(socket);
    const timer = setTimeout(() => resolve(false), 200);
    socket.on('error', () => {});
    socket.on('connect', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

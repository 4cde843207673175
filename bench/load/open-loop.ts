/**
 * A program: sends requests when their time has come, whether or not earlier ones were answered, and prints a LoadResult as JSON.
 * Latency counts from the moment a request was due, so that neither a stalled proxy nor a late generator can hide a wait
 * (coordinated omission). How late the generator itself was is reported beside it. Connections take turns, all of them.
 */
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { percentile } from '../statistics.ts';
import type { LoadResult, Target } from './load.ts';
import { beatOf, dueAt, dueBy, latencyOf } from './schedule.ts';

type Plan = Target & { readonly connections: number; readonly rate: number; readonly seconds: number };
/** `due`: when the request under way was due; negative when there is none. */
type Connection = { readonly socket: Socket; due: number; received: number; expected: number };

const plan = JSON.parse(process.argv[2] ?? '{}') as Plan;
const bytes = Buffer.from(
  [`GET ${plan.path} HTTP/1.1`, ...Object.entries(plan.headers).map(([n, v]) => `${n}: ${v}`), '', ''].join('\r\n'),
);
const total = Math.round(plan.rate * plan.seconds);
const latencies = new Float64Array(total);
const lags = new Float64Array(total);
/** A ring: the connection that rested longest is next, so that `connections` of them are really used. */
const idle: Connection[] = [];
let firstIdle = 0;
/** When each request that found no free connection was due. */
const waiting: number[] = [];
let firstWaiting = 0;
let sent = 0;
let answered = 0;
let errors = 0;

for (let opened = 0; opened < plan.connections; opened += 100)
  await Promise.all(Array.from({ length: Math.min(100, plan.connections - opened) }, open));

// White space before the JSON: the connections are there.
process.stdout.write('\n');

/** On the clock of `performance.now()`; a little ahead, so that the metronome is up by then. */
const startedAt = performance.now() + 50;
const metronome = new Worker(fileURLToPath(new URL('metronome.ts', import.meta.url)), {
  workerData: { startAt: performance.timeOrigin + startedAt, periodMs: beatOf(plan.rate) },
});
metronome.on('message', sendWhatIsDue);
/** Ends the run when all is answered, at the latest three seconds after the last request was due. */
const limit = setTimeout(finish, 50 + plan.seconds * 1000 + 3000);

function sendWhatIsDue(): void {
  const now = performance.now() - startedAt;
  const due = dueBy(now, plan.rate, total);
  for (; sent < due; sent++) {
    const at = dueAt(sent, plan.rate);
    lags[sent] = now - at;
    const connection = nextIdle();
    if (connection === undefined) waiting.push(at);
    else send(connection, at);
  }
  if (sent === total && answered + errors >= total) finish();
}

function nextIdle(): Connection | undefined {
  if (firstIdle > 20_000) {
    idle.splice(0, firstIdle);
    firstIdle = 0;
  }
  while (firstIdle < idle.length) {
    const connection = idle[firstIdle++]!;
    if (!connection.socket.destroyed) return connection;
  }
  return undefined;
}

function send(connection: Connection, due: number): void {
  connection.due = due;
  connection.received = 0;
  connection.expected = 0;
  connection.socket.write(bytes);
}

function open(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: plan.host, port: plan.port, noDelay: true });
    const connection: Connection = { socket, due: -1, received: 0, expected: 0 };
    socket.on('connect', () => {
      idle.push(connection);
      resolve();
    });
    socket.on('data', (chunk: Buffer) => take(connection, chunk));
    socket.on('error', () => resolve());
    socket.on('close', () => lose(connection));
  });
}

function take(connection: Connection, chunk: Buffer): void {
  if (connection.due < 0) return;
  if (connection.expected === 0) connection.expected = lengthOf(chunk.toString('latin1'));
  connection.received += chunk.length;
  if (connection.received < connection.expected) return;
  if (connection.expected < 0) errors++;
  else latencies[answered++] = performance.now() - startedAt - connection.due;
  connection.due = -1;
  const late = waiting[firstWaiting];
  if (late === undefined) idle.push(connection);
  else {
    firstWaiting++;
    send(connection, late);
  }
}

/** Bytes of the whole answer: all candidates send the origin's Content-Length on; -1 for anything but a 200 with one. */
function lengthOf(head: string): number {
  const end = head.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  return end < 0 || length === undefined || !head.startsWith('HTTP/1.1 200') ? -1 : end + 4 + Number(length);
}

function lose(connection: Connection): void {
  if (connection.due >= 0) errors++;
  connection.due = -1;
  if (sent > 0 && answered + errors < total) void open();
}

function finish(): void {
  clearTimeout(limit);
  const result: LoadResult = {
    tool: 'open-loop',
    requests: answered,
    errors: total - answered,
    seconds: (performance.now() - startedAt) / 1000,
    latencyMs: latencyOf(latencies.slice(0, answered)),
    lagMs: Math.round((percentile(lags.slice(0, sent).sort(), 99) ?? Number.NaN) * 1000) / 1000,
  };
  process.stdout.write(JSON.stringify(result), () => process.exit());
}

/**
 * A program: sends requests when their time has come, whether or not earlier ones were answered, and prints a LoadResult as JSON.
 * Latency counts from the moment of sending; from the moment it was due when no connection was free, so that a stalled proxy
 * cannot hide its stall (coordinated omission). How late the generator itself was is reported beside it.
 */
import { connect, type Socket } from 'node:net';
import { percentile } from '../statistics.ts';
import type { LoadResult, Target } from './load.ts';

type Plan = Target & { readonly connections: number; readonly rate: number; readonly seconds: number };
type Connection = { readonly socket: Socket; sentAt: number; received: number; expected: number };

const plan = JSON.parse(process.argv[2] ?? '{}') as Plan;
const bytes = Buffer.from(
  [`GET ${plan.path} HTTP/1.1`, ...Object.entries(plan.headers).map(([n, v]) => `${n}: ${v}`), '', ''].join('\r\n'),
);
const total = Math.round(plan.rate * plan.seconds);
const latencies = new Float64Array(total);
const lags = new Float64Array(total);
const idle: Connection[] = [];
/** When each request that found no free connection was due. */
const waiting: number[] = [];
let sent = 0;
let answered = 0;
let errors = 0;
let startedAt = 0;

await Promise.all(Array.from({ length: plan.connections }, open));
startedAt = performance.now();
const timer = setInterval(sendWhatIsDue, 1);
/** Ends the run when all is answered, at the latest three seconds after the last request was due. */
const limit = setTimeout(finish, plan.seconds * 1000 + 3000);

function sendWhatIsDue(): void {
  const now = performance.now();
  const due = Math.min(total, Math.floor(((now - startedAt) * plan.rate) / 1000));
  for (; sent < due; sent++) {
    const dueAt = startedAt + (sent * 1000) / plan.rate;
    lags[sent] = now - dueAt;
    const connection = idle.pop();
    if (connection === undefined) waiting.push(dueAt);
    else send(connection, now);
  }
  if (sent === total && answered + errors >= total) finish();
}

function send(connection: Connection, at: number): void {
  connection.sentAt = at;
  connection.received = 0;
  connection.expected = 0;
  connection.socket.write(bytes);
}

function open(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: plan.host, port: plan.port, noDelay: true });
    const connection: Connection = { socket, sentAt: 0, received: 0, expected: 0 };
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
  if (connection.expected === 0) connection.expected = lengthOf(chunk.toString('latin1'));
  connection.received += chunk.length;
  if (connection.received < connection.expected) return;
  if (connection.expected < 0) errors++;
  else latencies[answered++] = performance.now() - connection.sentAt;
  connection.sentAt = 0;
  const late = waiting.shift();
  if (late === undefined) idle.push(connection);
  else send(connection, late);
}

/** Bytes of the whole answer: all candidates send the origin's Content-Length on; -1 for anything but a 200 with one. */
function lengthOf(head: string): number {
  const end = head.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  return end < 0 || length === undefined || !head.startsWith('HTTP/1.1 200') ? -1 : end + 4 + Number(length);
}

function lose(connection: Connection): void {
  const at = idle.indexOf(connection);
  if (at >= 0) idle.splice(at, 1);
  if (connection.sentAt > 0) errors++;
  if (startedAt > 0 && answered + errors < total) void open();
}

function finish(): void {
  clearInterval(timer);
  clearTimeout(limit);
  const sorted = latencies.slice(0, answered).sort();
  const result: LoadResult = {
    tool: 'open-loop',
    requests: answered,
    errors: total - answered,
    seconds: (performance.now() - startedAt) / 1000,
    latencyMs: { p50: at(sorted, 50), p90: at(sorted, 90), p99: at(sorted, 99), max: at(sorted, 100) },
    lagMs: at(lags.sort(), 99),
  };
  process.stdout.write(JSON.stringify(result), () => process.exit());
}

function at(sorted: Float64Array, percent: number): number {
  return Math.round((percentile(sorted, percent) ?? Number.NaN) * 1000) / 1000;
}

/** One data-plane worker thread: the data plane, and its line to the main thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { keepCompiledCode } from './settle.ts';
import { createDataPlane } from './data-plane.ts';
import { CRASHED, type FromWorker, type ToWorker, type WorkerSetup } from './messages.ts';
import { buffersOf } from './telemetry/spans.ts';

/** A thread that throws more often than this before it is replaced is not worth keeping. */
const MOST_THROWS = 10;

const port = parentPort!;
const plane = createDataPlane(workerData as WorkerSetup, (message: FromWorker) => {
  port.postMessage(message, message.kind === 'spans' ? buffersOf(message.batch) : []);
  // Nothing keeps the thread alive after this but connections that are past their time.
  if (message.kind === 'drained') setImmediate(() => process.exit(0));
});
port.on('message', (message: ToWorker) => plane.tell(message));
keepCompiledCode();

let throws = 0;
// One connection must not cost the others theirs: they go on here until another thread has taken over (docs/decisions/0008-handover.md).
process.on('uncaughtException', (error: unknown) => {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (++throws > MOST_THROWS) process.exit(1);
  plane.tell({ kind: 'sockets', id: CRASHED });
  port.postMessage({ kind: 'crashed', message: text } satisfies FromWorker);
});

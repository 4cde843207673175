/** One data-plane worker thread: the data plane, and its line to the main thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { createDataPlane } from './data-plane.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './messages.ts';

const port = parentPort!;
const plane = createDataPlane(workerData as WorkerSetup, (message: FromWorker) => {
  port.postMessage(message);
  // Nothing keeps the thread alive after this but connections that are past their time.
  if (message.kind === 'drained') setImmediate(() => process.exit(0));
});
port.on('message', (message: ToWorker) => plane.tell(message));

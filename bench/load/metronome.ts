/**
 * A thread that sleeps and tells when something is due, to about a tenth of a millisecond: the timers of an event loop have whole
 * milliseconds only, and a generator that sends late by one would measure itself. Data: { startAt, periodMs }, in ms of the epoch.
 */
import { parentPort, workerData } from 'node:worker_threads';

const { startAt, periodMs } = workerData as { startAt: number; periodMs: number };
const cell = new Int32Array(new SharedArrayBuffer(4));

for (let beat = 0; ; beat++) {
  const wait = startAt + beat * periodMs - (performance.timeOrigin + performance.now());
  if (wait > 0) Atomics.wait(cell, 0, 0, wait);
  parentPort?.postMessage(null);
}

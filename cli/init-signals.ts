/** Signals of process 1 of a container: the kernel ignores those that it has no handler for, so the default must be made by hand. */
import { constants } from 'node:os';

/** What is needed of `process`; tests bring their own. */
export type InitProcess = {
  readonly pid: number;
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  listenerCount(signal: NodeJS.Signals): number;
  exit(code: number): void;
};

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * As process 1: SIGTERM and SIGINT end it with 128 + number (`man 7 pid_namespaces`), as they end any other process, but where a verb has a
 * handler of its own. To be called before any other handler is set. For any other process nothing changes.
 */
export function endOnSignals(self: InitProcess = process): void {
  if (self.pid !== 1) return;
  for (const signal of SIGNALS) {
    self.on(signal, () => {
      // Before a `once` of somebody else, which counts until it is called.
      if (self.listenerCount(signal) === 1) self.exit(128 + constants.signals[signal]);
    });
  }
}

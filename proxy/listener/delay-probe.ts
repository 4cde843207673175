/**
 * Measures what a request waits that has just arrived: a message to itself stands in the same queue as the sockets that are ready.
 * Timers would not do: with thousands of busy connections the event loop reads sockets for a second and more before it looks at them.
 */
import { MessageChannel } from 'node:worker_threads';

export type DelayProbe = {
  /** Measures once; nothing when that is under way already. */
  look(): void;
  close(): void;
};

/** `onDelay` is told how long a message waited, ms. Never keeps the process alive. */
export function delayProbe(onDelay: (ms: number) => void): DelayProbe {
  const { port1: from, port2: to } = new MessageChannel();
  /** 0: no message is under way. */
  let sentAt = 0;
  to.on('message', () => {
    const waited = performance.now() - sentAt;
    sentAt = 0;
    onDelay(waited);
  });
  from.unref();
  to.unref();
  return {
    look() {
      if (sentAt !== 0) return;
      sentAt = performance.now();
      from.postMessage(null);
    },
    close: () => from.close(),
  };
}

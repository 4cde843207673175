/** Answers without an end: heads sent, lines written, and a reader too slow to keep up let go. */
import type { FastifyReply } from 'fastify';
import type { Sink } from './kube/watch.ts';

/** Bytes waiting for one slow reader; beyond that it is cut off and has to start again. */
const MOST_WAITING = 8 * 1024 * 1024;

/** `start` is given where to write, and returns what to do when the reader goes away. */
export function sendStream(reply: FastifyReply, type: string, start: (sink: Sink) => () => void): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    'content-type': type,
    'cache-control': 'no-cache, private',
    'x-content-type-options': 'nosniff',
  });
  raw.flushHeaders();
  const stop = start({
    write(text) {
      if (raw.destroyed) return;
      // Before it is added to: one write alone may be larger, as the first of a large mesh is.
      if (raw.writableLength > MOST_WAITING) raw.destroy();
      else raw.write(text);
    },
    end: () => raw.end(),
  });
  if (raw.destroyed || raw.writableEnded) stop();
  else raw.once('close', stop);
}

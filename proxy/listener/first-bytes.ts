/** Reads a connection as far as it takes to know something of it; the bytes are handed on with it. */
import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { keep, type Reads } from '../wire/lent-reads.ts';

/** A connection that is not read yet, or not any more: the socket is paused, `early` is what was read of it and nobody has used. */
export type Held = { readonly socket: Socket; readonly reads: Reads; readonly early: Buffer | null };

/** How long a client may take, ms (Envoy: listener_filters_timeout). */
const WITHIN_MS = 15_000;

/**
 * Shows `decide` all bytes that came, again with each read, until it answers something else than null. Calls `done` once, at once or
 * later, with the answer; with what `late` makes of it (null: not a byte came) when time is up or the client said its last word before;
 * with null when it is gone.
 */
export function readUntil<T>(
  held: Held,
  clock: Clock,
  decide: (bytes: Buffer) => T | null,
  late: (bytes: Buffer | null) => T,
  done: (answer: T | null, held: Held) => void,
): void {
  const { socket, reads } = held;
  let bytes = held.early;
  const known = bytes === null ? null : decide(bytes);
  if (known !== null) return done(known, held);
  const timer = clock.add(WITHIN_MS, () => finish(late(bytes)), undefined);
  const onEnd = (): void => finish(bytes === null ? null : late(bytes));
  const onClose = (): void => finish(null);
  reads.onBytes = (more) => {
    bytes = bytes === null ? more : Buffer.concat([bytes, more]);
    const answer = decide(bytes);
    bytes = keep(bytes);
    if (answer !== null) finish(answer);
  };
  socket.on('end', onEnd);
  socket.on('close', onClose);
  // `close` says the same, but without a listener a reset would end the process.
  socket.on('error', onClose);
  socket.resume();

  function finish(answer: T | null): void {
    timer.cancel();
    reads.onBytes = () => undefined;
    socket.off('end', onEnd).off('close', onClose);
    socket.pause();
    done(answer, { socket, reads, early: bytes });
    if (answer !== null) socket.off('error', onClose);
  }
}

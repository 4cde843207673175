/** Makes an accepted connection read into the thread's shared buffer, which Node offers for outgoing connections only. */
import { Socket, type SocketConstructorOpts } from 'node:net';
import type { Reads } from '../wire/lent-reads.ts';

/** `_handle` is Node's own; a Node without it reads as it always did. */
type WithHandle = { _handle?: object | null };

/** The socket to use from now on; `reads` is told of what comes. The one that was accepted only counts as open until that one closes. */
export function lendReads(accepted: Socket, reads: Reads): Socket {
  const inner = accepted as WithHandle;
  const handle = inner._handle ?? null;
  if (handle === null) {
    accepted.on('data', (bytes: Buffer) => reads.onBytes(bytes));
    return accepted;
  }
  const options = { handle, allowHalfOpen: true, onread: reads.onread };
  const socket = new Socket(options as SocketConstructorOpts);
  inner._handle = null;
  // Its server counts it, and whoever listens for its end must hear of it.
  socket.on('close', () => accepted.destroy());
  return socket;
}

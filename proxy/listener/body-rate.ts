/**
 * Whether a request body comes too slowly (the slow body of slowhttptest: a byte now and then, for ever). Looked at by the sweep, from
 * what the socket counts anyway.
 */
import type { Socket } from 'node:net';
import type { BodyFraming } from '../live/stream.ts';
import type { ListenerLimits } from './limits.ts';

export class BodyRate {
  /** `performance.now()` and bytes read at the start of the window; 0: none is open. */
  #sinceMs = 0;
  #bytes = 0;

  /** The client is not waited for, or not at this moment: what was seen so far says nothing of it. */
  forget(): void {
    this.#sinceMs = 0;
  }

  /** To be called now and then while the client is waited for. True: a whole window has brought less than it must. */
  isTooSlow(
    now: number,
    { bytesRead }: Pick<Socket, 'bytesRead'>,
    framing: BodyFraming,
    { minBodyRate, bodyRateWindow }: ListenerLimits,
  ): boolean {
    // What has no length is a stream, and may be slow.
    if (framing !== 'length' || minBodyRate === 0) return false;
    const passed = now - this.#sinceMs;
    if (this.#sinceMs > 0 && passed < bodyRateWindow) return false;
    const tooSlow = this.#sinceMs > 0 && bytesRead - this.#bytes < (minBodyRate * passed) / 1000;
    this.#sinceMs = now;
    this.#bytes = bytesRead;
    return tooSlow;
  }
}

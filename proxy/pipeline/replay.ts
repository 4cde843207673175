/** The request body on its way: kept for another try while it is small, held back while there is no connection yet. */
import type { BodyFraming } from '../live/stream.ts';
import { keep } from '../wire/lent-reads.ts';

/** Kept up to this size, bytes (Envoy's per-request buffer limit is of the same order). */
const REPLAY_BYTES = 65_536;

/** Whether a body of this framing, and of this Content-Length, will fit; of chunks nobody knows. */
export const willFit = (framing: BodyFraming, contentLength: string | undefined): boolean =>
  framing === 'none' || (framing === 'length' && Number(contentLength) <= REPLAY_BYTES);

export class Replay {
  /** All so far; null: too large, it cannot be sent again. */
  #kept: Buffer[] | null = [];
  #bytes = 0;
  /** What waits for a connection, once it is too large to be kept. */
  #backlog: Buffer[] = [];

  /** True while the request can be sent again from its beginning. */
  get possible(): boolean {
    return this.#kept !== null;
  }

  /** While nobody takes the body, the client should pause from here on. */
  get heavy(): boolean {
    return this.#bytes > REPLAY_BYTES / 2;
  }

  /** `connected`: the chunk goes upstream right away. */
  add(chunk: Buffer, connected: boolean): void {
    this.#bytes += chunk.length;
    if (this.#kept === null) {
      if (!connected) this.#backlog.push(keep(chunk));
      return;
    }
    this.#kept.push(keep(chunk));
    if (this.#bytes <= REPLAY_BYTES) return;
    if (!connected) this.#backlog = this.#kept;
    this.#kept = null;
  }

  /** What a new connection must be sent first. */
  take(): readonly Buffer[] {
    if (this.#kept !== null) return this.#kept;
    return this.#backlog.splice(0);
  }
}

/** Who may connect: limits of connections, and what they refused. A refused client gets a reset or a close, and costs no more than that. */
import type { LoadBoard } from '../live/load-board.ts';
import type { ListenerLimits } from './limits.ts';

/** Which limit refused a connection; `overload`: none, but memory is short. */
export type Refusal = 'listener' | 'total' | 'address' | 'overload';

export class Admission {
  readonly #limits: ListenerLimits;
  readonly #board: LoadBoard;
  readonly #row: number;
  readonly #onRefused: (listener: string, why: Refusal) => void;
  readonly #listeners = new Map<string, number>();
  readonly #addresses = new Map<string, number>();
  #open = 0;

  constructor(
    limits: ListenerLimits,
    board: LoadBoard,
    row: number,
    onRefused: (listener: string, why: Refusal) => void,
  ) {
    this.#limits = limits;
    this.#board = board;
    this.#row = row;
    this.#onRefused = onRefused;
  }

  /** True: the connection counts from now on, until `leave`. */
  enter(listener: string, address: string): boolean {
    const here = this.#listeners.get(listener) ?? 0;
    if (here >= this.#limits.maxConnections) {
      this.refused(listener, 'listener');
      return false;
    }
    if (this.#board.sum('connections') >= this.#limits.maxConnectionsInTotal) {
      this.refused(listener, 'total');
      return false;
    }
    const most = this.#limits.maxConnectionsPerAddress;
    if (most > 0) {
      const open = this.#addresses.get(address) ?? 0;
      if (open >= most) {
        this.refused(listener, 'address');
        return false;
      }
      this.#addresses.set(address, open + 1);
    }
    this.#listeners.set(listener, here + 1);
    this.#board.set(this.#row, 'connections', ++this.#open);
    return true;
  }

  leave(listener: string, address: string): void {
    this.#listeners.set(listener, this.#listeners.get(listener)! - 1);
    this.#board.set(this.#row, 'connections', --this.#open);
    const open = this.#addresses.get(address);
    if (open === undefined) return;
    if (open > 1) this.#addresses.set(address, open - 1);
    else this.#addresses.delete(address);
  }

  refused(listener: string, why: Refusal): void {
    this.#onRefused(listener, why);
  }
}

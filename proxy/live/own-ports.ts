/**
 * The local ports of this process's connections to others, in memory that all of its threads share: a redirected connection that comes
 * from one of them is the proxy's own. It would be sent on, redirected again, and so for ever.
 */

const PORTS = 65_536;

export class OwnPorts {
  readonly buffer: SharedArrayBuffer;
  /** Connections by local port: towards several destinations, one port may serve more than one. */
  readonly #open: Uint16Array;

  /** Of another thread's buffer, or a new one. */
  constructor(of: SharedArrayBuffer | null = null) {
    this.buffer = of ?? new SharedArrayBuffer(PORTS * Uint16Array.BYTES_PER_ELEMENT);
    this.#open = new Uint16Array(this.buffer);
  }

  opened(port: number): void {
    Atomics.add(this.#open, port, 1);
  }

  closed(port: number): void {
    Atomics.sub(this.#open, port, 1);
  }

  has(port: number): boolean {
    return Atomics.load(this.#open, port) > 0;
  }
}

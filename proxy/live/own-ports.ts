/**
 * The connections of this process to others, in memory that all of its threads share: a redirected connection that is the other end
 * of one is the proxy's own. It would be sent on, redirected again, and so for ever.
 *
 * The local port alone does not tell: beside the proxy, under the same address, the application connects from the same port to another
 * place, as the kernel allows.
 */

const PORTS = 65_536;

export class OwnPorts {
  readonly buffer: SharedArrayBuffer;
  /** Connections by local port: towards several destinations, one port may serve more than one. */
  readonly #open: Uint32Array;
  /** Their destinations: the sum of their fingerprints. */
  readonly #destinations: Uint32Array;

  /** Of another thread's buffer, or a new one. */
  constructor(of: SharedArrayBuffer | null = null) {
    this.buffer = of ?? new SharedArrayBuffer(2 * PORTS * Uint32Array.BYTES_PER_ELEMENT);
    this.#open = new Uint32Array(this.buffer, 0, PORTS);
    this.#destinations = new Uint32Array(this.buffer, PORTS * Uint32Array.BYTES_PER_ELEMENT);
  }

  opened(port: number, address: string, to: number): void {
    Atomics.add(this.#destinations, port, fingerprint(address, to));
    Atomics.add(this.#open, port, 1);
  }

  closed(port: number, address: string, to: number): void {
    Atomics.sub(this.#open, port, 1);
    Atomics.sub(this.#destinations, port, fingerprint(address, to));
  }

  /**
   * Whether this process has connected from `port` to `address`:`to`. While it has several connections from that port, nothing is
   * known of any: what goes round comes from another port the next time.
   */
  has(port: number, address: string, to: number): boolean {
    if (Atomics.load(this.#open, port) !== 1) return false;
    return Atomics.load(this.#destinations, port) === fingerprint(address, to);
  }
}

/** FNV-1a (RFC 9923) of 32 bits. IPv4 inside IPv6 is IPv4. */
function fingerprint(address: string, port: number): number {
  let hash = 0x811c9dc5;
  for (let i = address.startsWith('::ffff:') ? 7 : 0; i < address.length; i++)
    hash = Math.imul(hash ^ address.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (port & 255), 0x01000193);
  return Math.imul(hash ^ (port >>> 8), 0x01000193) >>> 0;
}

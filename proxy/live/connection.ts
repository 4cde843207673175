/** One downstream connection: addresses, and who is at the other end. */
import type { Workload } from '../snapshot/node.ts';

export type Connection = {
  readonly id: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The address the connection was made to: the original one when the kernel has redirected it (as Envoy restores it). */
  readonly localAddress: string;
  readonly localPort: number;
  /** It was made to another address than the one it was accepted on. */
  readonly redirected: boolean;
  /** The workload that owns the remote address; null: nobody the mesh knows. Refreshed when the address book changes. */
  peer: Workload | null;
  /** Server name of the TLS hello that was seen on it, lower case; "": none was seen. */
  serverName: string;
};

/** One downstream connection: addresses, and who is at the other end. */
import type { Workload } from '../snapshot/node.ts';

export type Connection = {
  readonly id: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** The workload that owns the remote address; null: nobody the mesh knows. Refreshed when the address book changes. */
  peer: Workload | null;
};

/** One endpoint of one cluster, alive: what balancers read and upstream writes. Survives swaps, found again by its address. */
import type { Workload } from '../snapshot/node.ts';

export class LiveEndpoint {
  readonly address: string;
  readonly port: number;
  /** `address:port`; of a unix socket its path alone. */
  readonly key: string;
  weight: number;
  healthy: boolean;
  locality: string;
  /** Who owns the address; null: unknown. */
  workload: Workload | null;
  /** Requests in flight. */
  active = 0;
  /** Room for upstream/: its connection pool. */
  pool: unknown = null;
  /** `performance.now()` until when it is not told who we are: it did not say who it is when it was last (peer metadata). */
  silentUntil = 0;
  /** Room for telemetry/: metric series by caller. */
  series: unknown = null;
  /** Room for telemetry/: the edges that requests counted in lately. */
  edges: unknown = null;

  constructor(address: string, port: number) {
    this.address = address;
    this.port = port;
    this.key = keyOf(address, port);
    this.weight = 1;
    this.healthy = true;
    this.locality = '';
    this.workload = null;
  }
}

function keyOf(address: string, port: number): string {
  if (address.startsWith('unix:')) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

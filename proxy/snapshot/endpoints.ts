/** What changes most often, swapped alone: the endpoints of every cluster, and who owns which address. */
import type { Workload } from './node.ts';

export type Endpoint = {
  readonly address: string;
  readonly port: number;
  /** Relative, ≥ 1. */
  readonly weight: number;
  readonly healthy: boolean;
  /** `region/zone/subzone` or "". */
  readonly locality: string;
};

export type Discovery = {
  /** By cluster name. A cluster that is not listed has no endpoints. */
  readonly endpoints: Readonly<Record<string, readonly Endpoint[]>>;
  /** By IP address: how a proxy knows its peers without mutual TLS. */
  readonly workloads: Readonly<Record<string, Workload>>;
};

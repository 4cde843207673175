/** What the main thread and the data-plane workers tell each other: plain data only. */
import type { ClusterState } from './admin/cluster-state.ts';
import type { Announcement } from './core/registry.ts';
import type { ListenerLimits } from './listener/limits.ts';
import type { BindProblem, SharedSocket } from './listener/listeners.ts';
import type { Discovery } from './snapshot/endpoints.ts';
import type { ProxyNode } from './snapshot/node.ts';
import type { Snapshot } from './snapshot/snapshot.ts';
import type { TapBatch, TapOrder } from './snapshot/tap.ts';
import type { EdgeRow } from './telemetry/edge-stats-row.ts';
import type { EgressRow } from './core/egress.ts';
import type { SpanBatch, SpanFormat } from './telemetry/spans.ts';
import type { Propagation } from './telemetry/trace-context.ts';

/** Given to a worker at its start. */
export type WorkerSetup = {
  readonly node: ProxyNode;
  /** File descriptor or path of the access log; null: none. */
  readonly accessLog: number | string | null;
  /** Other threads write to the same descriptor. */
  readonly sharedLog: boolean;
  /** Formats of spans that somebody takes; without it, none is made. */
  readonly spanFormats?: readonly SpanFormat[];
  /** Which headers carry traces; without it, B3. */
  readonly propagation?: Propagation;
  /** Towards clients; without it, those of a sidecar. */
  readonly limits?: ListenerLimits;
  /** Of a LoadBoard, for all workers, and the row of this one; without it, it is the only one. */
  readonly load?: SharedArrayBuffer;
  readonly row?: number;
  /** Of OwnPorts, for all workers; without it, it is the only one. */
  readonly ownPorts?: SharedArrayBuffer;
};

/** As the id of `sockets`: not asked for, and followed by `crashed`. */
export const CRASHED = 0;

export type ToWorker =
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot; readonly discovery: Discovery }
  | { readonly kind: 'discovery'; readonly discovery: Discovery }
  /** Stop accepting, finish what runs within so many ms, then say `drained`. `handedOver`: another process has all our sockets. */
  | { readonly kind: 'drain'; readonly within: number; readonly handedOver: boolean }
  /** Sockets of another process that are this worker's to listen on. Before the first snapshot. */
  | { readonly kind: 'adopt'; readonly sockets: readonly SharedSocket[] }
  /** Something threw outside of every handler: what is broken by it is cut. */
  | { readonly kind: 'cut-stuck' }
  | { readonly kind: 'sockets'; readonly id: number }
  /** Stop accepting what is meant for the application; its own calls go on. */
  | { readonly kind: 'drain-inbound' }
  | { readonly kind: 'clusters'; readonly id: number }
  | { readonly kind: 'egress'; readonly id: number }
  | { readonly kind: 'edges'; readonly id: number }
  /** All taps there are; none: nobody looks. */
  | { readonly kind: 'taps'; readonly taps: readonly TapOrder[] }
  | { readonly kind: 'reopen-logs' };

export type FromWorker =
  | { readonly kind: 'applied'; readonly version: string }
  | { readonly kind: 'bind-problem'; readonly problem: BindProblem }
  /** The listener of an earlier bind-problem is bound, or not wanted any more. */
  | { readonly kind: 'bind-recovered'; readonly listener: string }
  | { readonly kind: 'announce'; readonly announcement: Announcement }
  | { readonly kind: 'spans'; readonly batch: SpanBatch }
  /** Traffic that left the mesh, or was kept from it, since the last of these. `id` null: not asked for. */
  | { readonly kind: 'egress'; readonly id: number | null; readonly rows: readonly EgressRow[] }
  /** Who called whom since the last of these, likewise. */
  | { readonly kind: 'edges'; readonly id: number | null; readonly rows: readonly EdgeRow[] }
  | { readonly kind: 'tapped'; readonly batches: readonly TapBatch[] }
  | { readonly kind: 'clusters'; readonly id: number; readonly clusters: readonly ClusterState[] }
  /** `taken`: descriptors of the adopted sockets that are in use. */
  | {
      readonly kind: 'sockets';
      readonly id: number;
      readonly sockets: readonly SharedSocket[];
      readonly taken: readonly number[];
    }
  /** An exception reached the top of this thread. It serves on for as long as it takes to replace it. */
  | { readonly kind: 'crashed'; readonly message: string }
  /** For the operational log. */
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'drained' };

/** What the main thread and the data-plane workers tell each other: plain data only. */
import type { ClusterState } from './admin/cluster-state.ts';
import type { Announcement } from './core/registry.ts';
import type { BindProblem } from './listener/listeners.ts';
import type { Discovery } from './snapshot/endpoints.ts';
import type { ProxyNode } from './snapshot/node.ts';
import type { Snapshot } from './snapshot/snapshot.ts';
import type { SpanBatch } from './telemetry/spans.ts';

/** Given to a worker at its start. */
export type WorkerSetup = {
  readonly node: ProxyNode;
  /** File descriptor or path of the access log; null: none. */
  readonly accessLog: number | string | null;
  /** Other threads write to the same descriptor. */
  readonly sharedLog: boolean;
};

export type ToWorker =
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot; readonly discovery: Discovery }
  | { readonly kind: 'discovery'; readonly discovery: Discovery }
  /** Stop accepting, finish what runs within so many ms, then say `drained`. */
  | { readonly kind: 'drain'; readonly within: number }
  /** Stop accepting what is meant for the application; its own calls go on. */
  | { readonly kind: 'drain-inbound' }
  | { readonly kind: 'clusters'; readonly id: number }
  | { readonly kind: 'reopen-logs' };

export type FromWorker =
  | { readonly kind: 'applied'; readonly version: string }
  | { readonly kind: 'bind-problem'; readonly problem: BindProblem }
  /** The listener of an earlier bind-problem is bound, or not wanted any more. */
  | { readonly kind: 'bind-recovered'; readonly listener: string }
  | { readonly kind: 'announce'; readonly announcement: Announcement }
  | { readonly kind: 'spans'; readonly batch: SpanBatch }
  | { readonly kind: 'clusters'; readonly id: number; readonly clusters: readonly ClusterState[] }
  /** For the operational log. */
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'drained' };

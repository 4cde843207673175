/** What the configuration means for one proxy: plain frozen data, JSON and structured-clone able. */
import type { PathNormalization } from '../core/path.ts';
import type { Cluster } from './cluster.ts';
import type { Listener } from './listener.ts';
import type { ProxyNode } from './node.ts';
import type { RouteTable } from './route.ts';
import type { TelemetrySettings } from './telemetry.ts';

export type Snapshot = {
  /** Changes exactly when anything below does: a hash of the content. */
  readonly version: string;
  readonly node: ProxyNode;
  readonly listeners: readonly Listener[];
  /** By table name. */
  readonly tables: Readonly<Record<string, RouteTable>>;
  /** By cluster name. */
  readonly clusters: Readonly<Record<string, Cluster>>;
  readonly telemetry: TelemetrySettings;
  /** The form of a path that is routed by, judged and forwarded. */
  readonly pathNormalization: PathNormalization;
};

/** What a proxy is told at its start. */
import type { MeshSettings } from './compile/defaults.ts';
import type { Server } from './dns/resolv-conf.ts';
import type { ListenerLimits } from './listener/limits.ts';
import type { AppContainer } from './registration.ts';
import type { ProxyNode } from './snapshot/node.ts';
import type { Propagation } from './telemetry/trace-context.ts';

export type ProxyOptions = {
  readonly node: ProxyNode;
  readonly source:
    | { readonly kind: 'files'; readonly dir: string }
    /** `joinTokenFile`: what the control API is shown; absent: it asks for nothing. */
    | { readonly kind: 'control-api'; readonly url: string; readonly joinTokenFile?: string };
  readonly mesh: MeshSettings;
  /** 0 (admin, merged, ready, metrics): not served. */
  readonly ports: {
    readonly outbound: number;
    readonly inbound: number;
    readonly admin: number;
    readonly merged: number;
    readonly ready: number;
    readonly metrics: number;
  };
  /** Worker threads, ≥ 1. */
  readonly concurrency: number;
  /** `stdout`, `off` or a path. */
  readonly accessLog: string;
  /** Base URLs of Zipkin collectors. */
  readonly zipkin: readonly string[];
  /** Base URLs of OpenTelemetry collectors, OTLP over HTTP in JSON; without it, none. */
  readonly otlp?: readonly string[];
  /** Which headers carry traces; without it, B3. */
  readonly propagation?: Propagation;
  /** Where the last good configuration is kept; null: nowhere. */
  readonly stateDir: string | null;
  /** URL of the application's own metrics; null: it has none. */
  readonly appMetrics: string | null;
  /** How long requests in flight may take when the proxy stops, ms. */
  readonly drainMs: number;
  /** Where proxies meet that take over from each other; null: nowhere. */
  readonly handover: { readonly dir: string; readonly takeover: boolean } | null;
  /** DNS capture: where it listens, and whom it asks instead of the name servers of resolv.conf. Absent: off. */
  readonly dns?: { readonly listen: readonly Server[]; readonly upstreams?: readonly Server[] };
  /** Makes itself a Pod of the mesh (a control API as source); `app` null: it stands alone. Absent: somebody else does. */
  readonly register?: { readonly app: AppContainer | null };
  /** Towards clients; without it, those of a sidecar. */
  readonly limits?: ListenerLimits;
};

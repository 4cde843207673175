/** What the admin servers must be given: the proxy as seen from outside. */
import type { Discovery } from '../snapshot/endpoints.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { EgressRow } from '../core/egress.ts';
import type { Exposition } from '../telemetry/prometheus.ts';
import type { ClusterState } from './cluster-state.ts';

/** Envoy's server states. */
export type ServerState = 'LIVE' | 'DRAINING' | 'PRE_INITIALIZING' | 'INITIALIZING';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type AdminContext = {
  /** Of Lateen. */
  readonly version: string;
  /** ms since the epoch. */
  readonly startedAt: number;
  /** In force; null: none yet. */
  snapshot(): Snapshot | null;
  discovery(): Discovery | null;
  /** What is wrong with the configuration that was read last. */
  problems(): readonly unknown[];
  state(): ServerState;
  /** Why the proxy cannot serve yet; empty: it can. */
  notReady(): readonly string[];
  /** Asked of every worker: one list for each. */
  clusters(): Promise<readonly (readonly ClusterState[])[]>;
  /** Traffic of this proxy that left the mesh, or was kept from it, the latest first. */
  egress(): Promise<readonly EgressRow[]>;
  /** Towards clients, as they are in force. */
  readonly limits: Readonly<Record<string, unknown>>;
  /** Pressures and actions of the overload monitor, under Envoy's names. */
  load(): readonly { readonly name: string; readonly value: number }[];
  readonly exposition: Exposition;
  /** Stop accepting; with `inboundOnly`, only on inbound listeners. Returns at once. */
  drain(inboundOnly: boolean): void;
  /** Go on in new files, after a log rotation. Returns at once. */
  reopenLogs(): void;
  /** Fail health checks (true), or stop failing them (false), while going on to serve. */
  failHealth(failing: boolean): void;
  /** End the proxy, in order. Returns at once. */
  quit(): void;
  logLevel(): LogLevel;
  setLogLevel(level: LogLevel): void;
};

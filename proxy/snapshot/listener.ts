/** Compiled listeners: where a proxy accepts connections, and what it does with them. */
import type { ClusterName, TableName } from '../core/brand.ts';
import type { Authz } from './authz.ts';
import type { SourceRef } from './route.ts';

export type Listener = HttpListener | TcpListener;

type Bind = {
  /** `outbound_15001`, `inbound_9080`, `gateway_8080`, `egress_3306`. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** `inbound`: reporter=destination. `outbound`, `gateway`: reporter=source. */
  readonly direction: 'inbound' | 'outbound' | 'gateway';
  /** Null: everything is permitted. */
  readonly authz: Authz | null;
};

export type HttpListener = Bind & {
  readonly kind: 'http';
  /**
   * `authority`: the port in Host (or 80) picks the table out of `tables`, else `fallback` (the outbound proxy port).
   * `fixed`: always `fallback`.
   */
  readonly pick: 'authority' | 'fixed';
  readonly tables: Readonly<Record<string, TableName>>;
  readonly fallback: TableName;
  /** CONNECT and absolute-form are served (outbound proxy port only). */
  readonly forwardProxy: ForwardProxy | null;
  /** What becomes of connections that the kernel has redirected here (15001 and 15006 only). Null: of none. */
  readonly captured: Captured | null;
};

/**
 * Where redirected connections go, by the address and port they were made to. It is what a proxy knows of opaque destinations; CONNECT
 * to an address asks it, too.
 */
export type Captured = {
  /** By port. */
  readonly ports: Readonly<Record<string, CapturedPort>>;
  /** Of every other port, and of what no rule of its port takes. */
  readonly unknown: CapturedPort;
};

export type CapturedPort = {
  /** Narrower ones first. One with neither destinations nor server names waits, where there is a `table`, until the bytes are not HTTP. */
  readonly rules: readonly TcpRule[];
  /** Routes of what speaks HTTP on this port; null: nothing is expected to. */
  readonly table: TableName | null;
  /** Null: everything is permitted. */
  readonly authz: Authz | null;
};

/** A rule for connections: the first that matches decides. */
export type TcpRule = {
  /** Ranges, of which one has the address the connection was made to. Empty: any. */
  readonly destinations: readonly string[];
  /** Of which one is the server name in the TLS hello; lower case, `*.suffix`; `*`: any TLS, with a name or without. Empty: TLS or not. */
  readonly serverNames: readonly string[];
  readonly split: readonly TcpShare[];
  /** Null: made by no resource. */
  readonly source: SourceRef | null;
};

export type TcpShare = { readonly cluster: ClusterName; readonly weight: number };

export type ForwardProxy = {
  /** `host:port` (host in lower case, or `*.suffix:port`) of a TCP or TLS service → where CONNECT to it leads. */
  readonly connect: Readonly<Record<string, readonly TcpShare[]>>;
  /** What CONNECT to anything else gets. */
  readonly unknown: 'ALLOW_ANY' | 'REGISTRY_ONLY';
};

export type TcpListener = Bind & {
  readonly kind: 'tcp';
  /** Tried in order; a connection that none matches is closed. */
  readonly rules: readonly TcpRule[];
};

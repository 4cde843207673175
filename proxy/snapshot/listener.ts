/** Compiled listeners: where a proxy accepts connections, and what it does with them. */
import type { ClusterName, TableName } from '../core/brand.ts';
import type { Authz } from './authz.ts';

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
};

export type ForwardProxy = {
  /** `host:port` (host in lower case, or `*.suffix:port`) → cluster of a TCP or TLS service, for CONNECT. */
  readonly connect: Readonly<Record<string, ClusterName>>;
  /** What CONNECT to anything else gets. */
  readonly unknown: 'ALLOW_ANY' | 'REGISTRY_ONLY';
};

export type TcpListener = Bind & {
  readonly kind: 'tcp';
  readonly split: readonly { readonly cluster: ClusterName; readonly weight: number }[];
};

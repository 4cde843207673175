/** Compiled clusters: one Service port, or one subset of it, with the DestinationRule that applies. */
import type { ClusterName, Ms } from '../core/brand.ts';
import type { SourceRef } from './route.ts';

export type Balancing =
  | { readonly kind: 'ROUND_ROBIN' | 'RANDOM' | 'LEAST_REQUEST' }
  /** The address the client asked for. */
  | { readonly kind: 'PASSTHROUGH' };

export type Cluster = {
  readonly name: ClusterName;
  readonly discovery:
    /** Addresses come in `Discovery.endpoints`. */
    | { readonly kind: 'endpoints' }
    /**
     * Names to resolve, again and again; the last good answer stays. `strict`: every address is an endpoint (resolution DNS).
     * `logical`: new connections go to the first address, those that are open stay (DNS_ROUND_ROBIN).
     */
    | {
        readonly kind: 'dns';
        readonly mode: 'strict' | 'logical';
        readonly hosts: readonly { readonly host: string; readonly port: number; readonly weight: number }[];
      }
    /** The address the client asked for (Host, CONNECT target or original destination). */
    | {
        readonly kind: 'passthrough';
        /** The port behind it, when that is another one than clients ask for. */
        readonly port?: number;
      }
    /** The name the client asked for (Host, CONNECT target or server name), resolved when it is asked for (DYNAMIC_DNS); always this port. */
    | { readonly kind: 'dynamic-dns'; readonly port: number };
  /** Null: no service behind it (passthrough, inbound passthrough). */
  readonly service: { readonly host: string; readonly name: string; readonly namespace: string } | null;
  readonly direction: 'outbound' | 'inbound';
  readonly protocol: 'http' | 'tcp';
  readonly balancing: Balancing;
  readonly connectTimeout: Ms;
  /** Pooled connections close after so long without a request. */
  readonly idleTimeout: Ms;
  /** TCP connections and CONNECT tunnels are cut after so long without a byte either way; 0: never. */
  readonly tcpIdleTimeout: Ms;
  /** TCP connections and CONNECT tunnels are cut when they are so old; 0: never. */
  readonly maxConnectionDuration: Ms;
  /** Probes of idle connections, as the kernel sends them. Null: Lateen's own (CLUSTER.keepAlive). */
  readonly keepAlive: KeepAlive | null;
  /** The address connections are made from; null: the workload's own. */
  readonly sourceAddress: string | null;
  /** A PROXY protocol header goes before everything else; null: none. */
  readonly proxyProtocol: 'V1' | 'V2' | null;
  /** TCP connections go through a tunnel that the endpoint, an HTTP proxy, is asked for; null: they do not. */
  readonly tunnel: Tunnel | null;
  /** Names that are resolved for it may lead to addresses inside the mesh or of this machine. */
  readonly mayPointInside: boolean;
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  /** 0: no limit. 1: no keep-alive. */
  readonly maxRequestsPerConnection: number;
  /** Outgoing TLS; null: plain text. */
  readonly tls: ClientTls | null;
  readonly source: SourceRef | null;
};

/** TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT; null: the kernel's. */
export type KeepAlive = { readonly idle: Ms | null; readonly interval: Ms | null; readonly probes: number | null };

/** DestinationRule's `tunnel`: what the proxy is asked for, and by which method. */
export type Tunnel = { readonly method: 'CONNECT' | 'POST'; readonly host: string; readonly port: number };

export type ClientTls = {
  readonly sni: string | null;
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly subjectAltNames: readonly string[];
  readonly insecureSkipVerify: boolean;
};

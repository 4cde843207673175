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
    /** Names to resolve, again and again; the last good answer stays. */
    | {
        readonly kind: 'dns';
        readonly hosts: readonly { readonly host: string; readonly port: number; readonly weight: number }[];
      }
    /** The address the client asked for (Host, CONNECT target or original destination). */
    | { readonly kind: 'passthrough' };
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
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  /** 0: no limit. 1: no keep-alive. */
  readonly maxRequestsPerConnection: number;
  /** Outgoing TLS; null: plain text. */
  readonly tls: ClientTls | null;
  readonly source: SourceRef | null;
};

export type ClientTls = {
  readonly sni: string | null;
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly subjectAltNames: readonly string[];
  readonly insecureSkipVerify: boolean;
};

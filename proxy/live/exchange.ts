/** One request: what came in, what was decided, what happened. Every stage notes facts here; telemetry reads them once, at the end. */
import type { HeaderList } from '../core/header-list.ts';
import type { Workload } from '../snapshot/node.ts';
import type { Route, SourceRef } from '../snapshot/route.ts';
import type { LiveCluster } from './cluster.ts';
import type { Connection } from './connection.ts';
import type { LiveEndpoint } from './endpoint.ts';

/** Where the request came in, and how it is reported. */
export type Direction = 'inbound' | 'outbound' | 'gateway';

/** B3 context of this hop. */
export type Trace = {
  /** 16 or 32 hex digits. */
  traceId: string;
  /** This proxy's span: 16 hex digits. It is what goes upstream as x-b3-spanid. */
  spanId: string;
  parentId: string | null;
  sampled: boolean;
};

export class Exchange {
  readonly connection: Connection;
  readonly direction: Direction;

  /** A connection whose bytes are not read: it has no method, path and headers. */
  opaque = false;

  // What came in.
  method = '';
  /** The request target as it was written. */
  target = '';
  /** Normalized (Istio BASE), with its query; rewrites change it. What authorization sees is what goes upstream. */
  path = '/';
  /** Host, or the authority of an absolute-form target, as written. Rewrites change it. */
  authority = '';
  scheme = 'http';
  /** Minor version of HTTP/1: 0 or 1. */
  minor = 1;
  /** Request headers as they will go upstream, but for those in `nominated`. */
  headers: HeaderList = [];
  /** Fields that the caller's Connection names: policies judge by them, they do not go upstream. Null: none. */
  nominated: readonly string[] | null = null;
  /** `performance.now()` at the first byte of the head, ms. */
  startMs = 0;
  /** What the other side says of itself (peer metadata), where the mesh does not know it. A name for metrics: no policy may read it. */
  claimed: Workload | null = null;
  /** Peer metadata, as bits: the caller's proxy told its id (1), its metadata (2); we told the endpoint who we are (4). */
  asksPeer = 0;

  // What was decided.
  route: Route | null = null;
  cluster: LiveCluster | null = null;
  endpoint: LiveEndpoint | null = null;
  /** The resource that decided the reply, when the proxy answered by itself. */
  decidedBy: SourceRef | null = null;
  /** The path before a rewrite changed it; null: unchanged. */
  originalPath: string | null = null;
  requestId = '';
  /** Version of the configuration that was in force when it came, and is for it to its end. */
  configVersion = '';
  trace: Trace | null = null;

  // What happened.
  /** Status sent to the client; 0: none was. */
  status = 0;
  /** Response flags in Envoy's short form (`UF`, `FI,DI` …); "" is shown as `-`. */
  flags = '';
  /** Envoy's response code details: `via_upstream`, `route_not_found` … */
  details = '';
  /** A plain sentence saying why, when the proxy itself answered or cut the request. */
  reason = '';
  /** Why the upstream could not be reached (`%UPSTREAM_TRANSPORT_FAILURE_REASON%`). */
  transportFailure = '';
  /** Request body bytes received; response body bytes sent. */
  bytesReceived = 0;
  bytesSent = 0;
  /** Response headers as they went to the client (the very list, not a copy), and trailers; null: none did. */
  responseHeaders: HeaderList | null = null;
  responseTrailers: HeaderList | null = null;
  /** Bytes of the heads, for istio_request_bytes and istio_response_bytes. */
  requestHeadBytes = 0;
  responseHeadBytes = 0;
  /** Tries so far (1 = the first). */
  attempts = 0;
  /** `performance.now()` when the last byte of a request body came; 0: there was none, or it did not come. */
  receivedMs = 0;
  /** `performance.now()` when the request was handed to an upstream connection; 0: never. */
  sentMs = 0;
  /** `performance.now()` when the upstream's response head arrived; 0: never. */
  headMs = 0;
  /** `performance.now()` at the end. */
  endMs = 0;
  /** `127.0.0.1:51234` of the upstream connection; "" when there was none. */
  upstreamLocal = '';
  /** Content-type of a gRPC exchange begins with application/grpc. */
  grpc = false;
  /** grpc-status of the response (trailers or head); -1: none seen. */
  grpcStatus = -1;
  /** Messages of a gRPC exchange, from and to the client. */
  requestMessages = 0;
  responseMessages = 0;

  constructor(connection: Connection, direction: Direction) {
    this.connection = connection;
    this.direction = direction;
  }

  flag(short: string): void {
    this.flags = this.flags === '' ? short : `${this.flags},${short}`;
  }
}

/** What one client may take of the proxy. Safe by default: no client can hold memory or a connection for free. */
import { DEFAULT_LIMITS, type HeadLimits } from '../wire/http1-head.ts';

/** Bytes of an unread request body that are read and thrown away after an early response, so that the client gets to read it. */
export const LINGER_BYTES = 262_144;

export type ListenerLimits = {
  readonly head: HeadLimits;
  /** From the first byte of a head to its last (slowloris), ms. */
  readonly headTimeout: number;
  /** Between two reads of a request body, ms. */
  readonly bodyTimeout: number;
  /** Between two requests, and from accept to the first byte, ms (Envoy's default: 1 h). */
  readonly idleTimeout: number;
  /** A client that does not read its response, ms. */
  readonly writeTimeout: number;
  /** After the last response of a connection is out: how long a client may stay silent before the connection is cut, ms. */
  readonly lingerTimeout: number;
  /** How often these are looked at, ms: how late each of them may be. */
  readonly sweepInterval: number;
  /** Bytes of pipelined requests that wait behind one that is being served. */
  readonly pipelineBytes: number;
  /** Bytes a second that a request body with Content-Length must bring on average of `bodyRateWindow`; 0: as slow as it likes. */
  readonly minBodyRate: number;
  /** Over how long the rate is looked at, and so the time a body is given before it is, ms. */
  readonly bodyRateWindow: number;
  /** Connections of one listener, in each worker. */
  readonly maxConnections: number;
  /** Connections of all listeners and workers of the process; two workers that accept at once may pass it by one. */
  readonly maxConnectionsInTotal: number;
  /** Connections of one client address, in each worker; 0: no limit (a gateway behind a load balancer sees one address). */
  readonly maxConnectionsPerAddress: number;
  /** Requests under way in each worker, upgraded connections and tunnels among them. */
  readonly maxRequests: number;
  readonly overload: OverloadLimits;
  /** Ranges whose connections begin with a PROXY header, which tells the client's address. Nobody else's header is believed. */
  readonly proxyProtocolFrom: readonly string[];
};

/** When a worker helps itself (Envoy's overload manager: configuration/operations/overload_manager). */
export type OverloadLimits = {
  /** Shares of the memory limit from which on each step is taken; above 1: never. */
  readonly disableKeepAlive: number;
  readonly refuseRequests: number;
  readonly refuseConnections: number;
  /** What the process may take, bytes; null: what its cgroup may, and without one there is no limit but that of each heap. */
  readonly memoryBytes: number | null;
  /**
   * By how much the event loop may be late, ms: from the first number on some of the new requests are refused, from the second on all.
   * A request that has just arrived waits about as long. Infinity: no matter what.
   */
  readonly delay: readonly [number, number];
  /** With fewer requests under way nothing is refused for delay: it is not they who cause it, but a busy machine. */
  readonly delayFrom: number;
};

export const SIDECAR_LIMITS: ListenerLimits = {
  head: DEFAULT_LIMITS,
  headTimeout: 10_000,
  bodyTimeout: 60_000,
  idleTimeout: 3_600_000,
  writeTimeout: 60_000,
  lingerTimeout: 1000,
  sweepInterval: 1000,
  pipelineBytes: 65_536,
  // Kestrel asks for 240 bytes/s after 5 s, Apache's mod_reqtimeout for 500 after 20 s, Envoy and nginx for nothing.
  minBodyRate: 100,
  bodyRateWindow: 20_000,
  maxConnections: 20_000,
  maxConnectionsInTotal: 40_000,
  maxConnectionsPerAddress: 0,
  maxRequests: 20_000,
  proxyProtocolFrom: [],
  overload: {
    disableKeepAlive: 0.92,
    refuseRequests: 0.95,
    refuseConnections: 0.98,
    memoryBytes: null,
    // To refuse a request costs a third of serving it: early refusals would cost more answers than they save (docs/operations.md).
    delay: [100, 1000],
    delayFrom: 64,
  },
};

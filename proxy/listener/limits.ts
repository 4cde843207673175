/** What one client may take of the proxy. Safe by default: no client can hold memory or a connection for free. */
import { DEFAULT_LIMITS, type HeadLimits } from '../wire/http1-head.ts';

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
  readonly maxConnections: number;
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
  maxConnections: 20_000,
};

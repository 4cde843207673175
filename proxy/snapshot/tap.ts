/** Looking at single requests as they happen: what the control API asks of proxies, and what they answer. Plain data on the wire. */

export type TapFilter = {
  /** Of the proxy's own workload. Null: any. */
  readonly namespace: string | null;
  readonly workload: string | null;
  /** Short name of the service that is called. */
  readonly service: string | null;
  /** Workload or service (short name or host) that is called. */
  readonly to: string | null;
  readonly method: string | null;
  /** Beginning of the path. */
  readonly path: string | null;
  /** From … to, both included; 0: no answer. */
  readonly status: readonly [number, number] | null;
};

/** Proxies get all of them at once, whenever they change; none: nobody looks. */
export type TapOrder = { readonly id: string; readonly filter: TapFilter };

export type TapParty = {
  readonly namespace: string;
  /** "": nobody the mesh knows; then there may be an address. */
  readonly workload: string;
  readonly version: string;
  readonly pod: string;
  readonly address: string;
};

export type TapEvent = {
  /** Its begin, ms since 1970. */
  readonly time: number;
  readonly direction: 'inbound' | 'outbound' | 'gateway';
  readonly source: TapParty;
  readonly destination: TapParty;
  /** Host of the service; "": none. */
  readonly service: string;
  /** "": a TCP connection. */
  readonly method: string;
  readonly authority: string;
  /** Without the values of query parameters that look like credentials. */
  readonly path: string;
  readonly status: number;
  /** -1: none. */
  readonly grpcStatus: number;
  /** Envoy's short forms; "": none. */
  readonly flags: string;
  /** ms */
  readonly duration: number;
  readonly received: number;
  readonly sent: number;
  /** Why the proxy itself answered or cut it; "": it did not. */
  readonly reason: string;
  readonly requestId: string;
};

/** Of one tap: what was seen, and how much more there was than is told. */
export type TapBatch = { readonly id: string; readonly events: readonly TapEvent[]; readonly skipped: number };

/** Traffic that left the mesh, or was kept from it: the rows that proxies report and the control API adds up. */

export const EGRESS_VERDICTS = ['blocked', 'passed', 'allowed'] as const;
/**
 * `blocked`: REGISTRY_ONLY kept it inside (BlackHoleCluster). `passed`: nobody declared it, and ALLOW_ANY let it go (PassthroughCluster).
 * `allowed`: a ServiceEntry (or an ExternalName Service) declares it.
 */
export type EgressVerdict = (typeof EGRESS_VERDICTS)[number];

export const EGRESS_PROTOCOLS = ['http', 'tls', 'tcp', 'other'] as const;

export type EgressDestination = {
  readonly verdict: EgressVerdict;
  /** `other` only of what several destinations were summed up to. */
  readonly protocol: (typeof EGRESS_PROTOCOLS)[number];
  /** Host header, CONNECT name or server name, in lower case; printable ASCII, at most 253 characters. "": only an address is known. */
  readonly host: string;
  /** IP address, when one is known; else "". */
  readonly address: string;
  /** 0: several destinations, summed up. */
  readonly port: number;
  /** Host of the service that allows it; "" when none does. */
  readonly service: string;
};

export type EgressRow = EgressDestination & {
  /** Requests, tunnels and connections. */
  readonly count: number;
  readonly failures: number;
  /** Of the last one that failed; "": none did. */
  readonly failure: string;
  /** Body bytes to the destination, and from it. */
  readonly sent: number;
  readonly received: number;
  /** ms since the epoch. */
  readonly firstSeen: number;
  readonly lastSeen: number;
};

/** One name is one destination, whatever addresses it has. */
export const egressKey = ({ verdict, protocol, host, address, port, service }: EgressDestination): string =>
  `${verdict} ${protocol} ${port} ${host === '' ? `[${address}]` : host} ${service}`;

/** Both of one destination; `b` came later. */
export const egressSum = <Row extends EgressRow>(a: Row, b: EgressRow): Row => ({
  ...a,
  address: b.address === '' ? a.address : b.address,
  count: a.count + b.count,
  failures: a.failures + b.failures,
  failure: b.failure === '' ? a.failure : b.failure,
  sent: a.sent + b.sent,
  received: a.received + b.received,
  firstSeen: Math.min(a.firstSeen, b.firstSeen),
  lastSeen: Math.max(a.lastSeen, b.lastSeen),
});

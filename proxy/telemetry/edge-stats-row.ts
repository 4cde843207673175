/** What is told of the traffic between two workloads: plain numbers, counted since they were told last. */
import { LATENCY_BUCKETS } from '../core/latency-buckets.ts';
import type { Workload } from '../snapshot/node.ts';

export type EdgeParty = {
  readonly namespace: string;
  /** "": nobody the mesh knows. */
  readonly workload: string;
  readonly version: string;
};

/** Whose traffic it is. All of it comes from configuration and the address book: callers cannot make up new ones. */
export type EdgeName = {
  readonly reporter: 'source' | 'destination';
  /** The reporter is a gateway. */
  readonly gateway: boolean;
  readonly source: EdgeParty;
  readonly destination: EdgeParty;
  /** Pod of the destination; "": nobody was reached, or nobody the mesh knows. */
  readonly pod: string;
  /** Full host of the service, `PassthroughCluster`, `BlackHoleCluster`, or "" when there is none. */
  readonly service: string;
  /** `other`: several that were summed up. */
  readonly protocol: 'http' | 'grpc' | 'tcp' | 'other';
  /** "": no route matched, or it is TCP. */
  readonly route: string;
};

/** Response classes 1xx … 5xx; at 0 what got no answer. */
export const CLASSES = 6;

export type EdgeRow = EdgeName & {
  requests: number;
  /** 5xx, a server's error of gRPC, or no answer though the client waited for it; of TCP: what could not be connected. */
  failed: number;
  /** Refused by an AuthorizationPolicy; kept inside by REGISTRY_ONLY. */
  denied: number;
  blocked: number;
  /** By response class. */
  classes: number[];
  /** By bucket of core/latency-buckets.ts, from the first byte of the request to the last of the response. */
  latency: number[];
  /** Bytes from the caller, and to it. */
  received: number;
  sent: number;
  /** TCP connections and tunnels. `open` is not since the last time, but at this moment. */
  opened: number;
  closed: number;
  open: number;
  /** By response flags, as `UF` or `UF,URX`. */
  flags: Record<string, number>;
};

/** Combinations of flags that one edge tells apart; what comes after them is not told. */
const MAX_FLAGS = 16;

const zeros = (length: number): number[] => Array.from({ length }, () => 0);

export const zeroRow = (name: EdgeName): EdgeRow => ({
  ...name,
  requests: 0,
  failed: 0,
  denied: 0,
  blocked: 0,
  classes: zeros(CLASSES),
  latency: zeros(LATENCY_BUCKETS),
  received: 0,
  sent: 0,
  opened: 0,
  closed: 0,
  open: 0,
  flags: {},
});

export const keyOf = ({ reporter, source, destination, pod, service, protocol, route }: EdgeName): string =>
  `${reporter} ${partyKey(source)} ${partyKey(destination)} ${pod} ${service} ${protocol} ${route}`;

const partyKey = ({ namespace, workload, version }: EdgeParty): string => `${namespace}/${workload}/${version}`;

export const partyOf = (workload: Workload | null): EdgeParty =>
  workload === null
    ? NOBODY
    : { namespace: workload.namespace, workload: workload.workload, version: workload.canonicalRevision };

export const NOBODY: EdgeParty = { namespace: '', workload: '', version: '' };

/** Adds what `more` counted. `open` is left as it is. */
export function addRow(to: EdgeRow, more: EdgeRow): void {
  to.requests += more.requests;
  to.failed += more.failed;
  to.denied += more.denied;
  to.blocked += more.blocked;
  for (const [i, n] of more.classes.entries()) to.classes[i]! += n;
  for (const [i, n] of more.latency.entries()) to.latency[i]! += n;
  to.received += more.received;
  to.sent += more.sent;
  to.opened += more.opened;
  to.closed += more.closed;
  for (const [flags, n] of Object.entries(more.flags)) countFlags(to, flags, n);
}

export function countFlags({ flags: all }: EdgeRow, flags: string, n: number): void {
  const known = all[flags];
  if (known !== undefined) all[flags] = known + n;
  else if (Object.keys(all).length < MAX_FLAGS) all[flags] = n;
}

/** What is known of the caller: of the workload that owns the address the connection came from. */
import type { Connection } from '../live/connection.ts';
import type { Workload } from '../snapshot/node.ts';

/** Undefined: unknown caller, or one that has no such thing. Nothing is ever taken from what the caller says of itself. */
export type PeerFact = (connection: Connection) => string | undefined;

/** `<trust domain>/ns/<namespace>/sa/<service account>`: the SPIFFE ID without its scheme. */
export function principal(trustDomain: string): PeerFact {
  // One caller sends many requests: its name is put together once.
  let last: Workload | null = null;
  let name = '';
  return ({ peer }) => {
    if (peer === null) return undefined;
    if (peer !== last) {
      last = peer;
      name = `${trustDomain}/ns/${peer.namespace}/sa/${peer.serviceAccount}`;
    }
    return name;
  };
}

/** `<namespace>/<service account>`. */
export function serviceAccount(): PeerFact {
  let last: Workload | null = null;
  let name = '';
  return ({ peer }) => {
    if (peer === null) return undefined;
    if (peer !== last) {
      last = peer;
      name = `${peer.namespace}/${peer.serviceAccount}`;
    }
    return name;
  };
}

export const namespace: PeerFact = ({ peer }) => peer?.namespace;

export const label =
  (key: string): PeerFact =>
  ({ peer }) =>
    peer === null ? undefined : ownLabel(peer.labels, key);

/** `__proto__`, `constructor` and their like are labels like any other: present only when somebody put them there. */
export const ownLabel = (labels: Readonly<Record<string, string>>, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;

/** The caller in a sentence: `reviews-v3 of namespace default`, `an unknown caller at 10.0.0.7`. */
export function describePeer({ peer, remoteAddress }: Connection): string {
  return peer === null
    ? `an unknown caller at ${remoteAddress}`
    : `${peer.workload} of namespace ${peer.namespace} at ${remoteAddress}`;
}

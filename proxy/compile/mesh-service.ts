/** A service of the mesh: a host with ports and something behind it, whatever kind of resource told of it. */
import type { Resource } from '../istio/resource.ts';
import type { WorkloadEntrySpec } from '../istio/workload-entry.ts';
import type { Protocol } from './protocol.ts';

export type ServicePort = {
  readonly number: number;
  /** "" when it has none. */
  readonly name: string;
  readonly protocol: Protocol;
  /** Number or name of the port behind it; null: the same number. */
  readonly target: number | string | null;
};

/** Where a service's endpoints come from. */
export type Backing =
  /** EndpointSlices that carry the service's name. */
  | { readonly kind: 'slices' }
  /** Addresses listed in a ServiceEntry, or the workloads its selector means. */
  | { readonly kind: 'listed'; readonly endpoints: readonly WorkloadEntrySpec[] }
  | { readonly kind: 'selected' }
  /** Names to resolve; null: the workloads its selector means. */
  | {
      readonly kind: 'dns';
      readonly mode: 'strict' | 'logical';
      readonly endpoints: readonly WorkloadEntrySpec[] | null;
    }
  /** The name the client asked for. */
  | { readonly kind: 'dynamic-dns' }
  /** The address the client asked for. */
  | { readonly kind: 'passthrough' };

export type MeshService = {
  /** Full name in lower case; a ServiceEntry's may be `*.suffix`. */
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
  readonly ports: readonly ServicePort[];
  /** Virtual addresses (no ranges). */
  readonly addresses: readonly string[];
  /** Ranges of virtual addresses. */
  readonly ranges: readonly string[];
  /** Addresses that were made up for it: only who asks the proxy's own DNS knows them. */
  readonly given: readonly string[];
  readonly exportTo: readonly string[];
  /** Labels of the workloads behind it, in its own namespace. Null: it selects none. */
  readonly selector: Readonly<Record<string, string>> | null;
  readonly backing: Backing;
  /** Not ready endpoints count too. */
  readonly unready: boolean;
  /** Names that are resolved for it may lead inside. */
  readonly mayPointInside: boolean;
  /** Names of which a server's certificate must carry one, where no DestinationRule says so. */
  readonly subjectAltNames: readonly string[];
  /** ServiceEntries of its namespace that add endpoints to it. */
  readonly also: readonly MeshService[];
  readonly resource: Resource;
};

/** It has no address of its own: connections are made to those of its endpoints, and stay with the one that was meant. */
export const isHeadless = (s: MeshService): boolean =>
  s.addresses.length + s.ranges.length === 0 &&
  (s.backing.kind === 'slices' || (s.backing.kind === 'passthrough' && s.selector !== null));

/** Another name for something outside; whoever resolves it connects to that. */
export const isAlias = (s: MeshService): boolean => s.resource.kind === 'Service' && s.backing.kind === 'dns';

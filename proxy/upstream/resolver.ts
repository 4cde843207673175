/** Endpoints of clusters that are made of names (DNS): what all their names resolve to. A failure keeps what was there. */
import { isIP } from 'node:net';
import type { LiveCluster } from '../live/cluster.ts';
import type { Endpoint } from '../snapshot/endpoints.ts';
import { nameOf, type Names, type NameState } from './names.ts';
import { POINTS_INSIDE } from './points-inside.ts';

type DnsHost = { readonly host: string; readonly port: number; readonly weight: number };

export type ResolverSetup = {
  readonly names: Names;
  /** An address that this cluster may not be led to. */
  readonly isForbidden: (cluster: LiveCluster, address: string, port: number) => boolean;
  readonly onResolved: (cluster: LiveCluster, endpoints: readonly Endpoint[]) => void;
  readonly onWarning: (message: string) => void;
};

export class Resolver {
  readonly #setup: ResolverSetup;
  /** Clusters by name of theirs. */
  readonly #users = new Map<string, Set<LiveCluster>>();
  #clusters: ReadonlySet<LiveCluster> = new Set();
  readonly #warned = new Map<string, string>();

  constructor(setup: ResolverSetup) {
    this.#setup = setup;
  }

  /** Exactly these clusters are kept resolved from now on. What is known of their names holds at once. */
  watch(clusters: readonly LiveCluster[]): void {
    this.#clusters = new Set(clusters.filter((cluster) => cluster.settings.discovery.kind === 'dns'));
    this.#users.clear();
    for (const cluster of this.#clusters) {
      for (const { host } of hostsOf(cluster)) {
        const name = isIP(host) === 0 ? nameOf(host) : null;
        if (name === null) continue;
        const users = this.#users.get(name);
        if (users === undefined) this.#users.set(name, new Set([cluster]));
        else users.add(cluster);
      }
    }
    for (const name of this.#warned.keys()) if (!this.#users.has(name)) this.#warned.delete(name);
    this.#setup.names.keep(new Set(this.#users.keys()));
    this.refresh();
  }

  /** The address book has changed: other addresses may be forbidden now. */
  refresh(): void {
    for (const cluster of this.#clusters) this.#tell(cluster);
  }

  /** A name has been answered, or not. */
  onOutcome(state: NameState, changed: boolean): void {
    const users = this.#users.get(state.name);
    if (users === undefined) return;
    if (state.cause !== '') {
      const kept = state.addresses.length > 0 ? '; its last answer holds' : '';
      this.#warn(state.name, 'failing', `${state.name}: ${state.cause}${kept}`);
    }
    // One that has failed for the first time has an endpoint less: the name itself.
    if (changed || state.addresses.length === 0) for (const cluster of users) this.#tell(cluster);
    if (state.cause === '' && !this.#warnOfForbidden(state, users)) this.#warned.delete(state.name);
  }

  /** Why a cluster of names has no endpoint; "": it is none, or there is another reason. */
  reasonOf(cluster: LiveCluster): string {
    let reason = '';
    for (const { host, port } of hostsOf(cluster)) {
      if (isIP(host) !== 0) continue;
      const addresses = this.#addressesOf(host);
      if (addresses.some((address) => this.#setup.isForbidden(cluster, address, port)))
        return `${POINTS_INSIDE}: ${host} resolves to ${addresses.slice(0, 3).join(', ')}`;
      const state = this.#stateOf(host);
      if (addresses.length === 0) reason ||= `${host}: ${whyNone(host, state)}`;
    }
    return reason;
  }

  #tell(cluster: LiveCluster): void {
    const { discovery } = cluster.settings;
    if (discovery.kind !== 'dns') return;
    const endpoints = new Map<string, Endpoint>();
    for (const { host, port, weight } of discovery.hosts) {
      const literal = isIP(host) !== 0;
      const usable = this.#addressesOf(host).filter(
        (address) => literal || !this.#setup.isForbidden(cluster, address, port),
      );
      // Logical: one endpoint that keeps its name; each new connection goes to the first address of the latest answer.
      const logical = discovery.mode === 'logical' && !literal;
      for (const address of logical ? usable.slice(0, 1).map(() => nameOf(host) ?? host) : usable) {
        const key = `${address} ${port}`;
        if (!endpoints.has(key)) endpoints.set(key, { address, port, weight, healthy: true, locality: '' });
      }
      if (discovery.mode === 'logical' && endpoints.size > 0) break;
    }
    // Who comes before the first answer waits for it, in place of a refusal: the name stands for its addresses.
    if (endpoints.size === 0)
      for (const endpoint of this.#pending(discovery.hosts)) endpoints.set(endpoint.address, endpoint);
    this.#setup.onResolved(cluster, [...endpoints.values()]);
  }

  /** Names that DNS has not been heard of yet. */
  #pending(hosts: readonly DnsHost[]): Endpoint[] {
    return hosts.flatMap(({ host, port, weight }) => {
      const state = this.#stateOf(host);
      const waits = state !== null && state.addresses.length === 0 && state.cause === '';
      return waits ? [{ address: state.name, port, weight, healthy: true, locality: '' }] : [];
    });
  }

  #stateOf(host: string): NameState | null {
    const name = nameOf(host);
    return name === null ? null : this.#setup.names.get(name);
  }

  #addressesOf(host: string): readonly string[] {
    return isIP(host) === 0 ? (this.#stateOf(host)?.addresses ?? []) : [host];
  }

  #warnOfForbidden(state: NameState, users: ReadonlySet<LiveCluster>): boolean {
    for (const cluster of users) {
      const ports = hostsOf(cluster).flatMap(({ host, port }) => (nameOf(host) === state.name ? [port] : []));
      const bad = state.addresses
        .filter((address) => ports.some((port) => this.#setup.isForbidden(cluster, address, port)))
        .toSorted();
      if (bad.length === 0) continue;
      const shown = bad.slice(0, 3).join(', ') + (bad.length > 3 ? ` and ${bad.length - 3} more` : '');
      this.#warn(state.name, shown, `${state.name}: ${POINTS_INSIDE} (${shown}); it is not used`);
      return true;
    }
    return false;
  }

  /** Once, until there is something else to say. */
  #warn(name: string, what: string, message: string): void {
    if (this.#warned.get(name) === what) return;
    this.#warned.set(name, what);
    this.#setup.onWarning(message);
  }
}

function hostsOf({ settings }: LiveCluster): readonly DnsHost[] {
  return settings.discovery.kind === 'dns' ? settings.discovery.hosts : [];
}

function whyNone(host: string, state: NameState | null): string {
  if (state === null) return nameOf(host) === null ? 'not a host name' : 'it is not resolved yet';
  return state.cause === '' ? 'DNS has not answered yet' : state.cause;
}

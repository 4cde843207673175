/** Which Service or ServiceEntry stands for a destination, as callers of one namespace see it. */
import { cidrPredicate } from '#proxy/core/cidr.ts';
import { DEFAULT_MESH } from '#proxy/compile/defaults.ts';
import { domainsOf, HostMap, isWildcard, resolveHost } from '#proxy/compile/hosts.ts';
import type { MeshService } from '#proxy/compile/mesh-service.ts';
import { readServices } from '#proxy/compile/services.ts';
import { exportedTo } from '#proxy/compile/visibility.ts';
import { ResourceSet } from '#proxy/istio/resource.ts';
import type { ServiceEntrySpec } from '#proxy/istio/service-entry.ts';
import type { Store } from './store.ts';

export type Cover = {
  /** `ServiceEntry default/mysql` */
  readonly by: string;
  /** It has this port, too. */
  readonly port: boolean;
  /** It is a ServiceEntry of something inside the mesh. */
  readonly internal: boolean;
};

type Asked = {
  readonly namespace: string;
  readonly host: string;
  readonly address: string;
  readonly port: number;
};

export class EgressRegistry {
  readonly #services: readonly MeshService[];
  readonly #seen = new Map<string, Seen>();

  /** Of what is stored at this moment. */
  constructor(store: Pick<Store, 'list'>) {
    const resources = new ResourceSet([...store.list('Service'), ...store.list('ServiceEntry')]);
    this.#services = readServices(resources, DEFAULT_MESH);
  }

  /** Null: nobody stands for it. One that has the port is preferred. */
  find({ namespace, host, address, port }: Asked): Cover | null {
    const seen = this.#seenFrom(namespace);
    const found = host === '' ? seen.byAddress(address) : seen.byName(host);
    const best = found.find((service) => hasPort(service, port)) ?? found[0];
    return best === undefined ? null : coverOf(best, port);
  }

  #seenFrom(namespace: string): Seen {
    let seen = this.#seen.get(namespace);
    if (seen === undefined) {
      const visible = this.#services.filter((s) => exportedTo(s.exportTo, s.namespace, namespace));
      this.#seen.set(namespace, (seen = new Seen(visible, namespace)));
    }
    return seen;
  }
}

class Seen {
  readonly #namespace: string;
  readonly #named = new Map<string, MeshService[]>();
  readonly #wild = new HostMap<MeshService[]>();
  readonly #ranges: { readonly service: MeshService; readonly holds: (address: string) => boolean }[] = [];

  constructor(services: readonly MeshService[], namespace: string) {
    this.#namespace = namespace;
    for (const service of services) {
      for (const domain of domainsOf(service, namespace, DEFAULT_MESH.domainSuffix)) {
        if (isWildcard(domain)) {
          const known = this.#wild.find(domain);
          if (!this.#wild.add(domain, [service])) known?.push(service);
          continue;
        }
        const list = this.#named.get(domain);
        if (list === undefined) this.#named.set(domain, [service]);
        else list.push(service);
      }
      const ranges = rangesOf(service);
      if (ranges.length > 0) this.#ranges.push({ service, holds: cidrPredicate(ranges) });
    }
  }

  byName(host: string): readonly MeshService[] {
    const full = resolveHost(host, this.#namespace, DEFAULT_MESH.domainSuffix);
    return this.#named.get(host) ?? this.#named.get(full) ?? this.#wild.find(host) ?? [];
  }

  byAddress(address: string): readonly MeshService[] {
    return this.#ranges.filter(({ holds }) => holds(address)).map(({ service }) => service);
  }
}

/** A ServiceEntry's may be ranges, which services leave out. */
const rangesOf = ({ resource, addresses }: MeshService): readonly string[] =>
  resource.kind === 'ServiceEntry' ? ((resource.spec as ServiceEntrySpec).addresses ?? []) : addresses;

const hasPort = ({ ports }: MeshService, port: number): boolean => ports.some(({ number }) => number === port);

const coverOf = (service: MeshService, port: number): Cover => {
  const { kind, metadata, spec } = service.resource;
  return {
    by: `${kind} ${metadata.namespace}/${metadata.name}`,
    port: hasPort(service, port),
    internal: kind === 'ServiceEntry' && (spec as ServiceEntrySpec).location === 'MESH_INTERNAL',
  };
};

/** The resources of one kind, and their order, made when it is asked for. */
import type { Resource } from '#proxy/istio/resource.ts';

export class Shelf {
  readonly #byKey = new Map<string, Resource>();
  #sorted: readonly Resource[] | null = null;

  get(namespace: string, name: string): Resource | undefined {
    return this.#byKey.get(`${namespace}/${name}`);
  }

  set(resource: Resource): void {
    this.#byKey.set(`${resource.metadata.namespace}/${resource.metadata.name}`, resource);
    this.#sorted = null;
  }

  delete({ metadata }: Resource): void {
    this.#byKey.delete(`${metadata.namespace}/${metadata.name}`);
    this.#sorted = null;
  }

  /** By namespace and name; of one namespace, when given. */
  list(namespace: string | undefined): readonly Resource[] {
    this.#sorted ??= Object.freeze([...this.#byKey.values()].sort(byNamespaceAndName));
    return namespace === undefined ? this.#sorted : this.#sorted.filter((r) => r.metadata.namespace === namespace);
  }
}

function byNamespaceAndName({ metadata: a }: Resource, { metadata: b }: Resource): number {
  return compare(a.namespace, b.namespace) || compare(a.name, b.name);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Resources as people wrote them, and a set of them. Nothing is interpreted here. */

export type Meta = {
  readonly name: string;
  /** "" for cluster-scoped kinds. */
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** RFC 3339; absent in file mode. */
  readonly creationTimestamp?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly [other: string]: unknown;
};

export type Resource<Spec = unknown> = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Meta;
  readonly spec: Spec;
  readonly status?: unknown;
  /** `data`, `endpoints`, `ports`, `addressType` … of kinds that have no spec. */
  readonly [other: string]: unknown;
};

/** `VirtualService/default/reviews` */
export const keyOf = (r: { kind: string; metadata: { name: string; namespace?: string } }): string =>
  `${r.kind}/${r.metadata.namespace ?? ''}/${r.metadata.name}`;

/** An immutable set of resources, keyed by kind, namespace and name. */
export class ResourceSet {
  readonly #byKind = new Map<string, Resource[]>();
  readonly #byKey = new Map<string, Resource>();

  constructor(resources: Iterable<Resource>) {
    for (const r of resources) this.#byKey.set(keyOf(r), r);
    for (const r of this.#byKey.values()) {
      const list = this.#byKind.get(r.kind);
      if (list === undefined) this.#byKind.set(r.kind, [r]);
      else list.push(r);
    }
    for (const list of this.#byKind.values()) list.sort(byAge);
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Oldest first, then by name, then by namespace: the order in which Istio lets resources win. */
  list<Spec>(kind: string): readonly Resource<Spec>[] {
    return (this.#byKind.get(kind) ?? []) as Resource<Spec>[];
  }

  get<Spec>(kind: string, namespace: string, name: string): Resource<Spec> | undefined {
    return this.#byKey.get(`${kind}/${namespace}/${name}`) as Resource<Spec> | undefined;
  }

  all(): Iterable<Resource> {
    return this.#byKey.values();
  }
}

function byAge(a: Resource, b: Resource): number {
  return (
    compare(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') ||
    compare(a.metadata.name, b.metadata.name) ||
    compare(a.metadata.namespace, b.metadata.namespace)
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

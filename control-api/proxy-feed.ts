/** What proxies are told: which resources, how much of each, in lines of JSON; changes that come together are one line. */
import { DEFAULT_MESH } from '#proxy/compile/defaults.ts';
import { MESH_CONFIG } from '#proxy/compile/mesh-config.ts';
import { KINDS } from '#proxy/istio/kinds.ts';
import { keyOf, type Resource } from '#proxy/istio/resource.ts';
import { whatChanged } from './revise.ts';
import type { Store, StoreEvent } from './store.ts';

/** Changes this close together are one line: an `apply` of many documents compiles once. */
const BATCH_MS = 5;

/** Kubernetes' own kinds that say something to a proxy; of Istio's, all do. */
const NEEDED: ReadonlySet<string> = new Set(['Service', 'Pod', 'EndpointSlice']);
const SENT_KINDS = KINDS.filter(({ group, kind }) => NEEDED.has(kind) || /\.(istio\.io|lateen\.dev)$/.test(group)).map(
  (k) => k.kind,
);
const SENT: ReadonlySet<string> = new Set(SENT_KINDS);
/** Of the ConfigMaps, this one is for proxies. */
const MESH_CONFIG_KEY = `ConfigMap/${DEFAULT_MESH.rootNamespace}/${MESH_CONFIG}`;

export type FeedLine = {
  readonly text: string;
  readonly revision: number;
  /** performance.now() of the first change in it. */
  readonly since: number;
};

export class ProxyFeed {
  readonly #store: Store;
  readonly #send: (line: FeedLine) => void;
  readonly #stop: () => void;
  /** By key; null: deleted. */
  readonly #batch = new Map<string, Resource | null>();
  #since = 0;
  #timer: NodeJS.Timeout | null = null;
  #relevant: number;
  #whole: FeedLine | null = null;

  /** `send` gets a line for all proxies, soon after something changed. */
  constructor(store: Store, send: (line: FeedLine) => void) {
    this.#store = store;
    this.#send = send;
    this.#relevant = store.revision;
    this.#stop = store.subscribe((event) => this.#note(event));
  }

  /** Newest change that proxies were, or are about to be, told of. */
  get relevant(): number {
    return this.#relevant;
  }

  /** Everything, as a proxy is told it first. Proxies often come all at once, so it is made once. */
  whole(): FeedLine {
    const { revision } = this.#store;
    if (this.#whole?.revision !== revision) {
      const meshConfig = this.#store.get('ConfigMap', DEFAULT_MESH.rootNamespace, MESH_CONFIG);
      const sent = SENT_KINDS.flatMap((kind) => this.#store.list(kind));
      const resources = (meshConfig === undefined ? sent : [...sent, meshConfig]).map(forProxies);
      this.#whole = { text: lineOf({ kind: 'set', revision, resources }), revision, since: performance.now() };
    }
    return this.#whole;
  }

  close(): void {
    this.#stop();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #note(event: StoreEvent): void {
    if (!concernsProxies(event)) return;
    if (this.#batch.size === 0) this.#since = performance.now();
    this.#batch.set(keyOf(event.resource), event.type === 'DELETED' ? null : event.resource);
    this.#relevant = event.revision;
    this.#timer ??= setTimeout(() => this.#flush(), BATCH_MS);
  }

  #flush(): void {
    this.#timer = null;
    const revision = this.#relevant;
    const upserts = [...this.#batch.values()].filter((r) => r !== null).map(forProxies);
    const deletes = [...this.#batch].filter(([, resource]) => resource === null).map(([key]) => key);
    this.#batch.clear();
    this.#send({ text: lineOf({ kind: 'change', revision, upserts, deletes }), revision, since: this.#since });
  }
}

const lineOf = (value: object): string => `${JSON.stringify(value)}\n`;

function concernsProxies({ type, resource, before }: StoreEvent): boolean {
  if (!SENT.has(resource.kind) && keyOf(resource) !== MESH_CONFIG_KEY) return false;
  // A pod's address is in its status; any other status is for people.
  if (type !== 'MODIFIED' || before === null || resource.kind === 'Pod') return true;
  return whatChanged(before, resource) !== 'status';
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Without what only clients of the Kubernetes API read: it is often most of a resource. */
function forProxies(resource: Resource): Resource {
  const { managedFields: _, annotations, ...metadata } = resource.metadata;
  const { [LAST_APPLIED]: __, ...rest } = annotations ?? {};
  const kept = Object.keys(rest).length === 0 ? metadata : { ...metadata, annotations: rest };
  return { ...resource, metadata: kept };
}

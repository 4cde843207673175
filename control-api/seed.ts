/** What every cluster has from the start: its namespaces, and an identity for pods in each. */
import type { Resource } from '#proxy/istio/resource.ts';
import type { Author, Store } from './store.ts';

const SYSTEM: Author = { via: 'lateen', user: 'system:lateen' };

const NAMESPACES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Pods in it get a sidecar, as after `kubectl label namespace default istio-injection=enabled`.
  default: { 'istio-injection': 'enabled' },
  'istio-system': {},
  'kube-system': {},
};

/** Adds what is missing, and an account `default` to each namespace made later. Returns the function that ends that. */
export function seed(store: Store): () => void {
  for (const [name, labels] of Object.entries(NAMESPACES)) ensure(store, namespace(name, labels));
  for (const { metadata } of store.list('Namespace')) ensure(store, account(metadata.name));
  return store.subscribe(({ type, resource }) => {
    if (type === 'ADDED' && resource.kind === 'Namespace') ensure(store, account(resource.metadata.name));
  });
}

function ensure(store: Store, resource: Resource): void {
  const { kind, metadata } = resource;
  if (store.get(kind, metadata.namespace, metadata.name) === undefined) store.put(resource, SYSTEM);
}

const namespace = (name: string, labels: Readonly<Record<string, string>>): Resource => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, namespace: '', labels: { 'kubernetes.io/metadata.name': name, ...labels } },
  spec: { finalizers: ['kubernetes'] },
  status: { phase: 'Active' },
});

const account = (of: string): Resource => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'default', namespace: of },
  spec: undefined,
});

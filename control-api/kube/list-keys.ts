/** Which lists of Kubernetes' own kinds are really maps or sets, and by which keys; every other list is one value. */

export type ListType =
  | { readonly kind: 'atomic' }
  | { readonly kind: 'set' }
  /** `keys` tell items apart in server-side apply; the first one alone does in a strategic merge. */
  | { readonly kind: 'map'; readonly keys: readonly string[] };

const ATOMIC: ListType = { kind: 'atomic' };
const by = (...keys: string[]): ListType => ({ kind: 'map', keys });

/** What a key is when the object does not say. */
export const KEY_DEFAULTS: Readonly<Record<string, string>> = { protocol: 'TCP' };

/** In any kind, ours and Istio's. */
const METADATA: Readonly<Record<string, ListType>> = { finalizers: { kind: 'set' }, ownerReferences: by('uid') };

/** patchMergeKey and listMapKey tags of k8s.io/api/core/v1/types.go. */
const POD: Readonly<Record<string, ListType>> = {
  containers: by('name'),
  initContainers: by('name'),
  ephemeralContainers: by('name'),
  env: by('name'),
  ports: by('containerPort', 'protocol'),
  volumeMounts: by('mountPath'),
  volumeDevices: by('devicePath'),
  volumes: by('name'),
  imagePullSecrets: by('name'),
  hostAliases: by('ip'),
  topologySpreadConstraints: by('topologyKey', 'whenUnsatisfiable'),
  conditions: by('type'),
};

const KINDS: Readonly<Record<string, Readonly<Record<string, ListType>>>> = {
  Pod: POD,
  Deployment: POD,
  ReplicaSet: POD,
  Job: POD,
  Service: { ports: by('port', 'protocol'), conditions: by('type') },
  ServiceAccount: { secrets: by('name') },
  Namespace: { conditions: by('type') },
};

/** Kinds that a strategic merge patch is accepted for: those the API server itself knows, not custom resources. */
export const STRATEGIC_GROUPS: ReadonlySet<string> = new Set([
  '',
  'apps',
  'batch',
  'discovery.k8s.io',
  'events.k8s.io',
]);

/** `path`: names of the fields from the top to the list. */
export function listTypeOf(kind: string, path: readonly string[]): ListType {
  const field = path.at(-1) ?? '';
  const table = path[0] === 'metadata' ? METADATA : (KINDS[kind] ?? {});
  return (Object.hasOwn(table, field) ? table[field] : undefined) ?? ATOMIC;
}

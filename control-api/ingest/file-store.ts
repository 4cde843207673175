/** What files own in the store: told by an annotation, so that nothing else is ever removed on their behalf. */
import { createHash } from 'node:crypto';
import { kindFor, KINDS } from '#proxy/istio/kinds.ts';
import { keyOf, type Resource } from '#proxy/istio/resource.ts';
import type { JsonObject } from '../kube/json.ts';
import { storedVersion } from '../kube/catalogue.ts';
import { withDefaults } from '../kube/defaults.ts';
import { afterUpdate } from '../kube/managed-fields.ts';
import type { Author, Store } from '../store.ts';

/** Path of the file a resource came from, and its key: a copy made under another name is not the file's. */
const FILE = 'lateen/file';
/** Of what the file said: while that stays the same, changes made with kubectl are left alone, restarts included. */
const HASH = 'lateen/file-hash';

const FILES: Author = { via: 'files', user: 'local' };

export type FileStore = {
  /** Null: it is as the file says. Otherwise why it is not. */
  put(resource: Resource, path: string): string | null;
  /** Keys of what came from a file, at any time. */
  keysOf(path: string): string[];
  /** Removes what came from files and is not said any more. */
  removeAllBut(said: (path: string, key: string) => boolean): void;
};

export function fileStore(store: Store): FileStore {
  const owned = (): Resource[] => KINDS.flatMap(({ kind }) => store.list(kind)).filter((r) => fileOf(r) !== undefined);
  return {
    put(resource, path) {
      const { kind, metadata } = resource;
      const before = store.get(kind, metadata.namespace, metadata.name) ?? null;
      const hash = createHash('sha256').update(JSON.stringify(resource)).digest('hex').slice(0, 16);
      if (before !== null && fileOf(before) === undefined) {
        return 'it exists already and was not made from a file: left as it is; delete it to let the file decide';
      }
      if (before !== null && fileOf(before) === path && before.metadata.annotations?.[HASH] === hash) return null;
      if (metadata.namespace !== '' && store.get('Namespace', '', metadata.namespace) === undefined) {
        return `namespace ${metadata.namespace} does not exist`;
      }
      store.put(shaped(resource, before, { [FILE]: `${path} ${keyOf(resource)}`, [HASH]: hash }), FILES);
      return null;
    },
    keysOf: (path) =>
      owned()
        .filter((r) => fileOf(r) === path)
        .map(keyOf),
    removeAllBut(said) {
      for (const resource of owned()) {
        if (said(fileOf(resource)!, keyOf(resource))) continue;
        store.remove(resource.kind, resource.metadata.namespace, resource.metadata.name, FILES);
      }
    },
  };
}

function fileOf(resource: Resource): string | undefined {
  const mark = resource.metadata.annotations?.[FILE];
  const key = ` ${keyOf(resource)}`;
  return mark?.endsWith(key) === true ? mark.slice(0, -key.length) : undefined;
}

/** As the API would store it: defaults, the stored version, the status it has. */
function shaped(resource: Resource, before: Resource | null, marks: Readonly<Record<string, string>>): Resource {
  const { status: _, ...written } = withDefaults(resource as unknown as JsonObject) as unknown as Resource;
  const info = kindFor(resource.apiVersion, resource.kind)!;
  const metadata = { ...resource.metadata, annotations: { ...resource.metadata.annotations, ...marks } };
  const status = before?.status === undefined ? {} : { status: before.status };
  const next: Resource = { ...(written as Resource), ...status, apiVersion: storedVersion(info), metadata };
  return afterUpdate(before, next, { manager: FILES.via, apiVersion: resource.apiVersion, subresource: null });
}

/** Who owns which field: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management */
import { isDeepStrictEqual } from 'node:util';
import type { Resource } from '#proxy/istio/resource.ts';
import { whatChanged, kubeTime } from '../revise.ts';
import { isObject, shown, type Json, type JsonObject } from './json.ts';
import { KEY_DEFAULTS, listTypeOf } from './list-keys.ts';

/** Path elements (`f:spec`, `k:{"name":"web"}`, `v:"x"`) joined by NUL: sets of them are plain sets of text. */
export type FieldPath = string;
export const SEPARATOR = '\0';

export type ManagedEntry = {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly time: string;
  readonly fieldsType: 'FieldsV1';
  readonly fieldsV1: JsonObject;
  readonly subresource?: string;
};

export type Writer = { readonly manager: string; readonly apiVersion: string; readonly subresource: string | null };

/** Never owned: what tells objects apart, and what the server fills in. */
const UNOWNED_METADATA: ReadonlySet<string> = new Set([
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'resourceVersion',
  'generation',
  'managedFields',
  'selfLink',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generateName',
]);

/** Every owned place of an object with its value: scalars and atomic lists; items of keyed lists also for themselves. */
export function leavesOf(object: JsonObject): Map<FieldPath, Json> {
  const leaves = new Map<FieldPath, Json>();
  const kind = shown(object['kind']);
  for (const [key, value] of Object.entries(object)) {
    if (key === 'apiVersion' || key === 'kind') continue;
    if (key !== 'metadata') collect(leaves, kind, value, [`f:${key}`], [key]);
    else if (isObject(value)) {
      const owned = Object.entries(value).filter(([field]) => !UNOWNED_METADATA.has(field));
      for (const [field, child] of owned) collect(leaves, kind, child, ['f:metadata', `f:${field}`], [key, field]);
    }
  }
  return leaves;
}

function collect(into: Map<FieldPath, Json>, kind: string, value: Json, path: string[], fields: string[]): void {
  if (isObject(value) && Object.keys(value).length > 0) {
    for (const [key, child] of Object.entries(value)) {
      collect(into, kind, child, [...path, `f:${key}`], [...fields, key]);
    }
    return;
  }
  const list = Array.isArray(value) ? listTypeOf(kind, fields) : null;
  if (list === null || list.kind === 'atomic' || !Array.isArray(value)) {
    into.set(path.join(SEPARATOR), value);
    return;
  }
  for (const item of value as readonly Json[]) {
    const element = list.kind === 'set' ? `v:${JSON.stringify(item)}` : itemKey(item, list.keys);
    into.set([...path, element].join(SEPARATOR), true);
    if (list.kind === 'map') collect(into, kind, item, [...path, element], fields);
  }
}

/** `k:{"containerPort":9080,"protocol":"TCP"}` */
export function itemKey(item: Json, keys: readonly string[]): string {
  const object = isObject(item) ? item : {};
  return `k:${JSON.stringify(Object.fromEntries(keys.map((key) => [key, object[key] ?? KEY_DEFAULTS[key] ?? null])))}`;
}

export const managedOf = (resource: Resource | null): readonly ManagedEntry[] =>
  (resource?.metadata['managedFields'] as readonly ManagedEntry[] | undefined) ?? [];

/** Fields that `next` sets differently than `before`, and fields it no longer has. */
export function differences(before: Resource | null, next: Resource): { set: Set<FieldPath>; removed: Set<FieldPath> } {
  const old = before === null ? new Map<FieldPath, Json>() : leavesOf(before as unknown as JsonObject);
  const now = leavesOf(next as unknown as JsonObject);
  const set = new Set<FieldPath>();
  for (const [path, value] of now) if (!old.has(path) || !isDeepStrictEqual(old.get(path), value)) set.add(path);
  return { set, removed: new Set([...old.keys()].filter((path) => !now.has(path))) };
}

/** `next` with the fields it changes owned by the writer. When it changes nothing, everything stays as it was. */
export function afterUpdate(before: Resource | null, next: Resource, writer: Writer): Resource {
  const entries = managedOf(before);
  const kept = withManaged(next, entries);
  if (before !== null && whatChanged(before, kept) === 'nothing') return kept;
  const { set, removed } = differences(before, next);
  const others = entries.map((entry) => {
    const fields = fieldsOf(entry);
    const left = new Set([...fields].filter((path) => !set.has(path) && !removed.has(path)));
    return left.size === fields.size ? entry : { ...entry, fieldsV1: treeOf(left) };
  });
  const mine = others.find((entry) => isOf(entry, writer, 'Update'));
  const own = new Set([...(mine === undefined ? [] : fieldsOf(mine)), ...set]);
  if (set.size === 0 && removed.size === 0) return kept;
  return withManaged(next, [...others.filter((entry) => entry !== mine), entryOf(writer, 'Update', own)]);
}

export const isOf = (entry: ManagedEntry, writer: Writer, operation: ManagedEntry['operation']): boolean =>
  entry.manager === writer.manager &&
  entry.operation === operation &&
  (entry.subresource ?? null) === writer.subresource;

export const entryOf = (
  writer: Writer,
  operation: ManagedEntry['operation'],
  fields: ReadonlySet<FieldPath>,
): ManagedEntry => ({
  manager: writer.manager,
  operation,
  apiVersion: writer.apiVersion,
  time: kubeTime(),
  fieldsType: 'FieldsV1',
  fieldsV1: treeOf(fields),
  ...(writer.subresource === null ? {} : { subresource: writer.subresource }),
});

/** Entries that own nothing are dropped. */
export function withManaged(resource: Resource, entries: readonly ManagedEntry[]): Resource {
  const { managedFields: _, ...metadata } = resource.metadata;
  const owning = entries.filter((entry) => Object.keys(entry.fieldsV1).length > 0);
  const managed = owning.length === 0 ? metadata : { ...metadata, managedFields: owning };
  return { ...resource, metadata: managed };
}

export function fieldsOf(entry: ManagedEntry): Set<FieldPath> {
  const fields = new Set<FieldPath>();
  const visit = (tree: JsonObject, path: readonly string[]): void => {
    const children = Object.entries(tree);
    if (children.length === 0) fields.add(path.join(SEPARATOR));
    for (const [element, child] of children) {
      if (element === '.') fields.add(path.join(SEPARATOR));
      else visit(isObject(child) ? child : {}, [...path, element]);
    }
  };
  if (Object.keys(entry.fieldsV1).length > 0) visit(entry.fieldsV1, []);
  return fields;
}

type Tree = { [element: string]: Tree };

/** FieldsV1: `{"f:spec":{"f:ports":{"k:{…}":{".":{},"f:port":{}}}}}` */
export function treeOf(fields: ReadonlySet<FieldPath>): JsonObject {
  const root: Tree = {};
  for (const path of [...fields].sort()) {
    const elements = path.split(SEPARATOR);
    let tree = root;
    for (const element of elements) tree = tree[element] ??= {};
    // The item itself, not only some of its fields.
    if (elements.at(-1)!.startsWith('k:')) tree['.'] = {};
  }
  return root;
}

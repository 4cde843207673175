/** Server-side apply: the object becomes what was applied, field by field, with conflicts where someone else set a field. */
import { isDeepStrictEqual } from 'node:util';
import type { Resource } from '#proxy/istio/resource.ts';
import { isObject, type Json, type JsonObject } from './json.ts';
import type { Call, KubeContext } from './call.ts';
import { apiVersionOf, storedVersion } from './catalogue.ts';
import { KEY_DEFAULTS, listTypeOf } from './list-keys.ts';
import {
  differences,
  entryOf,
  fieldsOf,
  isOf,
  itemKey,
  leavesOf,
  managedOf,
  SEPARATOR,
  treeOf,
  withManaged,
  type FieldPath,
  type ManagedEntry,
  type Writer,
} from './managed-fields.ts';
import { applyConflict, badRequest, type Cause } from './status-error.ts';
import { checkIdentity, commit, fieldValidationOf, forCreate, forUpdate, type Written } from './write.ts';

/** https://kubernetes.io/docs/reference/using-api/server-side-apply/ . Throws 409 with a cause for each conflict, unless forced. */
export function apply(context: KubeContext, call: Call, config: JsonObject, before: Resource | null): Written {
  const { target, query } = call;
  const manager = query.get('fieldManager') ?? '';
  if (manager === '')
    throw badRequest(
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    );
  if (isObject(config['metadata']) && config['metadata']['managedFields'] !== undefined) {
    throw badRequest('metadata.managedFields must be nil');
  }
  checkIdentity(call, config, before);
  const writer: Writer = { manager, apiVersion: apiVersionOf(target), subresource: target.subresource };
  const applied = new Set(leavesOf(config).keys());
  const entries = managedOf(before);
  const mine = entries.find((entry) => isOf(entry, writer, 'Apply'));
  const others = entries.filter((entry) => entry !== mine);

  const live = before as unknown as JsonObject | null;
  const united = live === null ? config : mergeApplied(live, config, target.info.kind, []);
  const elsewhere = new Set(others.flatMap((entry) => [...fieldsOf(entry)]));
  const released = mine === undefined ? [] : [...fieldsOf(mine)].filter((p) => !applied.has(p) && !elsewhere.has(p));
  const merged = without(united as JsonObject, released, target.info.kind);

  const shaped = before === null ? forCreate(target, merged) : forUpdate(call, merged, before);
  const { resource, warnings } = context.admit(shaped, before, { fieldValidation: fieldValidationOf(query) });
  const next = { ...resource, apiVersion: storedVersion(target.info) };
  const rest = settle(others, before, next, applied, query.get('force') === 'true');
  // Applying what is there already keeps the time it was applied at.
  const same =
    mine !== undefined && isDeepStrictEqual(mine.fieldsV1, treeOf(applied)) && mine.apiVersion === writer.apiVersion;
  const own = same ? mine : entryOf(writer, 'Apply', applied);
  return { resource: commit(context, call, withManaged(next, [...rest, own]), before), warnings };
}

/** The other managers' entries without the fields taken from them. Throws when there are such and force was not asked for. */
function settle(
  others: readonly ManagedEntry[],
  before: Resource | null,
  next: Resource,
  applied: ReadonlySet<FieldPath>,
  force: boolean,
): ManagedEntry[] {
  if (before === null) return [];
  const { set } = differences(before, next);
  const taken = new Set([...set].filter((path) => applied.has(path)));
  const causes: Cause[] = [];
  const left = others.map((entry) => {
    const fields = fieldsOf(entry);
    const lost = [...fields].filter((path) => taken.has(path));
    for (const path of lost) causes.push(causeOf(entry, path));
    if (lost.length === 0) return entry;
    return { ...entry, fieldsV1: treeOf(new Set([...fields].filter((path) => !taken.has(path)))) };
  });
  if (causes.length > 0 && !force) throw applyConflict(causes);
  return left;
}

function causeOf({ manager, subresource, operation, apiVersion }: ManagedEntry, path: FieldPath): Cause {
  const where = subresource === undefined ? '' : ` with subresource "${subresource}"`;
  const how = operation === 'Update' ? ` using ${apiVersion}` : '';
  return { reason: 'FieldManagerConflict', message: `conflict with "${manager}"${where}${how}`, field: readable(path) };
}

/** `.spec.containers[name="web"].image` */
function readable(path: FieldPath): string {
  const text = (element: string): string => {
    if (element.startsWith('f:')) return `.${element.slice(2)}`;
    if (element.startsWith('v:')) return `[=${element.slice(2)}]`;
    const keys = Object.entries(JSON.parse(element.slice(2)) as JsonObject);
    return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
  };
  return path.split(SEPARATOR).map(text).join('');
}

function mergeApplied(live: Json | undefined, config: Json, kind: string, path: readonly string[]): Json {
  if (isObject(config)) {
    const result: Record<string, Json> = isObject(live) ? { ...live } : {};
    for (const [key, value] of Object.entries(config)) {
      result[key] = mergeApplied(result[key], value, kind, [...path, key]);
    }
    return result;
  }
  if (!Array.isArray(config) || !Array.isArray(live)) return config;
  const type = listTypeOf(kind, path);
  if (type.kind === 'atomic') return config;
  const items = config as readonly Json[];
  if (type.kind === 'set') return [...live, ...items.filter((item) => !live.some((l) => isDeepStrictEqual(l, item)))];
  const keyOf = (item: Json): string => itemKey(item, type.keys);
  const result = [...(live as readonly Json[])];
  for (const item of items) {
    const index = result.findIndex((old) => keyOf(old) === keyOf(item));
    if (index < 0) result.push(withKeyDefaults(item, type.keys));
    else result[index] = mergeApplied(result[index], item, kind, path);
  }
  return result;
}

function withKeyDefaults(item: Json, keys: readonly string[]): Json {
  if (!isObject(item)) return item;
  const missing = keys.filter((key) => item[key] === undefined && KEY_DEFAULTS[key] !== undefined);
  return { ...item, ...Object.fromEntries(missing.map((key) => [key, KEY_DEFAULTS[key]!])) };
}

/** Takes fields out that their manager applied before and does not apply any more; deepest first. */
function without(object: JsonObject, paths: readonly FieldPath[], kind: string): JsonObject {
  let result: Json = object;
  for (const path of paths.toSorted((a, b) => b.length - a.length))
    result = removeAt(result, path.split(SEPARATOR), kind, []) ?? {};
  return result as JsonObject;
}

/** Undefined: nothing is left of it. */
function removeAt(
  value: Json,
  [element, ...rest]: readonly string[],
  kind: string,
  path: readonly string[],
): Json | undefined {
  if (element === undefined) return undefined;
  if (element.startsWith('f:')) {
    const field = element.slice(2);
    if (!isObject(value) || value[field] === undefined) return value;
    const { [field]: old, ...others } = value;
    const left = removeAt(old!, rest, kind, [...path, field]);
    if (left !== undefined) return { ...value, [field]: left };
    return Object.keys(others).length === 0 && path.length > 0 ? undefined : others;
  }
  if (!Array.isArray(value)) return value;
  const type = listTypeOf(kind, path);
  const keys = type.kind === 'map' ? type.keys : null;
  const matches = (item: Json): boolean =>
    (keys === null ? `v:${JSON.stringify(item)}` : itemKey(item, keys)) === element;
  const left = (value as readonly Json[]).flatMap((item) => {
    if (!matches(item)) return [item];
    const rested = rest.length === 0 ? undefined : removeAt(item, rest, kind, path);
    return rested === undefined ? [] : [rested];
  });
  return left.length === 0 ? undefined : left;
}

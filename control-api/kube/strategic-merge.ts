/** Strategic merge patch: a merge patch that knows keyed lists, with directives such as `$patch: delete`. */
import { isDeepStrictEqual } from 'node:util';
import { isObject, shown, type Json, type JsonObject } from './json.ts';
import { listTypeOf } from './list-keys.ts';
import { badRequest } from './status-error.ts';

const ORDER = '$setElementOrder/';
const DELETE_FROM = '$deleteFromPrimitiveList/';

/**
 * `target` with `patch` merged in; neither is changed
 * (https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md).
 * Throws BadRequest at a directive it does not know.
 */
export function strategicMerge(target: JsonObject, patch: JsonObject, kind: string): JsonObject {
  return mergeObject(target, patch, { kind, path: [] });
}

type At = { readonly kind: string; readonly path: readonly string[] };

const below = ({ kind, path }: At, field: string): At => ({ kind, path: [...path, field] });

function mergeObject(target: JsonObject, patch: JsonObject, at: At): JsonObject {
  const { $patch: directive, $retainKeys: retain, ...fields } = patch;
  if (directive === 'replace') return plain(fields) as JsonObject;
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge')
    throw badRequest(`unknown directive $patch: ${shown(directive)}`);
  const result: Record<string, Json> = { ...target };
  if (Array.isArray(retain)) {
    for (const key of Object.keys(result)) if (!retain.includes(key)) delete result[key];
  }
  for (const [key, value] of Object.entries(fields)) {
    if (key.startsWith(ORDER)) continue;
    if (key.startsWith(DELETE_FROM)) deleteFrom(result, key.slice(DELETE_FROM.length), value);
    else if (key.startsWith('$')) throw badRequest(`unknown directive ${key}`);
    else mergeField(result, key, value, below(at, key));
  }
  for (const [key, order] of Object.entries(fields)) {
    const field = key.slice(ORDER.length);
    if (key.startsWith(ORDER) && Array.isArray(order) && Array.isArray(result[field])) {
      result[field] = reorder(result[field], order, mergeKeyOf(below(at, field)));
    }
  }
  return result;
}

function mergeField(result: Record<string, Json>, key: string, value: Json, at: At): void {
  const old = result[key];
  if (value === null || (isObject(value) && value['$patch'] === 'delete')) delete result[key];
  else if (isObject(value)) result[key] = mergeObject(isObject(old) ? old : {}, value, at);
  else if (Array.isArray(value)) result[key] = mergeList(Array.isArray(old) ? old : [], value, at);
  else result[key] = value;
}

function mergeList(target: readonly Json[], patch: readonly Json[], at: At): Json {
  const type = listTypeOf(at.kind, at.path);
  if (type.kind === 'atomic') return plain(patch);
  if (type.kind === 'set')
    return [...target, ...patch.filter((item) => !target.some((t) => isDeepStrictEqual(t, item)))];
  const key = mergeKeyOf(at)!;
  const isReplace = (item: Json): boolean => isObject(item) && item['$patch'] === 'replace';
  if (patch.some(isReplace)) return patch.filter((item) => !isReplace(item)).map(plain);
  const result = [...target];
  for (const item of patch) {
    if (!isObject(item) || item[key] === undefined) {
      throw badRequest(`${at.path.join('.')}: expected every item to have the merge key "${key}"`);
    }
    const index = result.findIndex((old) => isObject(old) && isDeepStrictEqual(old[key], item[key]));
    if (item['$patch'] === 'delete') {
      if (index >= 0) result.splice(index, 1);
    } else if (index >= 0) result[index] = mergeObject(result[index] as JsonObject, item, at);
    else result.push(mergeObject({}, item, at));
  }
  return result;
}

function deleteFrom(result: Record<string, Json>, field: string, values: Json): void {
  const old = result[field];
  if (!Array.isArray(old) || !Array.isArray(values)) return;
  const left = (old as readonly Json[]).filter((item) => !values.some((v) => isDeepStrictEqual(v, item)));
  if (left.length > 0) result[field] = left;
  else delete result[field];
}

function mergeKeyOf(at: At): string | null {
  const type = listTypeOf(at.kind, at.path);
  return type.kind === 'map' ? type.keys[0]! : null;
}

/** Items that `order` names come in its order; the others keep the places they had. */
function reorder(list: readonly Json[], order: readonly Json[], key: string | null): Json {
  const rankOf = (item: Json): number =>
    order.findIndex((wanted) =>
      key === null || !isObject(wanted) || !isObject(item)
        ? isDeepStrictEqual(wanted, item)
        : isDeepStrictEqual(wanted[key], item[key]),
    );
  const named = list.filter((item) => rankOf(item) >= 0).sort((a, b) => rankOf(a) - rankOf(b));
  return list.map((item) => (rankOf(item) >= 0 ? named.shift()! : item));
}

/** What goes in where nothing was: nulls and directives have no meaning there. */
function plain(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(plain);
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([key, child]) => child !== null && !key.startsWith('$'));
  return Object.fromEntries(kept.map(([key, child]) => [key, plain(child)]));
}

/** The kinds of patch: JSON merge (RFC 7396), JSON (RFC 6902) and Kubernetes' strategic merge. */
import jsonPatch, { type Operation } from 'fast-json-patch';
import type { KindInfo } from '#proxy/istio/kinds.ts';
import { isObject, shown, type Json, type JsonObject } from './json.ts';
import { STRATEGIC_GROUPS } from './list-keys.ts';
import { badRequest, invalid, unsupportedMediaType } from './status-error.ts';
import { strategicMerge } from './strategic-merge.ts';

export const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

/** More operations than any client sends; each may copy the whole document (CVE-2019-11253 and its kin). */
const MAX_OPERATIONS = 10_000;
/** Copies of copies double each time; the API server's limit is 3 MB, too. */
const MAX_COPIED = 3 * 1024 * 1024;

/** `before` with `patch` applied; `before` is left as it is. Throws BadRequest, Invalid or UnsupportedMediaType. */
export function patched(
  before: JsonObject,
  patch: Json,
  { type, info }: { readonly type: string; readonly info: KindInfo },
): JsonObject {
  if (type === PATCH_TYPES.json) return applyJsonPatch(before, patch, info);
  if (!isObject(patch)) throw badRequest('expected an object as the patch');
  if (type === PATCH_TYPES.merge) return mergePatch(before, patch) as JsonObject;
  if (type === PATCH_TYPES.strategic && STRATEGIC_GROUPS.has(info.group))
    return strategicMerge(before, patch, info.kind);
  const known = Object.values(PATCH_TYPES).filter(
    (t) => t !== PATCH_TYPES.strategic || STRATEGIC_GROUPS.has(info.group),
  );
  throw unsupportedMediaType(
    `the body of the request was in an unsupported format (${type}) - accepted media types include: ${known.join(', ')}`,
  );
}

/** RFC 7396, section 2. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: Record<string, Json> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

function applyJsonPatch(before: JsonObject, patch: Json, info: KindInfo): JsonObject {
  if (!Array.isArray(patch)) throw badRequest('expected a list of operations as the JSON patch');
  if (patch.length > MAX_OPERATIONS) throw badRequest(`the patch has more than ${MAX_OPERATIONS} operations`);
  try {
    const result = patchedStepwise(structuredClone(before), patch as unknown[] as Operation[]);
    if (isObject(result)) return result;
  } catch (error) {
    const message = error instanceof Error ? error.message.split('\n')[0]! : String(error);
    const name = isObject(before['metadata']) ? shown(before['metadata']['name']) : '';
    throw invalid(info, name, [
      { reason: 'FieldValueInvalid', message: `the JSON patch does not apply: ${message}`, field: 'patch' },
    ]);
  }
  throw badRequest('the JSON patch leaves no object');
}

/** Changes `document`. Throws an Error that says why an operation cannot be done. */
function patchedStepwise(document: Json, patch: readonly Operation[]): Json {
  let copied = 0;
  for (const [i, operation] of patch.entries()) {
    if (operation?.op === 'copy' && typeof operation.from === 'string') {
      copied += JSON.stringify(jsonPatch.getValueByPointer(document, operation.from) ?? null).length;
      if (copied > MAX_COPIED) throw new Error(`its copy operations copy more than ${MAX_COPIED} characters`);
    }
    if (operation?.op === 'move' && `${operation.path}/`.startsWith(`${operation.from}/`)) {
      throw new Error(`operation ${i} moves a value into itself`);
    }
    document = jsonPatch.applyOperation(document, operation, true, true, true, i).newDocument;
  }
  return document;
}

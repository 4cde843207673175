/** What `apply` changes: the three-way merge of kubectl (what was applied last, what is written now, what is there). */

type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * A JSON merge patch (RFC 7386) that makes `live` what is written: fields that differ are set, fields that were applied before
 * and are written no more are removed, fields that nobody wrote (defaults, what controllers add) stay. Null: nothing to change.
 */
export function mergePatch(last: JsonObject | null, written: JsonObject, live: JsonObject): JsonObject | null {
  const patch: Record<string, Json> = {};
  for (const [key, value] of Object.entries(written)) {
    const there = live[key];
    if (isObject(value) && isObject(there)) {
      const before = last?.[key];
      const inner = mergePatch(isObject(before) ? before : null, value, there);
      if (inner !== null) patch[key] = inner;
    } else if (!covers(there, value)) patch[key] = value;
  }
  for (const key of Object.keys(last ?? {})) if (!(key in written) && key in live) patch[key] = null;
  return Object.keys(patch).length === 0 ? null : patch;
}

/** Does `live` say everything that is written? It may say more: the server fills in defaults, also inside of lists. */
function covers(live: Json | undefined, written: Json): boolean {
  if (Array.isArray(written))
    return (
      Array.isArray(live) &&
      live.length === written.length &&
      written.every((item, i) => covers(live[i] as Json, item as Json))
    );
  if (isObject(written))
    return isObject(live) && Object.entries(written).every(([key, value]) => covers(live[key], value));
  return live === written;
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

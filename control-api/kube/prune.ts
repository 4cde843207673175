/** Takes fields out of an object by the paths that problems name: what `--validate=false` does with fields nobody knows. */
import { isObject, type Json, type JsonObject } from './json.ts';

/** A copy of `object` without what stands at `paths` (`spec.http[0].foo`, `metadata.labels[a.b/c]`). */
export function pruned(object: JsonObject, paths: readonly string[]): JsonObject {
  const copy = structuredClone(object) as Json;
  for (const path of paths) removeAt(copy, segmentsOf(path));
  return copy as JsonObject;
}

/** Names and what stands in brackets, which is an index in lists and a key in maps. */
const segmentsOf = (path: string): string[] =>
  Array.from(path.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g), ([, bracketed, name]) => bracketed ?? name!);

function removeAt(value: Json | undefined, [segment = '', ...rest]: readonly string[]): void {
  if (Array.isArray(value)) {
    if (rest.length > 0) removeAt((value as readonly Json[])[Number(segment)], rest);
  } else if (isObject(value) && Object.hasOwn(value, segment)) {
    if (rest.length > 0) removeAt(value[segment], rest);
    else delete (value as Record<string, Json>)[segment];
  }
}

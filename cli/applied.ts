/** One resource, brought to what is written: created, configured, or left as it is. As kubectl apply does it on the client's side. */
import { kindFor, type KindInfo } from '#proxy/istio/kinds.ts';
import type { Resource } from '#proxy/istio/resource.ts';
import { pathOf, type Api } from './api.ts';
import { CliError } from './cli-error.ts';
import { LAST_APPLIED, mergePatch, type JsonObject } from './merge-patch.ts';
import { readResources, refuseErrors } from './source-file.ts';

export type Applied = {
  readonly info: KindInfo;
  readonly outcome: 'created' | 'configured' | 'unchanged';
  readonly before: Resource | null;
  readonly after: Resource;
};

/** `dryRun`: the server says what would be, and stores nothing. Throws CliError. */
export async function applyOne(api: Api, resource: Resource, dryRun: boolean): Promise<Applied> {
  const info = kindFor(resource.apiVersion, resource.kind);
  if (info === undefined) throw new CliError(`the mesh has no kind ${resource.kind} of ${resource.apiVersion}.`);
  const { name, namespace } = resource.metadata;
  const query = `?fieldManager=lateen${dryRun ? '&dryRun=All' : ''}`;
  const written = withLastApplied(resource, info);
  const path = pathOf(info, namespace, name);
  const before = await api.find<Resource>(path);
  if (before === null) {
    const after = await api.send<Resource>('POST', pathOf(info, namespace) + query, written);
    return { info, outcome: 'created', before, after };
  }
  const last = lastApplied(before);
  const { apiVersion: _, ...rest } = written as unknown as JsonObject;
  const patch = mergePatch(last === null ? null : withoutVersion(last), rest, before as unknown as JsonObject);
  // A note of what was applied is no change by itself, unless there was none.
  if (patch === null || (last !== null && onlyNote(patch)))
    return { info, outcome: 'unchanged', before, after: before };
  const after = await api.send<Resource>('PATCH', path + query, patch, 'application/merge-patch+json');
  const same = after.metadata.resourceVersion === before.metadata.resourceVersion;
  return { info, outcome: same ? 'unchanged' : 'configured', before, after };
}

/** All of these files, in the order they are written. Throws CliError, before anything is applied when what is written is wrong. */
export async function applyFiles(api: Api, filename: readonly string[]): Promise<void> {
  const { resources, problems } = await readResources({ filename }, [], 'default');
  refuseErrors(problems);
  for (const resource of resources) await applyOne(api, resource, false);
}

/** Versions of a kind are one schema, so another version is no change. */
function withoutVersion(object: JsonObject): JsonObject {
  const { apiVersion: _, ...rest } = object;
  return rest;
}

function withLastApplied(resource: Resource, info: KindInfo): Resource {
  const { annotations, ...metadata } = resource.metadata;
  const { [LAST_APPLIED]: _, ...own } = annotations ?? {};
  const named = info.namespaced ? metadata : { ...metadata, namespace: undefined };
  const plain = { ...resource, metadata: { annotations: own, ...named } };
  return {
    ...plain,
    metadata: { ...plain.metadata, annotations: { ...own, [LAST_APPLIED]: goJson(plain) } },
  } as Resource;
}

function lastApplied(live: Resource): JsonObject | null {
  const text = live.metadata.annotations?.[LAST_APPLIED];
  try {
    return text === undefined ? null : (JSON.parse(text) as JsonObject);
  } catch {
    return null;
  }
}

function onlyNote(patch: JsonObject): boolean {
  const { metadata, ...rest } = patch as { metadata?: { annotations?: JsonObject } };
  const { annotations, ...meta } = metadata ?? {};
  return (
    Object.keys(rest).length === 0 &&
    Object.keys(meta).length === 0 &&
    Object.keys(annotations ?? {}).every((key) => key === LAST_APPLIED)
  );
}

/** Byte for byte what kubectl writes (Go's encoding/json: sorted keys, `<>&` escaped, a newline), so that its next apply finds no difference. */
export function goJson(value: unknown): string {
  const escapes: Readonly<Record<string, string>> = {
    '<': '\\u003c',
    '>': '\\u003e',
    '&': '\\u0026',
    '\u2028': '\\u2028',
    '\u2029': '\\u2029',
  };
  return `${JSON.stringify(sorted(value)).replace(/[<>&\u2028\u2029]/g, (c) => escapes[c]!)}\n`;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, sorted(v)]));
}

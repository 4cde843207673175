/** Bytes of a request → a plain value, as its media type says; whatever could hurt later is refused here. */
import { parse } from 'yaml';
import type { Json } from './json.ts';
import { KUBE_PROTOBUF, readKubeProtobuf } from './protobuf-read.ts';
import { badRequest, unsupportedMediaType } from './status-error.ts';

/** Deeper than any resource; a stack is not. */
const MAX_DEPTH = 100;

/** Media type without its parameters, in lower case; "" when there is none. */
export const mediaType = (contentType: string | undefined): string =>
  (contentType ?? '').split(';')[0]!.trim().toLowerCase();

/** Throws BadRequest when it cannot be read, UnsupportedMediaType when it is neither JSON nor YAML. */
export function decodeBody(bytes: Buffer, contentType: string | undefined): Json {
  const type = mediaType(contentType);
  if (bytes.length === 0) return null;
  if (type.endsWith('/json') || type.endsWith('+json') || type === '') return safe(readJson(bytes));
  if (type.endsWith('/yaml') || type.endsWith('+yaml')) return safe(readYaml(bytes));
  if (type === KUBE_PROTOBUF) return readKubeProtobuf(bytes);
  throw unsupportedMediaType(`the body of the request was in an unsupported format (${type}): expected JSON or YAML`);
}

function readJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw badRequest(`the body is not valid JSON: ${messageOf(error)}`);
  }
}

function readYaml(bytes: Buffer): unknown {
  try {
    // Few aliases: nothing honest has more, and each can double the size (the "billion laughs").
    return parse(bytes.toString('utf8'), { maxAliasCount: 20, uniqueKeys: true });
  } catch (error) {
    throw badRequest(`the body is not valid YAML: ${messageOf(error)}`);
  }
}

/** Refuses what JavaScript would take for more than data, and nesting that would exhaust the stack. */
function safe(value: unknown, depth = 0): Json {
  if (depth > MAX_DEPTH) throw badRequest(`the body is nested more than ${MAX_DEPTH} levels deep`);
  if (typeof value !== 'object' || value === null) return (value ?? null) as Json;
  if (Object.hasOwn(value, '__proto__')) throw badRequest('the body has a field named __proto__');
  for (const child of Object.values(value)) safe(child, depth + 1);
  return value as Json;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message.split('\n')[0]! : String(error));

/** Bytes of a request → a plain value, as its media type says; whatever could hurt later is refused here. */
import { readYaml } from '#proxy/istio/yaml-document.ts';
import type { Json } from './json.ts';
import { KUBE_PROTOBUF, readKubeProtobuf } from './protobuf-read.ts';
import { badRequest, tooLarge, unsupportedMediaType } from './status-error.ts';

/** Deeper than any resource; a stack is not. */
const MAX_DEPTH = 100;

/** Bytes of YAML that is not JSON: a second's parsing, and as much as etcd takes of one object. */
const MAX_YAML = 1.5 * 1024 * 1024;

/** Media type without its parameters, in lower case; "" when there is none. */
export const mediaType = (contentType: string | undefined): string =>
  (contentType ?? '').split(';')[0]!.trim().toLowerCase();

/** Throws BadRequest when it cannot be read, UnsupportedMediaType when it is neither JSON nor YAML. */
export function decodeBody(bytes: Buffer, contentType: string | undefined): Json {
  const type = mediaType(contentType);
  if (bytes.length === 0) return null;
  if (type.endsWith('/json') || type.endsWith('+json') || type === '') return safe(readJson(bytes));
  if (type.endsWith('/yaml') || type.endsWith('+yaml')) return safe(yamlValue(bytes));
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

function yamlValue(bytes: Buffer): unknown {
  // Clients send JSON as YAML more often than not, and JSON is read a hundred times as fast.
  const json = bytes[0] === OPENING_BRACE ? jsonIfIt(bytes) : undefined;
  if (json !== undefined) return json;
  if (bytes.length > MAX_YAML) {
    throw tooLarge(`the body is larger than the at most ${MAX_YAML} bytes of YAML; as JSON it may be larger`);
  }
  const { documents, faults } = readYaml(bytes.toString('utf8'));
  const fault = faults.find(({ severity }) => severity === 'error');
  if (fault !== undefined) {
    throw badRequest(
      `the body is not valid YAML: ${firstLine(fault.message)} at line ${fault.line}, column ${fault.column}`,
    );
  }
  if (documents.length > 1) {
    throw badRequest(`the body is not valid YAML for one object: expected one document, got ${documents.length}`);
  }
  return documents[0]?.value ?? null;
}

const OPENING_BRACE = 0x7b;

function jsonIfIt(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
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

const messageOf = (error: unknown): string => firstLine(error instanceof Error ? error.message : String(error));
const firstLine = (text: string): string => text.split('\n', 1)[0]!;

/** Reads the protobuf that `kubectl create` sends for Kubernetes' own kinds into the JSON it stands for. */
import { shown, type Json, type JsonObject } from './json.ts';
import { ENVELOPE, KIND_MESSAGES, type Field, type Fields } from './protobuf-kinds.ts';
import { badRequest, unsupportedMediaType } from './status-error.ts';

export const KUBE_PROTOBUF = 'application/vnd.kubernetes.protobuf';

/** First bytes of every such body; a runtime.Unknown follows (k8s.io/apimachinery, runtime/serializer/protobuf). */
const MAGIC = Buffer.from('k8s\0', 'latin1');
const MAX_DEPTH = 50;

/**
 * Throws BadRequest for bytes that make no message, UnsupportedMediaType for kinds and fields that are not in our tables:
 * dropping a field silently would store something else than what was asked for.
 */
export function readKubeProtobuf(bytes: Buffer): JsonObject {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw malformed('it does not begin with "k8s"');
  const envelope = read(bytes.subarray(MAGIC.length), ENVELOPE, 'Unknown', 0);
  const { apiVersion, kind } = (envelope['typeMeta'] ?? {}) as JsonObject;
  const raw = envelope['raw'];
  const fields = KIND_MESSAGES[shown(kind)];
  if (fields === undefined) throw unsupported(`kind ${shown(kind)}`);
  const body = typeof raw === 'string' ? Buffer.from(raw, 'base64') : Buffer.alloc(0);
  return { apiVersion: apiVersion ?? '', kind: kind ?? '', ...read(body, fields, shown(kind), 0) };
}

const malformed = (why: string): Error => badRequest(`the body is not valid protobuf: ${why}`);

const unsupported = (what: string): Error =>
  unsupportedMediaType(
    `${what} cannot be read from ${KUBE_PROTOBUF}; send YAML or JSON instead: ` +
      'add "--dry-run=client -o yaml | kubectl apply -f -" to the command',
  );

function read(bytes: Buffer, fields: Fields, name: string, depth: number): JsonObject {
  if (depth > MAX_DEPTH) throw malformed(`it is nested more than ${MAX_DEPTH} levels deep`);
  const result: Record<string, Json> = {};
  const cursor = { bytes, at: 0 };
  while (cursor.at < bytes.length) {
    const tag = varint(cursor);
    const number = Math.floor(tag / 8);
    const content = contentOf(cursor, tag % 8);
    const field = fields[number];
    if (field === undefined) {
      // Zero and empty: Go writes what was not set as well.
      if (content === 0 || (typeof content !== 'number' && content.length === 0)) continue;
      throw unsupported(`field ${number} of ${name}`);
    }
    const value = valueOf(field, content, `${name}.${field.name}`, depth);
    if (value === null) continue;
    if (field.type === 'map')
      result[field.name] = { ...(result[field.name] as JsonObject | undefined), ...(value as JsonObject) };
    else if (field.repeated) result[field.name] = [...((result[field.name] as Json[] | undefined) ?? []), value];
    else result[field.name] = value;
  }
  return result;
}

/** Null: it is as if it were not there (Go writes zero values of everything that is no pointer). */
function valueOf(field: Field, content: number | Buffer, name: string, depth: number): Json {
  if (typeof content === 'number') {
    if (content === 0 && field.keepEmpty !== true && (field.type === 'bool' || field.type === 'int')) return null;
    if (field.type === 'bool') return content !== 0;
    if (field.type === 'int') return content;
    throw malformed(`${name} is a number`);
  }
  switch (field.type) {
    case 'string':
      return content.length === 0 && !field.repeated && !field.keepEmpty ? null : content.toString('utf8');
    case 'bytes':
      return content.toString('base64');
    case 'map':
      return entryOf(content, field.value ?? 'string', name);
    case 'int-or-string':
      return intOrString(read(content, INT_OR_STRING, name, depth + 1));
    case 'time':
      return timeOf(read(content, TIME, name, depth + 1));
    case 'message': {
      const value = read(content, field.fields!(), name, depth + 1);
      return Object.keys(value).length === 0 && !field.repeated && !field.keepEmpty ? null : value;
    }
    case 'bool':
    case 'int':
      throw malformed(`${name} is not a number`);
  }
}

const INT_OR_STRING: Fields = {
  1: { name: 'type', type: 'int', keepEmpty: true },
  2: { name: 'int', type: 'int' },
  3: { name: 'string', type: 'string' },
};
const TIME: Fields = { 1: { name: 'seconds', type: 'int' }, 2: { name: 'nanos', type: 'int' } };

function intOrString(value: JsonObject): Json {
  if (value['type'] === 1) return value['string'] ?? '';
  // The zero value means that nothing was said.
  return value['int'] === undefined || value['int'] === 0 ? null : value['int'];
}

function timeOf({ seconds }: JsonObject): Json {
  return typeof seconds === 'number' ? new Date(seconds * 1000).toISOString().replace('.000Z', 'Z') : null;
}

function entryOf(bytes: Buffer, value: 'string' | 'bytes', name: string): JsonObject {
  const fields: Fields = {
    1: { name: 'key', type: 'string', keepEmpty: true },
    2: { name: 'value', type: value, keepEmpty: true },
  };
  const entry = read(bytes, fields, name, 0);
  const key = shown(entry['key'] ?? '');
  if (key === '__proto__') throw malformed(`${name} has a key named __proto__`);
  return { [key]: entry['value'] ?? '' };
}

type Cursor = { readonly bytes: Buffer; at: number };

/** Wire types: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. Floats do not occur in these messages. */
function contentOf(cursor: Cursor, wireType: number): number | Buffer {
  if (wireType === 0) return varint(cursor);
  if (wireType !== 2) throw malformed(`wire type ${wireType}`);
  const length = varint(cursor);
  const end = cursor.at + length;
  if (length < 0 || end > cursor.bytes.length) throw malformed('it ends in the middle of a field');
  const content = cursor.bytes.subarray(cursor.at, end);
  cursor.at = end;
  return content;
}

function varint(cursor: Cursor): number {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = cursor.bytes[cursor.at++];
    if (byte === undefined) throw malformed('it ends in the middle of a number');
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return Number(BigInt.asIntN(64, value));
  }
  throw malformed('a number has more than ten bytes');
}

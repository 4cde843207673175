/** Schemas as OpenAPI v3 sees them, for `kubectl explain`, editors and the API's own documentation. */
import type { KindInfo } from './kind-info.ts';
import { objectMeta } from './kubernetes.ts';
import type { NumberSchema, ObjectSchema, Schema, StringSchema } from './schema.ts';

/** The part of OpenAPI v3 that is used here (Kubernetes' structural schemas). */
export type JsonSchema = {
  readonly type?: 'string' | 'boolean' | 'integer' | 'number' | 'array' | 'object';
  readonly description?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema;
  readonly 'x-kubernetes-int-or-string'?: true;
  readonly 'x-kubernetes-preserve-unknown-fields'?: true;
};

export function toJsonSchema(schema: Schema): JsonSchema {
  const description = describe(schema);
  switch (schema.kind) {
    case 'string':
      return { type: 'string', description, ...lengths(schema) };
    case 'duration':
      return { type: 'string', description };
    case 'bool':
      return { type: 'boolean', description };
    case 'number':
      return {
        type: schema.integer ? 'integer' : 'number',
        description,
        format: numberFormat(schema),
        ...range(schema),
      };
    case 'enum':
      return { type: 'string', description, enum: schema.values };
    case 'int-or-string':
      return { description, 'x-kubernetes-int-or-string': true };
    case 'anything':
      return { description, 'x-kubernetes-preserve-unknown-fields': true };
    case 'list': {
      const { min, max } = schema;
      const size = { ...(min > 0 ? { minItems: min } : {}), ...(max < Infinity ? { maxItems: max } : {}) };
      return { type: 'array', description, items: toJsonSchema(schema.item), ...size };
    }
    case 'map': {
      const { min, max } = schema;
      const size = { ...(min > 0 ? { minProperties: min } : {}), ...(max < Infinity ? { maxProperties: max } : {}) };
      return { type: 'object', description, additionalProperties: toJsonSchema(schema.value), ...size };
    }
    case 'object':
      return { type: 'object', description, ...properties(schema) };
  }
}

/** Of whole resources of a kind: apiVersion, kind and metadata come first. */
export function kindJsonSchema(info: KindInfo): JsonSchema {
  const own = toJsonSchema(info.schema);
  return {
    ...own,
    properties: {
      apiVersion: { type: 'string', description: 'Group and version of the kind' },
      kind: { type: 'string', description: 'Name of the kind' },
      metadata: toJsonSchema(objectMeta),
      ...own.properties,
    },
  };
}

/** Defaults go here in words: OpenAPI's `default` has to be of the field's type, and would be filled in by readers. */
function describe({ description, default: fallback, support, reason }: Schema): string {
  const sentences = [description];
  if (fallback !== undefined) sentences.push(`Default: ${fallback}`);
  if (support === 'ignored') sentences.push(`Accepted without effect: ${reason ?? 'Lateen does not act on it'}`);
  if (support === 'refused') sentences.push(`Not supported: ${reason ?? 'Lateen does not act on it'}`);
  return `${sentences.join('. ')}.`;
}

function lengths({ formatName, minLength, maxLength }: StringSchema): JsonSchema {
  return {
    ...(formatName === undefined ? {} : { format: formatName }),
    ...(minLength > 0 ? { minLength } : {}),
    ...(maxLength < Infinity ? { maxLength } : {}),
  };
}

function numberFormat({ integer, max }: NumberSchema): string {
  if (!integer) return 'double';
  return max < 2 ** 31 ? 'int32' : 'int64';
}

/** Limits of the number's own type say nothing. */
function range({ integer, min, max }: NumberSchema): JsonSchema {
  const widest = integer ? 2 ** 31 - 1 : Number.MAX_VALUE;
  return { ...(min > -widest ? { minimum: min } : {}), ...(max < widest ? { maximum: max } : {}) };
}

function properties(schema: ObjectSchema): JsonSchema {
  const entries = Object.entries(schema.fields);
  const required = entries.filter(([, field]) => field.required).map(([name]) => name);
  return {
    properties: Object.fromEntries(entries.map(([name, field]) => [name, toJsonSchema(field)])),
    ...(required.length === 0 ? {} : { required }),
    ...(schema.open ? ({ 'x-kubernetes-preserve-unknown-fields': true } as const) : {}),
  };
}

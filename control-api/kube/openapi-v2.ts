/** An OpenAPI v2 document as gnostic's protobuf message, the form kubectl asks for: github.com/google/gnostic, openapiv2/OpenAPIv2.proto. */
import { Message } from './protobuf.ts';
import type { ApiDocument, Operation, Parameter, SchemaObject } from './openapi-document.ts';

/** Field numbers are those of OpenAPIv2.proto. */
export function encodeDocument(document: ApiDocument): Buffer {
  const { title, version } = document.info;
  return new Message()
    .text(1, document.swagger)
    .message(2, new Message().text(1, title).text(2, version))
    .message(8, new Message().messages(2, named(document.paths, pathItem)))
    .message(9, new Message().messages(1, named(document.definitions, schema)))
    .bytes();
}

function* named<T>(entries: Readonly<Record<string, T>>, encode: (value: T) => Message): Iterable<Message> {
  for (const [name, value] of Object.entries(entries)) yield new Message().text(1, name).message(2, encode(value));
}

const METHODS: Readonly<Record<string, number>> = { get: 2, put: 3, post: 4, delete: 5, patch: 8 };

function pathItem(item: Readonly<Record<string, Operation>>): Message {
  const message = new Message();
  for (const [method, value] of Object.entries(item)) message.message(METHODS[method]!, operation(value));
  return message;
}

function operation(o: Operation): Message {
  return new Message()
    .text(3, o.description)
    .text(5, o.operationId)
    .texts(6, o.produces)
    .texts(7, o.consumes)
    .messages(8, o.parameters.map(parameter))
    .message(9, new Message().messages(1, named(o.responses, response)))
    .messages(13, extensions(o));
}

/** ParametersItem { Parameter { BodyParameter | NonBodyParameter { query = 3 | path = 4 } } } */
function parameter(p: Parameter): Message {
  if (p.in === 'body') {
    const body = new Message()
      .text(2, p.name)
      .text(3, 'body')
      .bool(4, p.required)
      .message(5, p.schema && schema(p.schema));
    return new Message().message(1, new Message().message(1, body));
  }
  const sub = new Message().bool(1, p.required).text(2, p.in).text(3, p.description).text(4, p.name);
  const typed =
    p.in === 'query' ? new Message().message(3, sub.text(6, p.type)) : new Message().message(4, sub.text(5, p.type));
  return new Message().message(1, new Message().message(2, typed));
}

function response(r: { description: string; schema?: SchemaObject }): Message {
  const item = r.schema && new Message().message(1, schema(r.schema));
  return new Message().message(1, new Message().text(1, r.description).message(2, item));
}

export function schema(s: SchemaObject): Message {
  return new Message()
    .text(1, s.$ref)
    .text(2, s.format)
    .text(4, s.description)
    .double(7, s.maximum)
    .double(9, s.minimum)
    .integer(11, s.maxLength)
    .integer(12, s.minLength)
    .integer(14, s.maxItems)
    .integer(15, s.minItems)
    .integer(17, s.maxProperties)
    .integer(18, s.minProperties)
    .texts(19, s.required)
    .messages(
      20,
      (s.enum ?? []).map((value) => new Message().text(2, JSON.stringify(value))),
    )
    .message(21, s.additionalProperties && new Message().message(1, schema(s.additionalProperties)))
    .message(22, s.type === undefined ? undefined : new Message().texts(1, [s.type]))
    .message(23, s.items && new Message().messages(1, [schema(s.items)]))
    .message(25, s.properties && new Message().messages(1, named(s.properties, schema)))
    .messages(31, extensions(s));
}

/** NamedAny { name = 1, Any { yaml = 2 } }; JSON is YAML. */
function* extensions(value: object): Iterable<Message> {
  for (const [name, content] of Object.entries(value)) {
    if (name.startsWith('x-'))
      yield new Message().text(1, name).message(2, new Message().text(2, `${JSON.stringify(content)}\n`));
  }
}

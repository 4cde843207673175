/** The same document in OpenAPI v3, as `kubectl explain` reads it. */
import type { ApiDocument, Operation } from './openapi-document.ts';

export function toVersion3({ info, paths, definitions }: ApiDocument): object {
  return {
    openapi: '3.0.0',
    info,
    paths: Object.fromEntries(
      Object.entries(paths).map(([path, item]) => [
        path,
        Object.fromEntries(Object.entries(item).map(([method, operation]) => [method, operation3(operation)])),
      ]),
    ),
    components: { schemas: moved(definitions) },
  };
}

function operation3({ consumes, produces, parameters, responses, ...rest }: Operation): object {
  const body = parameters.find((p) => p.in === 'body');
  const type = produces[0] ?? 'application/json';
  return {
    ...rest,
    parameters: parameters
      .filter((p) => p.in !== 'body')
      .map(({ type: t, ...parameter }) => ({ ...parameter, schema: { type: t } })),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: Object.fromEntries(consumes.map((c) => [c, { schema: moved(body.schema) }])),
          },
        }),
    responses: Object.fromEntries(
      Object.entries(responses).map(([code, { description, schema }]) => [
        code,
        { description, content: { [type]: { schema: moved(schema) } } },
      ]),
    ),
  };
}

/** `#/definitions/…` is `#/components/schemas/…` here; and a reference may have no siblings, nor may it lose its description. */
function moved(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(moved);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [
      key,
      key === '$ref' && typeof child === 'string'
        ? child.replace('#/definitions/', '#/components/schemas/')
        : moved(child),
    ]),
  );
}

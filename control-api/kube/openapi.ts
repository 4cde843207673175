/** Serves the API's description: OpenAPI v2 as JSON and protobuf, v3 as an index and a document per group and version. */
import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Route } from '../route.ts';
import { groups, kindsOf, pathOf, type GroupVersion } from './catalogue.ts';
import { apiDocument } from './openapi-document.ts';
import { encodeDocument } from './openapi-v2.ts';
import { toVersion3 } from './openapi-v3.ts';
import { noSuchPath, notAcceptable } from './status-error.ts';

const PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

export function openApiRoutes(version: string): readonly Route[] {
  // Made when they are first asked for: most runs of the mesh never need them.
  const v2 = lazily(() => apiDocument(version));
  const v2Json = lazily(() => JSON.stringify(v2()));
  const v2Protobuf = lazily(() => encodeDocument(v2()));
  const v3 = new Map<string, string>();
  const v3Json = (gv: GroupVersion): string => {
    const path = pathOf(gv);
    if (!v3.has(path)) v3.set(path, JSON.stringify(toVersion3(apiDocument(version, gv))));
    return v3.get(path)!;
  };
  const index = lazily(() => JSON.stringify({ paths: indexOf(v3Json) }));
  return [
    { method: 'GET', path: '/openapi/v2', handler: (request, reply) => sendV2(request, reply, v2Json, v2Protobuf) },
    { method: 'GET', path: '/openapi/v3', handler: (_, reply) => reply.type('application/json').send(index()) },
    { method: 'GET', path: '/openapi/v3/*', handler: (request, reply) => sendV3(request, reply, v3Json) },
  ];
}

function sendV2(
  request: FastifyRequest,
  reply: FastifyReply,
  json: () => string,
  protobuf: () => Buffer,
): FastifyReply {
  const ranges = (request.headers.accept ?? '*/*').split(',').map((range) => range.split(';')[0]!.trim());
  for (const range of ranges) {
    // Clients also write it with an `@` before the version.
    if (/^application\/com\.github\.proto-openapi\.spec\.v2[@.]v1\.0\+protobuf$/.test(range))
      return reply.type(PROTOBUF).send(protobuf());
    if (['application/json', 'application/*', '*/*'].includes(range))
      return reply.type('application/json').send(json());
  }
  throw notAcceptable(`only application/json, ${PROTOBUF} are served`);
}

function sendV3(request: FastifyRequest, reply: FastifyReply, json: (gv: GroupVersion) => string): FastifyReply {
  const path = (request.params as { '*': string })['*'];
  const gv = versionsServed().find((served) => pathOf(served) === `/${path}`);
  if (gv === undefined) throw noSuchPath();
  // The index names documents by their hash, so one that was fetched by it never changes.
  const hashed = (request.query as { hash?: string }).hash !== undefined;
  if (hashed)
    reply
      .header('cache-control', 'public, immutable')
      .header('expires', new Date(Date.now() + 365 * 86_400_000).toUTCString());
  return reply.type('application/json').send(json(gv));
}

const versionsServed = (): GroupVersion[] =>
  [...groups()]
    .flatMap(([group, versions]) => versions.map((version) => ({ group, version })))
    .filter((gv) => kindsOf(gv).length > 0);

function indexOf(json: (gv: GroupVersion) => string): object {
  return Object.fromEntries(
    versionsServed().map((gv) => {
      const hash = createHash('sha256').update(json(gv)).digest('hex').toUpperCase();
      return [pathOf(gv).slice(1), { serverRelativeURL: `/openapi/v3${pathOf(gv)}?hash=${hash}` }];
    }),
  );
}

function lazily<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}

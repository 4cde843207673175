/** The Kubernetes API's part of the server's table. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { authorOf, bytesOf, type Route } from '../route.ts';
import { sendStream } from '../stream.ts';
import type { Answer, Call, KubeContext } from './call.ts';
import { targetOf } from './catalogue.ts';
import { discoveryGroup, discoveryRoot, discoveryVersion, type Document } from './discovery.ts';
import { dispatch } from './dispatch.ts';
import { openApiRoutes } from './openapi.ts';
import { reviewRoutes } from './review.ts';
import { warningHeader } from './warning.ts';

export function kubeRoutes(context: KubeContext, version: string): readonly Route[] {
  return [
    { method: 'GET', path: '/version', handler: () => versionInfo(version) },
    {
      method: 'GET',
      path: '/api',
      handler: (request, reply) => document(reply, discoveryRoot('api', acceptOf(request))),
    },
    {
      method: 'GET',
      path: '/apis',
      handler: (request, reply) => document(reply, discoveryRoot('apis', acceptOf(request))),
    },
    {
      method: 'GET',
      path: '/api/:version',
      handler: (request, reply) => document(reply, discoveryVersion({ group: '', version: paramsOf(request).version })),
    },
    {
      method: 'GET',
      path: '/apis/:group',
      handler: (request, reply) => document(reply, discoveryGroup(paramsOf(request).group)),
    },
    {
      method: 'GET',
      path: '/apis/:group/:version',
      handler: (request, reply) => document(reply, discoveryVersion(paramsOf(request))),
    },
    ...openApiRoutes(version),
    ...reviewRoutes(),
    { method: METHODS, path: '/api/:version/*', handler: (request, reply) => answer(context, request, reply) },
    { method: METHODS, path: '/apis/:group/:version/*', handler: (request, reply) => answer(context, request, reply) },
  ];
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

type Params = { readonly group: string; readonly version: string };
const paramsOf = (request: FastifyRequest): Params => request.params as Params;
const acceptOf = (request: FastifyRequest): string => request.headers.accept ?? '';

function document(reply: FastifyReply, { type, body }: Document): FastifyReply {
  return reply.type(type).send(JSON.stringify(body));
}

async function answer(context: KubeContext, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const result = await dispatch(context, callOf(request));
  if ('stream' in result) return sendStream(reply, result.type, (sink) => result.start(sink));
  if ('text' in result) return reply.type('text/plain; charset=utf-8').send(result.text);
  return sendAnswer(reply, result);
}

function sendAnswer(reply: FastifyReply, { status, body, warnings = [] }: Answer): FastifyReply {
  if (warnings.length > 0) reply.header('warning', warnings.map(warningHeader));
  return reply.code(status).type('application/json').send(JSON.stringify(body));
}

export function callOf(request: FastifyRequest): Call {
  const url = new URL(request.raw.url ?? '/', 'http://localhost');
  return {
    method: request.method,
    target: targetOf(rawPathOf(request)),
    query: url.searchParams,
    accept: acceptOf(request),
    contentType: request.headers['content-type'],
    body: bytesOf(request),
    author: authorOf(request),
  };
}

/** The path as it was sent: `URL` would resolve `..` in it. */
const rawPathOf = (request: FastifyRequest): string => (request.raw.url ?? '/').split('?')[0]!;

/** kubectl compares itself with `major.minor`; Lateen's own version is `gitVersion`'s build part. */
function versionInfo(version: string): object {
  return {
    major: '1',
    minor: '32',
    gitVersion: `v1.32.0+lateen-${version}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '2025-01-01T00:00:00Z',
    goVersion: '',
    compiler: '',
    platform: `${process.platform}/${process.arch}`,
  };
}

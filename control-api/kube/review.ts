/** Questions about rights, which clients such as `kubectl auth can-i` ask; whoever reaches this API may do everything. */
import type { FastifyRequest } from 'fastify';
import { bytesOf, type Route } from '../route.ts';
import { decodeBody, mediaType } from './body.ts';
import { isObject, type JsonObject } from './json.ts';

const EVERYTHING = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] };
const EVERY_PATH = { verbs: ['*'], nonResourceURLs: ['*'] };

const STATUS: Readonly<Record<string, object>> = {
  SelfSubjectAccessReview: { allowed: true, reason: 'the local mesh has no access rules' },
  SubjectAccessReview: { allowed: true, reason: 'the local mesh has no access rules' },
  SelfSubjectRulesReview: { resourceRules: [EVERYTHING], nonResourceRules: [EVERY_PATH], incomplete: false },
};

export function reviewRoutes(): readonly Route[] {
  return Object.entries(STATUS).map(([kind, status]) => ({
    method: 'POST',
    path: `/apis/authorization.k8s.io/v1/${kind.toLowerCase()}s`,
    handler: (request, reply) => {
      const body = questionOf(request);
      const answer: JsonObject = { ...body, apiVersion: 'authorization.k8s.io/v1', kind, status: status as JsonObject };
      return reply.code(201).type('application/json').send(JSON.stringify(answer));
    },
  }));
}

/** kubectl asks in protobuf; the answer is the same whatever the question. */
function questionOf(request: FastifyRequest): JsonObject {
  const type = request.headers['content-type'];
  if (mediaType(type) === 'application/vnd.kubernetes.protobuf') return {};
  const body = decodeBody(bytesOf(request), type);
  return isObject(body) ? body : {};
}

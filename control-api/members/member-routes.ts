/** Registration in the server's table: a pod's own word of itself, and its end. */
import type { FastifyRequest } from 'fastify';
import { plainAddress } from '#proxy/core/cidr.ts';
import { bytesOf, type Route } from '../route.ts';
import { memberName, readMember } from './member.ts';
import type { Members } from './members.ts';

const PATH = '/lateen/v1/pods/:pod';

export function memberRoutes(members: Members): readonly Route[] {
  const nameOf = (request: FastifyRequest) => memberName((request.params as { pod?: unknown }).pod);
  return [
    {
      method: 'PUT',
      path: PATH,
      audience: 'proxies',
      handler: (request) => {
        const name = nameOf(request);
        const member = readMember(bytesOf(request), request.headers['content-type']);
        return members.register(name, member, addressOf(request));
      },
    },
    {
      method: 'DELETE',
      path: PATH,
      audience: 'proxies',
      handler: (request) => {
        const { incarnation } = request.query as { incarnation?: unknown };
        const whose = typeof incarnation === 'string' && incarnation !== '' ? incarnation : null;
        return members.remove(nameOf(request), whose, addressOf(request));
      },
    },
  ];
}

const addressOf = ({ raw }: FastifyRequest): string => plainAddress(raw.socket.remoteAddress ?? '');

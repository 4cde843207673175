/** One line of the server's table: method, path, who answers. */
import type { FastifyReply, FastifyRequest } from 'fastify';

export type Route = {
  readonly method: string | readonly string[];
  /** Fastify's syntax: `/lateen/v1/proxies/:id`. */
  readonly path: string;
  /** What it returns is sent as JSON. May throw a StatusError. */
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => unknown;
};

/** The raw body; this server reads bodies itself, since their media types are Kubernetes' own. */
export const bytesOf = (request: FastifyRequest): Buffer =>
  Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);

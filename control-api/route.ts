/** One line of the server's table: method, path, who answers. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Author } from './store.ts';

/**
 * Whom a path is for. `anybody`: it tells nothing that the mesh does not know. `proxies`: also whoever shows the join token.
 * What says nothing is for operators, who come from outside the mesh.
 */
export type Audience = 'anybody' | 'proxies' | 'operators';

export type Route = {
  readonly method: string | readonly string[];
  /** Fastify's syntax: `/lateen/v1/proxies/:id`. */
  readonly path: string;
  /** Absent: operators alone. */
  readonly audience?: Audience;
  /** What it returns is sent as JSON. May throw a StatusError. */
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => unknown;
};

/** The raw body; this server reads bodies itself, since their media types are Kubernetes' own. */
export const bytesOf = (request: FastifyRequest): Buffer =>
  Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);

/** Whoever sent this, for the history: nobody logs in, so the program is all there is to tell. */
export const authorOf = (request: FastifyRequest): Author => ({
  via: programOf(request.headers['user-agent']),
  user: 'local',
});

/** `kubectl/v1.32.0 (linux/amd64) …` → `kubectl` */
function programOf(userAgent: string | undefined): string {
  const name = /^[\w.-]{1,64}/.exec(userAgent ?? '')?.[0];
  return name ?? 'unknown';
}

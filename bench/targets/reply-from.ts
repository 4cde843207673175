/** fastify with @fastify/reply-from (undici): the strongest kept proxy of the Node world. */
import { createRequire } from 'node:module';
import { fastify, type FastifyPluginCallback, type FastifyReply } from 'fastify';
import { here, origin, packageName } from './arguments.ts';

const replyFrom = createRequire(import.meta.url)(packageName) as FastifyPluginCallback<{ base: string }>;
const app = fastify();
app.register(replyFrom, { base: `http://${origin.host}:${origin.port}` });
app.all('/*', (request, reply) => {
  void (reply as FastifyReply & { from: (path: string) => FastifyReply }).from(request.url);
});
await app.listen(here);

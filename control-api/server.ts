/** The control API: a Kubernetes API, and Lateen's own paths beside it. Its routes are a table. */
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type Logger, pino } from 'pino';
import type { Problem } from '#proxy/istio/problem.ts';
import type { Resource, ResourceSet } from '#proxy/istio/resource.ts';
import { createAdmit } from './admit.ts';
import { createApiMetrics } from './api-metrics.ts';
import { answerRoutes, askRoutes } from './ask-routes.ts';
import { Asks } from './asks.ts';
import { discoveryRoutes } from './discovery-targets.ts';
import type { Auth } from './auth.ts';
import { guard, type Guard } from './guard.ts';
import { kubeRoutes } from './kube/routes.ts';
import { serveUpgrades } from './kube/upgrade.ts';
import { internal, noSuchPath, StatusError, tooLarge } from './kube/status-error.ts';
import { lateenRoutes, type Readiness } from './lateen-routes.ts';
import { memberRoutes } from './members/member-routes.ts';
import type { Members } from './members/members.ts';
import type { HistoryStore } from './open-store.ts';
import { Proxies } from './proxies.ts';
import { proxyRoutes } from './proxy-routes.ts';
import type { PodRuntime } from './pod-runtime.ts';
import type { Audience, Route } from './route.ts';
import { seed } from './seed.ts';
import { TapHub } from './tap-hub.ts';
import { tapRoutes } from './tap.ts';

export type ControlApiOptions = {
  /** Address to listen on: `127.0.0.1`. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly store: HistoryStore;
  /** Who runs the pods; null when nobody does (then there are no logs and no exec). */
  readonly runtime: PodRuntime | null;
  /** Of the mesh as a whole, for `GET /lateen/v1/ready`. */
  readonly ready: () => Readiness | Promise<Readiness>;
  /** Pods that register themselves; absent: none may. */
  readonly members?: Members;
  /** What to say of an object that is stored, beside what is wrong with it. */
  readonly advise?: (before: Resource | null, after: Resource) => readonly string[];
  /** Finds what is valid alone but wrong together. */
  readonly analyze: (resources: ResourceSet) => readonly Problem[];
  /** Lateen's own. */
  readonly version: string;
  /** What is wrong with files and other sources, for `GET /lateen/v1/problems`. */
  readonly problems?: () => readonly Problem[];
  /** Names besides localhost and loopback addresses under which it may be asked. */
  readonly allowHosts?: readonly string[];
  /** Whom what is for; absent: everybody may do everything. */
  readonly auth?: Auth | null;
  /** More routes: the console. */
  readonly routes?: readonly Route[];
  /** Parts that add their own routes, with bodies read as JSON: `(app) => traceRoutes(app, traces)`. */
  readonly parts?: readonly ((app: FastifyInstance) => void)[];
  readonly log?: Logger;
};

export type ControlApi = {
  /** `http://127.0.0.1:8001` */
  readonly url: string;
  readonly store: HistoryStore;
  /** Who runs which revision; the runner waits for them with `settled`. */
  readonly proxies: Proxies;
  /** Ends all streams, then stops listening. The store stays open: it is its owner's. */
  close(): Promise<void>;
};

/** Bytes of one request's body; the API server's own limit is 3 MB. */
const BODY_LIMIT = 4 * 1024 * 1024;
/** https://sqlite.org/rescode.html#full */
const SQLITE_FULL = 13;
/** A request has to have come whole within this time; answers may take as long as they like, as watches do. */
const REQUEST_MS = 60_000;

export async function createControlApi(options: ControlApiOptions): Promise<ControlApi> {
  const { store, log = pino({ enabled: false }) } = options;
  const stopSeeding = seed(store);
  const proxies = new Proxies(store);
  const taps = new TapHub(proxies);
  const asks = new Asks(proxies);
  proxies.greeting = () => taps.greeting();
  const problems = options.problems ?? (() => []);
  const metrics = createApiMetrics({ version: options.version, proxies, revision: () => store.revision, problems });
  const { members, advise = () => [] } = options;
  members?.attach(proxies);
  const admit = metrics.counted(createAdmit(store, options.analyze, advise));
  const context = { store, runtime: options.runtime, admit };
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_MS,
    forceCloseConnections: true,
    exposeHeadRoutes: true,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  const guarded = guard({ allowHosts: options.allowHosts ?? [], auth: options.auth ?? null });
  protect(app, guarded);
  answerErrors(app, log);
  for (const { method, path, audience = 'operators', handler } of [
    ...kubeRoutes(context, options.version),
    ...lateenRoutes({
      store,
      runtime: options.runtime,
      ready: options.ready,
      analyze: options.analyze,
      problems,
    }),
    ...proxyRoutes(proxies, asks),
    ...askRoutes(asks),
    ...tapRoutes(taps),
    ...discoveryRoutes(store, proxies),
    ...(members === undefined ? [] : memberRoutes(members)),
    ...metrics.routes,
    ...(options.routes ?? []),
  ]) {
    app.route({
      method: method as string,
      url: path,
      config: { audience },
      handler: async (request, reply) => handler(request, reply),
    });
  }
  for (const part of options.parts ?? []) await app.register(async (inner) => part(readingJson(inner)));
  await app.register(async (inner) => answerRoutes(inner, asks));
  const endSessions = serveUpgrades(app.server, context, (request) => guarded(request, true));
  const url = await app.listen({ host: options.host, port: options.port });
  log.info({ url }, 'control API listens');
  return {
    url,
    store,
    proxies,
    async close() {
      // Before the streams end: nobody has left because this server does.
      members?.close();
      asks.close();
      taps.close();
      proxies.close();
      metrics.close();
      endSessions();
      stopSeeding();
      await app.close();
    },
  };
}

function readingJson(app: FastifyInstance): FastifyInstance {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
  return app;
}

/** Whom a route is for; one that says nothing, and a path that does not exist, are operators'. */
declare module 'fastify' {
  interface FastifyContextConfig {
    audience?: Audience;
  }
}

function protect(app: FastifyInstance, guarded: Guard): void {
  app.addHook('onRequest', async ({ method, raw, routeOptions }, reply) => {
    const error = guarded(raw, method !== 'GET' && method !== 'HEAD', routeOptions.config.audience);
    // RFC 9110, 11.6.1
    if (error?.code === 401) reply.header('www-authenticate', 'Bearer realm="lateen"');
    if (error !== null) throw error;
  });
}

function answerErrors(app: FastifyInstance, log: Logger): void {
  const send = (reply: FastifyReply, error: StatusError): FastifyReply =>
    reply.code(error.code).type('application/json').send(JSON.stringify(error.status()));
  app.setNotFoundHandler((_request, reply) => send(reply, noSuchPath()));
  app.setErrorHandler((error: Error & { code?: string; statusCode?: number }, request, reply) => {
    if (error instanceof StatusError) return send(reply, error);
    return send(reply, statusOf(error, request, log));
  });
}

function statusOf(
  error: Error & { code?: string; statusCode?: number },
  request: FastifyRequest,
  log: Logger,
): StatusError {
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge(`the body is larger than ${BODY_LIMIT} bytes`);
  const status = error.statusCode ?? 500;
  if (status < 500) return new StatusError(status, 'BadRequest', error.message);
  log.error({ err: error, method: request.method, url: request.url }, 'a request to the control API failed');
  if ((error as { errcode?: number }).errcode === SQLITE_FULL) {
    return new StatusError(
      507,
      'InsufficientStorage',
      'the disk with the state directory is full: nothing was changed',
    );
  }
  return internal();
}

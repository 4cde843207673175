/** The ports a proxy answers questions on, all on the main thread: 15000 admin, 15090 metrics, 15020 merged metrics, 15021 ready. */
import { CONTENT_TYPES } from '../telemetry/exposition-writer.ts';
import { createAppMetrics } from './app-metrics.ts';
import type { AdminContext } from './context.ts';
import { envoyRoutes, ready } from './envoy-admin.ts';
import { startService, text, type AdminRoute, type Service } from './http-service.ts';
import { mergedPages } from './merge-metrics.ts';
import { prometheus } from './stats.ts';

/** Port 0: any free one. */
export type Bind = { readonly host: string; readonly port: number };

export type AdminOptions = {
  /** A loopback address. Null, here and below: not served. */
  readonly admin: Bind | null;
  readonly metrics: Bind | null;
  readonly merged: Bind | null;
  readonly ready: Bind | null;
  /** URL of the app's own Prometheus metrics; null: it has none. */
  readonly appMetrics: string | null;
  /** The application whose health is told beside the metrics, and why it is not ready (null: it is). */
  readonly app?: { readonly name: string; readonly why: () => string | null } | null;
  /** Another process may serve the same ports at the same time (Linux). */
  readonly shared?: boolean;
};

/** Where they listen, and the way to end them. */
export type AdminServers = {
  readonly admin: Bind | null;
  readonly metrics: Bind | null;
  readonly merged: Bind | null;
  readonly ready: Bind | null;
  close(): Promise<void>;
};

/** Rejects when one of the addresses cannot be bound; the others are closed again then. */
export async function startAdmin(options: AdminOptions, context: AdminContext): Promise<AdminServers> {
  const started: Service[] = [];
  const start = async (
    bind: Bind | null,
    routes: ReadonlyMap<string, AdminRoute>,
    loopbackOnly = false,
  ): Promise<Bind | null> => {
    if (bind === null) return null;
    const service = await startService({ ...bind, routes, loopbackOnly, shared: options.shared === true });
    started.push(service);
    return { host: service.host, port: service.port };
  };
  const close = async (): Promise<void> => {
    await Promise.all(started.map((service) => service.close()));
  };
  try {
    return {
      admin: await start(options.admin, envoyRoutes(context), true),
      metrics: await start(options.metrics, metricsRoutes(context)),
      merged: await start(options.merged, mergedRoutes(context, options)),
      ready: await start(options.ready, new Map([['/healthz/ready', readyRoute(context)]])),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const readyRoute = (context: AdminContext): AdminRoute => ({
  method: 'GET',
  help: '200 when the proxy serves',
  handle: () => ready(context),
});

/** Where Istio's agent tells it: https://istio.io/latest/docs/ops/configuration/mesh/app-health-check/ */
const appReady = (why: () => string | null): AdminRoute => ({
  method: 'GET',
  help: '200 when the app is ready',
  handle: () => {
    const problem = why();
    return problem === null ? text('ready\n') : text(`${problem}\n`, 500);
  },
});

function metricsRoutes(context: AdminContext): ReadonlyMap<string, AdminRoute> {
  const metrics: AdminRoute = {
    method: 'GET',
    help: 'metrics of the proxy',
    handle: (ask) => prometheus(context, ask),
  };
  return new Map([
    ['/stats/prometheus', metrics],
    ['/metrics', metrics],
  ]);
}

function mergedRoutes(
  context: AdminContext,
  { appMetrics, app: application }: Pick<AdminOptions, 'app' | 'appMetrics'>,
): ReadonlyMap<string, AdminRoute> {
  const { exposition } = context;
  const app = createAppMetrics(appMetrics, exposition);
  const merged: AdminRoute = {
    method: 'GET',
    help: 'metrics of the proxy and of the app',
    handle: async (ask) => {
      const metrics = await app();
      // What the app says is in the older format, or made so.
      if (metrics.text === '') return prometheus(context, ask);
      return { status: 200, body: mergedPages(exposition, metrics), type: CONTENT_TYPES.text };
    },
  };
  const routes = new Map([
    ['/stats/prometheus', merged],
    ['/metrics', merged],
    ['/healthz/ready', readyRoute(context)],
  ]);
  if (application !== null && application !== undefined)
    routes.set(`/app-health/${application.name}/readyz`, appReady(application.why));
  return routes;
}

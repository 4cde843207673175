/** The control API's own metrics, for `GET /metrics`: its process, the proxies that follow it, and what it refused. Istiod's names where it has them. */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Admit } from './kube/call.ts';
import { StatusError } from './kube/status-error.ts';
import type { Proxies, ProxyState } from './proxies.ts';
import type { Route } from './route.ts';

export type ApiFacts = {
  /** Of Lateen. */
  readonly version: string;
  readonly proxies: Proxies;
  /** Of the newest change. */
  readonly revision: () => number;
  /** In files and other sources. */
  readonly problems: () => readonly { readonly severity: string }[];
};

export type ApiMetrics = {
  /** `admit`, counted: galley_validation_passed, galley_validation_failed. */
  counted(admit: Admit): Admit;
  readonly routes: readonly Route[];
  /** Ends what samples the process. */
  close(): void;
};

const SYNC: readonly ProxyState['sync'][] = ['SYNCED', 'STALE', 'REJECTED', 'DISCONNECTED'];

export function createApiMetrics({ version, proxies, revision, problems }: ApiFacts): ApiMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 500 });
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    }).reset();
  };
  const build = new Gauge({
    name: 'istio_build',
    help: 'Build of the control API.',
    labelNames: ['component', 'tag'],
    registers,
  });
  build.set({ component: 'pilot', tag: version }, 1);
  const connected = (): number => proxies.list().filter(({ sync }) => sync !== 'DISCONNECTED').length;
  gauge('pilot_xds', 'Proxies whose stream is open.', connected);
  gauge('lateen_config_revision', 'Newest revision that is stored.', revision);
  gauge('lateen_source_errors', 'Errors in files and other sources of resources.', () => {
    return problems().filter(({ severity }) => severity === 'error').length;
  });
  const bySync = new Gauge({
    name: 'lateen_proxies',
    help: 'Proxies by whether they run what they were sent.',
    labelNames: ['sync'],
    registers,
    collect() {
      const states = proxies.list();
      for (const sync of SYNC) this.set({ sync }, states.filter((state) => state.sync === sync).length);
    },
  });
  bySync.reset();
  const passed = new Counter({ name: 'galley_validation_passed', help: 'Resources that were accepted.', registers });
  const failed = new Counter({
    name: 'galley_validation_failed',
    help: 'Resources that were refused because of errors in them.',
    registers,
  });
  return {
    counted: (admit) => (candidate, before, how) => {
      try {
        const admitted = admit(candidate, before, how);
        passed.inc();
        return admitted;
      } catch (error) {
        if (error instanceof StatusError) failed.inc();
        throw error;
      }
    },
    routes: [
      {
        method: 'GET',
        path: '/metrics',
        audience: 'anybody',
        handler: async (_, reply) => reply.type(registry.contentType).send(await registry.metrics()),
      },
    ],
    close: () => registry.clear(),
  };
}

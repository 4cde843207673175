/** The control API with everything that belongs to it, as `up` and `control` start it. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { ingestFiles, type FileIngest } from '#control-api/ingest/file.ts';
import { openStore, type HistoryStore } from '#control-api/open-store.ts';
import type { PodRuntime } from '#control-api/pod-runtime.ts';
import { createControlApi, type ControlApi } from '#control-api/server.ts';
import { TraceStore } from '#control-api/trace-store.ts';
import { traceRoutes } from '#control-api/traces.ts';
import { analyze } from '#proxy/compile/analyze.ts';
import { DEFAULT_MESH, type MeshSettings } from '#proxy/compile/defaults.ts';
import { CliError } from './cli-error.ts';
import { ownVersion } from './version.ts';

export type ControlPlaneOptions = {
  readonly host: string;
  readonly port: number;
  readonly stateDir: string;
  readonly allowHosts: readonly string[];
  /** Directory of YAML files to follow; null: none. */
  readonly watchDir: string | null;
  readonly runtime: PodRuntime | null;
  readonly ready: () => { readonly ready: boolean; readonly reasons: readonly string[] };
  readonly mesh: Partial<MeshSettings>;
};

export type ControlPlane = {
  readonly api: ControlApi;
  readonly store: HistoryStore;
  /** There was no state before. */
  readonly fresh: boolean;
  close(): Promise<void>;
};

/** What a running mesh keeps in its state directory; `--fresh` removes just that. */
const KEPT = ['journal.db', 'journal.db-wal', 'journal.db-shm', 'logs', 'pods', 'proxies'];

/** Throws CliError when its port is taken, or its state directory is in use. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const unlock = lock(options.stateDir);
  const fresh = !existsSync(join(options.stateDir, 'journal.db'));
  const store = openStore({ dir: options.stateDir });
  const log = pino(
    { base: null, level: process.env['LATEEN_LOG_LEVEL'] ?? 'warn' },
    pino.destination({ dest: 2, sync: true }),
  );
  let files: FileIngest | null = null;
  const mesh = { ...DEFAULT_MESH, ...options.mesh };
  const traces = new TraceStore();
  try {
    const { host, port, runtime, ready, allowHosts } = options;
    const api = await createControlApi({
      host,
      port,
      store,
      runtime,
      ready,
      analyze: (resources) => analyze(resources, mesh),
      version: ownVersion(),
      problems: () => files?.problems() ?? [],
      allowHosts,
      parts: [(app) => traceRoutes(app, traces)],
      log,
    });
    if (options.watchDir !== null) files = ingestFiles({ dir: options.watchDir, store, log });
    return {
      api,
      store,
      fresh,
      async close() {
        files?.close();
        await api.close();
        store.close();
        unlock();
      },
    };
  } catch (error) {
    store.close();
    unlock();
    throw await explained(error, options);
  }
}

/** Removes the state of an earlier run. */
export function forget(stateDir: string): void {
  const unlock = lock(stateDir);
  for (const name of KEPT) rmSync(join(stateDir, name), { recursive: true, force: true });
  unlock();
}

/** One mesh for one state directory. A lock whose process has died counts for nothing. */
function lock(stateDir: string): () => void {
  // Secrets, logs and last configurations are nobody else's on this machine.
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const file = join(stateDir, 'pid');
  const holder = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  if (holder > 0 && holder !== process.pid && isAlive(holder)) {
    throw new CliError(`another lateen (process ${holder}) uses ${stateDir}.`, {
      hint: `Stop it (kill ${holder}), or give this one a place of its own: --state DIR with --port and --gateway-port.`,
    });
  }
  writeFileSync(file, String(process.pid));
  return () => rmSync(file, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function explained(error: unknown, { host, port }: ControlPlaneOptions): Promise<unknown> {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EACCES')
    return new CliError(`port ${port} on ${host} may not be bound.`, { hint: 'Choose one above 1023: --port N.' });
  if (code === 'EADDRNOTAVAIL') return new CliError(`${host} is no address of this machine.`, { exitCode: 2 });
  if (code !== 'EADDRINUSE') return error;
  const other = await fetch(`http://${host}:${port}/lateen/v1/ready`, { signal: AbortSignal.timeout(1000) }).then(
    (r) => r.status === 200 || r.status === 503,
    () => false,
  );
  return new CliError(
    `port ${port} on ${host} is taken${other ? ' by another lateen' : ''}; the control API needs it.`,
    {
      hint: other
        ? 'Stop the other one, or choose other ports: --port N --gateway-port M --state DIR.'
        : `Stop what listens there (ss -ltnp 'sport = :${port}'), or choose another port: --port N.`,
    },
  );
}

/** The control API with everything that belongs to it, as `up` and `control` start it. */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Auth } from '#control-api/auth.ts';
import { ingestFiles, type FileIngest } from '#control-api/ingest/file.ts';
import type { Readiness } from '#control-api/lateen-routes.ts';
import { advice } from '#control-api/members/advice.ts';
import { sliceNow, startControllers, type Controllers } from '#control-api/members/controllers.ts';
import { MEMBERS_FILE } from '#control-api/members/member-file.ts';
import { Members } from '#control-api/members/members.ts';
import { systemClock, type Clock } from '#control-api/runner/clock.ts';
import { tcpCheck } from '#control-api/runner/probe.ts';
import { watchTree } from '#proxy/sources/watch-tree.ts';
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
  /** Whom the control API is for; absent: everybody who reaches it. */
  readonly auth?: Auth | null;
  /** Directory of YAML files to follow; null: none. */
  readonly watchDir: string | null;
  readonly runtime: PodRuntime | null;
  readonly ready: () => Readiness | Promise<Readiness>;
  /** Resolves when whoever keeps endpoints has nothing left to do. Absent: nobody else does, and it is done here. */
  readonly idle?: () => Promise<void>;
  readonly mesh: Partial<MeshSettings>;
  /** For tests: by which leases of pods run out. */
  readonly clock?: Clock;
};

export type ControlPlane = {
  readonly api: ControlApi;
  readonly store: HistoryStore;
  /** No mesh has come up with this state before; one that found its port taken does not count. */
  readonly fresh: boolean;
  /** From now on it is not fresh any more, also after a restart. */
  begun(): void;
  close(): Promise<void>;
};

/** What a running mesh keeps in its state directory; `--fresh` removes just that. */
const KEPT = [
  'journal.db',
  'journal.db-wal',
  'journal.db-shm',
  'begun',
  'logs',
  'pods',
  'proxies',
  'mysql',
  MEMBERS_FILE,
];

const reach = (host: string, port: number, timeoutMs: number): Promise<string | null> =>
  tcpCheck({ host, port })(timeoutMs);

/** Throws CliError when its port is taken, or its state directory is in use. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const unlock = lock(options.stateDir);
  const begun = join(options.stateDir, 'begun');
  const store = openStore({ dir: options.stateDir });
  const fresh = !existsSync(begun) && store.list('Deployment', 'default').length === 0;
  const log = pino(
    { base: null, level: process.env['LATEEN_LOG_LEVEL'] ?? 'warn' },
    pino.destination({ dest: 2, sync: true }),
  );
  let files: FileIngest | null = null;
  let controllers: Controllers | null = null;
  let members: Members | null = null;
  const mesh = { ...DEFAULT_MESH, ...options.mesh };
  const traces = new TraceStore();
  try {
    const { host, port, runtime, ready, allowHosts, auth = null, clock = systemClock } = options;
    const told = (message: string): void => log.error(message);
    // Without a runner, somebody has to do what it does for pods that somebody else runs.
    if (options.idle === undefined) controllers = startControllers(store, told, clock);
    const idle = options.idle ?? (() => controllers?.idle() ?? Promise.resolve());
    members = new Members({ store, clock, reach, dir: options.stateDir, idle, onError: told });
    members.restore();
    sliceNow(store);
    const api = await createControlApi({
      host,
      port,
      store,
      runtime,
      ready,
      members,
      ...(controllers === null ? {} : { advise: (before, after) => advice(store, before, after) }),
      analyze: (resources) => analyze(resources, mesh),
      version: ownVersion(),
      problems: () => files?.problems() ?? [],
      allowHosts,
      auth,
      parts: [(app) => traceRoutes(app, traces)],
      log,
    });
    if (options.watchDir !== null) files = ingestFiles({ dir: options.watchDir, store, log, watch: watchTree });
    return {
      api,
      store,
      fresh,
      begun: () => writeFileSync(begun, ''),
      async close() {
        files?.close();
        await api.close();
        controllers?.stop();
        store.close();
        unlock();
      },
    };
  } catch (error) {
    members?.close();
    controllers?.stop();
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
  makeStateDir(stateDir);
  const file = join(stateDir, 'pid');
  const [holder = 0, since] = existsSync(file) ? readFileSync(file, 'utf8').split(' ').map(Number) : [];
  if (holder > 0 && holder !== process.pid && isAlive(holder, since)) {
    throw new CliError(`another lateen (process ${holder}) uses ${stateDir}.`, {
      hint: `Stop it (kill ${holder}), or give this one a place of its own: --state DIR with --port and --gateway-port.`,
    });
  }
  writeFileSync(file, [process.pid, startOf(process.pid) ?? []].flat().join(' '));
  return () => rmSync(file, { force: true });
}

/** Throws a CliError where it can be neither made nor written to, as in a container without a volume for it. */
function makeStateDir(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    accessSync(dir, constants.W_OK);
  } catch (error) {
    throw new CliError(
      `the state directory ${dir} cannot be made or written to (${(error as NodeJS.ErrnoException).code}).`,
      {
        hint: 'Choose another place: --state DIR. In a container, mount a volume there.',
      },
    );
  }
}

/** `since`: when that process started. Another that has its number by now is not it. */
function isAlive(pid: number, since: number | undefined): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const start = startOf(pid);
  return start === undefined || (start !== null && (since === undefined || start === since));
}

/**
 * When a process started, in clock ticks since the machine did; null when it is dead but not buried; undefined where there is no
 * telling (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html).
 */
function startOf(pid: number): number | null | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : Number(fields[19]);
  } catch {
    return undefined;
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

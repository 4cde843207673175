/**
 * Docker and docker compose for tests. What is made by a project goes with it, however the test ends.
 *
 * ```ts
 * const why = dockerReason();
 * test.runIf(process.env['LATEEN_REQUIRE_TOOLS'] === '1')('there is a Docker where it is required', () => assert.equal(why, null));
 * describe.skipIf(why !== null)(`in containers${why === null ? '' : ` (left out: ${why})`}`, () => {
 *   const mesh = composeProject('lt-mesh', { env: { COMPOSE_PROFILES: '' } });
 *   await mesh.run(['up', '--detach']);               // in beforeAll
 *   await docker(['kill', await mesh.container('control')]);
 *   await mesh[Symbol.asyncDispose]();                // in afterAll: down, with its volumes
 * ```
 */
import { execFile, spawnSync, type SpawnSyncReturns } from 'node:child_process';

const ROOT = new URL('../..', import.meta.url).pathname;
const MAKE_IMAGES = 'test/compose/images/make.sh';
const TIMEOUT_MS = 120_000;
/** What a command prints may be the logs of a whole mesh. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

export type RunOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** 120 000 by default; the command is killed then. */
  readonly timeoutMs?: number;
};

export type ComposeOptions = {
  /** Compose files, relative to `cwd`; by default the project's own. */
  readonly files?: readonly string[];
  /** By default the root of the repository. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** By default what `composeCommands` prefers. */
  readonly command?: readonly string[];
};

export type ComposeProject = AsyncDisposable & {
  readonly name: string;
  /** `docker compose ARGS` of this project; its stdout. Rejects with what it printed on stderr. */
  run(args: readonly string[], options?: RunOptions): Promise<string>;
  /** The id of the (first) container of a service, running or not; rejects when there is none. */
  container(service: string): Promise<string>;
};

let reason: string | null | undefined;

/** Null when there is a Docker that has every public image the compose file needs, and a compose; or a sentence why not. Asked once. */
export function dockerReason(): string | null {
  reason ??= composeReason() ?? daemonReason() ?? imagesReason();
  return reason;
}

/**
 * Every docker compose of this machine, the preferred one first: the plugin (version 2), then docker-compose (1.29).
 * LATEEN_COMPOSE says which one alone: `docker compose`, `docker-compose`, or the path of one.
 */
export function composeCommands(): readonly (readonly string[])[] {
  const asked = process.env['LATEEN_COMPOSE']?.trim() ?? '';
  if (asked !== '') return [asked.split(/\s+/)];
  return [['docker', 'compose'], ['docker-compose']].filter((command) => version(command).status === 0);
}

/** Runs docker; its stdout. Rejects with what it printed on stderr when it fails. */
export function docker(args: readonly string[], options: RunOptions = {}): Promise<string> {
  return run(['docker', ...args], options);
}

/** Whether an image is there: Grafana's, for example, can only be pulled. */
export function hasImage(name: string): boolean {
  return spawnSync('docker', ['image', 'inspect', name], { stdio: 'ignore' }).status === 0;
}

/** A project of a test's own. Containers, networks and volumes bear its name, so it is of one test alone. */
export function composeProject(name: string, options: ComposeOptions = {}): ComposeProject {
  const command = options.command ?? composeCommands()[0] ?? ['docker', 'compose'];
  const files = (options.files ?? []).flatMap((file) => ['--file', file]);
  const of = [...command, '--project-name', name, ...files];
  const compose = (args: readonly string[], more: RunOptions = {}): Promise<string> =>
    run([...of, ...args], { cwd: options.cwd ?? ROOT, ...more, env: { ...options.env, ...more.env } });
  const removeAtExit = (): void => removeAll(name);
  process.once('exit', removeAtExit);
  return {
    name,
    run: compose,
    container: async (service) => {
      const label = (key: string, value: string): string[] => ['--filter', `label=com.docker.compose.${key}=${value}`];
      const ids = await docker(['ps', '--all', '--quiet', ...label('project', name), ...label('service', service)]);
      const [id] = ids.split('\n');
      if (id === undefined || id === '') throw new Error(`project ${name} has no container of service ${service}`);
      return id;
    },
    [Symbol.asyncDispose]: async () => {
      await compose(['down', '--volumes', '--remove-orphans', '--timeout', '2']);
      removeAll(name);
      process.off('exit', removeAtExit);
    },
  };
}

function composeReason(): string | null {
  const [command] = composeCommands();
  if (command === undefined) return 'neither `docker compose` nor docker-compose is installed';
  const { status, error, stderr } = version(command);
  return status === 0 ? null : `LATEEN_COMPOSE=${command.join(' ')} does not run: ${error?.message ?? stderr.trim()}`;
}

function daemonReason(): string | null {
  const { status, error, stderr } = spawnSync('docker', ['version', '--format', '{{.Server.Version}}'], text());
  if (error !== undefined) return 'docker is not installed';
  return status === 0 ? null : `no Docker daemon answers: ${lastLine(stderr)}`;
}

function imagesReason(): string | null {
  const named = spawnSync('bash', [`${ROOT}${MAKE_IMAGES}`, '--names'], text());
  if (named.status !== 0)
    return `which images are needed is not known: ${named.error?.message ?? lastLine(named.stderr)}`;
  const missing = named.stdout.split('\n').filter((name) => name !== '' && !hasImage(name));
  return missing.length === 0 ? null : `no image ${missing.join(', ')} (docker pull, or ${MAKE_IMAGES})`;
}

const text = (): { encoding: 'utf8'; timeout: number } => ({ encoding: 'utf8', timeout: 10_000 });
const version = ([file = '', ...args]: readonly string[]): SpawnSyncReturns<string> =>
  spawnSync(file, [...args, 'version'], text());
const lastLine = (said: string): string => said.trim().split('\n').at(-1) ?? '';

function run([file = '', ...args]: readonly string[], options: RunOptions): Promise<string> {
  const { cwd = ROOT, env, input = '', timeoutMs = TIMEOUT_MS } = options;
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      args,
      { cwd, env: { ...process.env, ...env }, timeout: timeoutMs, maxBuffer: MAX_OUTPUT_BYTES, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const how = error.killed === true ? `was killed after ${timeoutMs} ms` : `ended with ${error.code}`;
        reject(new Error(`${[file, ...args].join(' ')} ${how}: ${stderr.trim()}\n${stdout.slice(-4000)}`));
      },
    );
    child.stdin?.on('error', () => {}).end(input);
  });
}

/** Without compose: for an end without goodbye, and for what another set of profiles left. */
function removeAll(project: string): void {
  const mine = ['--quiet', '--filter', `label=com.docker.compose.project=${project}`];
  for (const [list, remove] of [
    [
      ['ps', '--all'],
      ['rm', '--force', '--volumes'],
    ],
    [
      ['network', 'ls'],
      ['network', 'rm'],
    ],
    [
      ['volume', 'ls'],
      ['volume', 'rm'],
    ],
  ] as const) {
    const ids =
      spawnSync('docker', [...list, ...mine], text())
        .stdout?.split('\n')
        .filter((id) => id !== '') ?? [];
    if (ids.length > 0) spawnSync('docker', [...remove, ...ids], { stdio: 'ignore', timeout: 30_000 });
  }
}

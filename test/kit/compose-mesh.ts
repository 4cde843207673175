/** The mesh of docker-compose.yml, as a project of a test's own: made from the sources as they are, on ports that nobody else has. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { composeCommands, composeProject, docker, type ComposeProject } from './docker.ts';
import { freePorts, pause, run, steer, type Ran, type Steered } from './steer.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const WHOLE_MS = 60_000;
export const WORKLOADS = [
  'details-v1',
  'productpage-v1',
  'ratings-v1',
  'reviews-v1',
  'reviews-v2',
  'reviews-v3',
] as const;

export type ComposeMeshOptions = {
  /** As `.env` and the environment would set them: OUTBOUND_POLICY, COMPOSE_PROFILES (by default none). */
  readonly env?: Readonly<Record<string, string>>;
  /** Instead of docker-compose.yml: an absolute path. */
  readonly file?: string;
  /** What an override file of its own says beside docker-compose.yml, as the object that its YAML is. */
  readonly override?: object;
};

export type ComposeMesh = AsyncDisposable &
  Steered & {
    readonly project: ComposeProject;
    readonly zipkin: string;
    readonly prometheus: string;
    /** With these, any `docker compose` means this mesh. */
    readonly environment: Readonly<Record<string, string>>;
    /** Of this test: gone with the mesh. */
    readonly dir: string;
    /** `docker compose ARGS`, with more environment on top of the mesh's own. */
    compose(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
    /** `docker compose exec -T SERVICE COMMAND`. */
    exec(service: string, ...command: readonly string[]): Promise<string>;
    /** What a service has logged so far, without the names of services before its lines. */
    logs(service: string): Promise<string>;
    /** ./lateen, from this machine. */
    lateen(...args: readonly string[]): Promise<Ran>;
    /** `docker inspect` of a service's container. */
    inspect(service: string): Promise<Container>;
    /** Back once every pod is ready, and every proxy runs with what was last applied. */
    whole(): Promise<void>;
  };

export type Container = {
  readonly Id: string;
  readonly RestartCount: number;
  readonly State: { readonly Status: string; readonly StartedAt: string; readonly ExitCode: number };
};

/** Builds the image as the sources are (a second when nothing has changed), starts the mesh, and waits until it is whole. */
export async function startComposeMesh(name: string, options: ComposeMeshOptions = {}): Promise<ComposeMesh> {
  await buildImage();
  const mesh = await composeMesh(name, options);
  try {
    await mesh.compose(['up', '--detach']);
    await mesh.whole();
  } catch (error) {
    await mesh[Symbol.asyncDispose]();
    throw error;
  }
  return mesh;
}

/** A second when nothing has changed. */
export const buildImage = (): Promise<string> =>
  docker(['build', '--network', 'host', '--quiet', '--tag', 'lateen', '.']);

/** The same, not yet started; the image must be there. */
export async function composeMesh(
  name: string,
  { env = {}, file: main = join(ROOT, 'docker-compose.yml'), override = {} }: ComposeMeshOptions,
): Promise<ComposeMesh> {
  const dir = await mkdtemp(join(tmpdir(), `${name}-`));
  const file = join(dir, 'override.yml');
  await writeFile(file, JSON.stringify(override));
  // One without services is of version 1 to docker-compose 1.29, which takes no two versions together.
  const files = Object.keys(override).length === 0 ? [main] : [main, file];
  const names = ['GATEWAY_PORT', 'GATEWAY_TLS_PORT', 'CONTROL_PORT', 'ZIPKIN_PORT', 'PROMETHEUS_PORT', 'GRAFANA_PORT'];
  const free = await freePorts(names.length);
  const ports = Object.fromEntries(names.map((port, i) => [port, String(free[i])]));
  const settings = { COMPOSE_PROFILES: '', LATEEN_ZIPKIN: '', LATEEN_BIND: '127.0.0.1', ...ports, ...env };
  const project = composeProject(name, {
    files,
    env: settings,
    command: [...(composeCommands()[0] ?? []), '--project-directory', ROOT],
  });
  const url = (port: string): string => `http://127.0.0.1:${settings[port as keyof typeof settings]}`;
  const [control, gateway] = [url('CONTROL_PORT'), url('GATEWAY_PORT')];
  const steered = steer(control, gateway, join(dir, 'kubectl-cache'));
  const whole = async (): Promise<void> => {
    const deadline = performance.now() + WHOLE_MS;
    for (;;) {
      const missing = await notWhole(control);
      if (missing === null) return;
      if (performance.now() > deadline) throw new Error(`the mesh does not become whole: ${missing}`);
      await pause(100);
    }
  };
  const compose = (args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<string> =>
    project.run(args, { env: more });
  return {
    ...steered,
    project,
    dir,
    environment: { ...settings, COMPOSE_PROJECT_NAME: name, COMPOSE_FILE: files.join(':') },
    zipkin: url('ZIPKIN_PORT'),
    prometheus: url('PROMETHEUS_PORT'),
    compose,
    whole,
    exec: (service, ...command) => compose(['exec', '-T', service, ...command]),
    logs: (service) => compose(['logs', '--no-color', '--no-log-prefix', service]),
    lateen: (...args) => run('./lateen', [...args, '--server', control]),
    inspect: async (service) =>
      (JSON.parse(await docker(['inspect', await project.container(service)])) as [Container])[0],
    [Symbol.asyncDispose]: async () => {
      await project[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** What is missing, in words; null when nothing is. */
async function notWhole(control: string): Promise<string | null> {
  try {
    const pods = (await (await fetch(`${control}/api/v1/pods`)).json()) as { readonly items: readonly PodView[] };
    const ready = pods.items.filter(({ status }) =>
      status.conditions.some((c) => c.type === 'Ready' && c.status === 'True'),
    );
    const names = new Set(ready.map(({ metadata }) => metadata.name));
    const unready = ['gateway', ...WORKLOADS].filter((name) => !names.has(name));
    if (unready.length > 0) return `not ready: ${unready.join(', ')}`;
    const { proxies } = (await (await fetch(`${control}/lateen/v1/proxies`)).json()) as {
      proxies: readonly ProxyView[];
    };
    const behind = proxies.filter(({ sync }) => sync !== 'SYNCED').map(({ proxy, sync }) => `${proxy} ${sync}`);
    return behind.length > 0 ? behind.join(', ') : null;
  } catch (error) {
    return `${control}: ${(error as Error).message}`;
  }
}

type PodView = {
  readonly metadata: { readonly name: string };
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
};
type ProxyView = { readonly proxy: string; readonly sync: string };

/** Which container of a docker compose project is which container of a pod. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { badRequest, unavailable } from '../kube/status-error.ts';
import type { Engine } from './engine.ts';

const PROXY = 'istio-proxy';

/** Set by docker compose, version 1 and 2 alike. */
const PROJECT = 'com.docker.compose.project';
const SERVICE = 'com.docker.compose.service';
const NUMBER = 'com.docker.compose.container-number';
/** Of `docker compose run`: not what a pod consists of. */
const ONE_OFF = 'com.docker.compose.oneoff';

export type Container = { readonly id: string; readonly service: string };

type Listed = { readonly Id: string; readonly Labels: Readonly<Record<string, string>> };

/**
 * The services of a pod are called like it: `reviews-v1` is the application, `reviews-v1-sidecar` the proxy; a gateway is one service.
 * `project`: null for the one that this process itself is part of. Throws a StatusError when there is no such container.
 */
export async function containerOfPod(
  engine: Engine,
  project: string | null,
  pod: string,
  container: string,
): Promise<Container> {
  const own = await ownContainer(engine);
  const name = project ?? own?.project ?? process.env['COMPOSE_PROJECT_NAME'] ?? '';
  if (name === '')
    throw unavailable(
      'which docker compose project the pods belong to is not known: this process runs in none; say it with --docker-project',
    );
  const filters = encodeURIComponent(JSON.stringify({ label: [`${PROJECT}=${name}`] }));
  const listed = ((await engine.ask('GET', `/containers/json?all=1&filters=${filters}`)) ?? []) as readonly Listed[];
  // Never this process's own: it has the Docker socket, and so the machine. What it runs for others must not reach that.
  const candidates = listed.filter(({ Id, Labels }) => Id !== own?.id && Labels[ONE_OFF] !== 'True');
  const services = container === PROXY ? [`${pod}-sidecar`, pod] : [pod];
  for (const service of services) {
    const [first] = candidates
      .filter(({ Labels }) => Labels[SERVICE] === service)
      .sort((a, b) => Number(a.Labels[NUMBER]) - Number(b.Labels[NUMBER]));
    if (first !== undefined) return { id: first.Id, service };
  }
  const known = [...new Set(candidates.map(({ Labels }) => Labels[SERVICE] ?? ''))]
    .sort((a, b) => (a < b ? -1 : 1))
    .join(', ');
  throw badRequest(
    `container "${container}" of pod "${pod}": docker compose project ${name} has no container of a service ${services.join(' or ')}; ` +
      (known === '' ? 'it has no containers' : `it has ${known}`),
  );
}

type Own = { readonly id: string; readonly project: string | undefined };

/** The container this process runs in; null: in none that Docker knows. */
async function ownContainer(engine: Engine): Promise<Own | null> {
  const found = (await engine.ask('GET', `/containers/${encodeURIComponent(ownId())}/json`)) as {
    readonly Id: string;
    readonly Config: { readonly Labels?: Readonly<Record<string, string>> | null };
  } | null;
  return found === null ? null : { id: found.Id, project: found.Config.Labels?.[PROJECT] };
}

/** Docker mounts /etc/hostname from a directory called by the container's id; without that, the host name is its beginning. */
function ownId(): string {
  try {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    return /\/containers\/([0-9a-f]{64})\/hostname /.exec(mounts)?.[1] ?? hostname();
  } catch {
    return hostname();
  }
}

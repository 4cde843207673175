/** One container of a Deployment as a service of docker compose: what of it compose can say. What it cannot say is an error at its place. */
import type { Report } from '#proxy/istio/report.ts';
import { shown } from '#proxy/istio/shown.ts';
import { isRecord } from '#proxy/istio/validate.ts';
import type { Images } from '../control-api/runner/image.ts';
import type { ContainerSpec, Pod, Probe } from '../control-api/runner/object.ts';
import { composeEnvironment, expanded, type Surroundings } from './compose-environment.ts';
import { BASES, healthOf, literal, type ComposeService, type ComposeValue, type Part } from './compose-file.ts';

/** `sidecar`: does one stand beside it? */
export type Place = Surroundings & { readonly images: Images; readonly sidecar: boolean };

/** Who the proxy is: what it sends is not redirected. */
const PROXY_ID = 1337;
/** With one of these, an application could take its redirection away. */
const TOO_MUCH = /^(?:CAP_)?(?:ALL|NET_ADMIN|SYS_ADMIN|SYS_MODULE|SYS_PTRACE)$/i;

/** Services of BookInfo that answer /health, and those of them that may keep their data in the database (docs/mysql.md). */
const SERVE_HTTP: ReadonlySet<string> = new Set(['productpage', 'details', 'reviews', 'ratings']);
const ON_DATABASE: ReadonlySet<string> = new Set(['details', 'reviews', 'ratings']);
const DATABASE = {
  MYSQL_DB_HOST: '${MYSQL_DB_HOST-}',
  MYSQL_DB_PORT: '3306',
  MYSQL_DB_USER: 'book_user',
  MYSQL_DB_PASSWORD: '${MYSQL_DB_PASSWORD-password}',
};

/** The command of this very image that the container stands for (config/images.yaml); null: an image of its own. */
export function lateenCommand(container: ContainerSpec, images: Images): readonly string[] | null {
  const words = container.command ?? images.find(container.image ?? '')?.command ?? [];
  return words[0] === 'lateen' ? [...words.slice(1), ...(container.args ?? [])] : null;
}

const bookinfo = (words: readonly string[] | null): string => (words?.[0] === 'bookinfo' ? (words[1] ?? '') : '');

/** Without its networks, its volumes and whom it waits for: those are the pod's. */
export function containerPart(container: ContainerSpec, place: Place, at: Report): Part {
  const words = lateenCommand(container, place.images);
  return words === null ? anyImage(container, place, at) : ourImage(container, words, place, at);
}

function ourImage(container: ContainerSpec, words: readonly string[], place: Place, at: Report): Part {
  const service = bookinfo(words);
  const http = SERVE_HTTP.has(service);
  const port = firstPort(container) ?? 9080;
  const known = place.images.find(container.image ?? '')?.env ?? {};
  const base: Record<string, string> = {
    ...(http ? { LISTEN_HOST: '0.0.0.0', SHUTDOWN_DELAY: '3s' } : {}),
    ...(ON_DATABASE.has(service) ? DATABASE : {}),
    ...(place.sidecar ? { LATEEN_POD_FILE: `/run/lateen/pods/${place.pod.metadata.name}` } : {}),
    ...(http && port !== 9080 ? { PORT: String(port) } : {}),
    ...Object.fromEntries(Object.entries(known).map(([name, value]) => [name, literal(value)])),
  };
  const environment = composeEnvironment(container, base, place, at);
  // The image's own check asks a proxy.
  const health = http ? healthOf(port) : { disable: true };
  const own: ComposeService = {
    command: words.map((word) => expanded(word, environment)),
    ...rights(container, place, at, BASES.bookinfo),
    ...limits(container, at),
    ...(http && port === 9080 ? {} : { healthcheck: health }),
  };
  return { base: 'bookinfo', own: { ...own, environment } };
}

function anyImage(container: ContainerSpec, place: Place, at: Report): Part {
  const { image = '', command, args, workingDir } = container;
  const environment = composeEnvironment(container, {}, place, at);
  const words = (list: readonly string[]): readonly string[] => list.map((word) => expanded(word, environment));
  const own: ComposeService = {
    image: literal(image),
    ...(command === undefined ? {} : { entrypoint: words(command) }),
    ...(args === undefined ? {} : { command: words(args) }),
    ...(workingDir === undefined ? {} : { working_dir: literal(workingDir) }),
    ...rights(container, place, at, {}),
    ...limits(container, at),
    ...execHealth(container.readinessProbe),
  };
  return { base: 'container', own: Object.keys(environment).length === 0 ? own : { ...own, environment } };
}

/** securityContext, of the container and of its Pod. */
function rights(container: ContainerSpec, { pod, sidecar }: Place, at: Report, base: ComposeService): ComposeService {
  const of = (given: unknown, where: Report): Readonly<Record<string, unknown>> => {
    if (given !== undefined && !isRecord(given)) where.error('expected a mapping of fields');
    return isRecord(given) ? given : {};
  };
  const here = at.at('securityContext');
  const context = {
    ...of(fieldOf(pod.spec, 'securityContext'), at.elsewhere('spec', 'template', 'spec', 'securityContext')),
    ...of(fieldOf(container, 'securityContext'), here),
  };
  const id = (name: 'runAsUser' | 'runAsGroup'): number | undefined => {
    const value = context[name];
    if (value === undefined) return undefined;
    if (!Number.isSafeInteger(value) || (value as number) < 0)
      here.at(name).error(`expected a number, got ${say(value)}`);
    if (value === PROXY_ID && sidecar)
      here
        .at(name)
        .error(`expected another id than ${PROXY_ID}: that is the sidecar's, whose connections are not redirected`);
    return value as number;
  };
  const [user, group] = [id('runAsUser'), id('runAsGroup')];
  if (user === undefined && group !== undefined)
    here.at('runAsGroup').error('expected runAsUser beside it: docker compose names a group only after a user');
  if (context['privileged'] === true && sidecar)
    here.at('privileged').error('expected false: it could take its redirection away');
  const { add, drop } = of(context['capabilities'], here.at('capabilities'));
  const names = (list: unknown, which: string): readonly string[] => {
    const texts = Array.isArray(list) ? list.map(String) : [];
    if (list !== undefined && (!Array.isArray(list) || texts.some((name) => !/^[A-Z_]+$/.test(name))))
      here.at('capabilities', which).error('expected a list of capabilities such as NET_BIND_SERVICE');
    return texts;
  };
  const added = names(add, 'add');
  const bad = added.find((name) => TOO_MUCH.test(name));
  if (bad !== undefined && sidecar)
    here.at('capabilities', 'add').error(`expected no ${bad}: with it, it could take its redirection away`);
  const dropped = names(drop, 'drop');
  return {
    ...(user === undefined ? {} : { user: group === undefined ? String(user) : `${user}:${group}` }),
    ...(context['privileged'] === true ? { privileged: true } : {}),
    ...(added.length === 0 ? {} : { cap_add: added }),
    ...(dropped.length === 0 || base['cap_drop'] !== undefined ? {} : { cap_drop: dropped }),
    ...(context['allowPrivilegeEscalation'] === false ? { security_opt: ['no-new-privileges:true'] } : {}),
    ...(context['readOnlyRootFilesystem'] === true ? { read_only: true } : {}),
  };
}

/** resources.limits, which `docker compose` takes without a swarm under these names alone. */
function limits(container: ContainerSpec, at: Report): ComposeService {
  const resources = fieldOf(container, 'resources');
  const given: unknown = isRecord(resources) ? (resources['limits'] ?? {}) : {};
  const here = at.at('resources', 'limits');
  if (!isRecord(given)) here.error('expected a mapping of names to amounts');
  const found: Record<string, ComposeValue> = {};
  for (const [name, value] of Object.entries(isRecord(given) ? given : {})) {
    const amount = quantity(value);
    if (name !== 'memory' && name !== 'cpu') here.at(name).warning('docker compose has no such limit: left out');
    else if (amount === null) here.at(name).error(`expected an amount such as 500m or 128Mi, got ${say(value)}`);
    else if (name === 'cpu') found['cpus'] = amount;
    else found['mem_limit'] = amount % 2 ** 20 === 0 ? `${amount / 2 ** 20}m` : `${Math.ceil(amount)}b`;
  }
  return found;
}

/** Kubernetes' amounts (k8s.io/apimachinery, resource.Quantity); null: it is none, or nothing. */
export function quantity(value: unknown): number | null {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(m|k|[KMGT]i|[MGT])?$/.exec(say(value)) ?? [];
  const power = 'kMGT'.indexOf(unit.slice(0, 1).replace('K', 'k')) + 1;
  const factor = unit === 'm' ? 0.001 : unit === '' ? 1 : (unit.endsWith('i') ? 1024 : 1000) ** power;
  return number === undefined || Number(number) === 0 ? null : Number(number) * factor;
}

/** A probe that is a command can only be run by Docker; it is shown by `docker compose ps`. */
function execHealth(probe: Probe | undefined): ComposeService {
  const command = probe?.exec?.command;
  if (command === undefined) return {};
  const { periodSeconds = 10, timeoutSeconds = 1, failureThreshold = 3, initialDelaySeconds = 0 } = probe!;
  const test = ['CMD', ...command.map(literal)];
  const times = { interval: `${periodSeconds}s`, timeout: `${timeoutSeconds}s`, retries: failureThreshold };
  return { healthcheck: { test, ...times, start_period: `${initialDelaySeconds}s` } };
}

/** Where the sidecar asks whether the application is ready; null: nowhere, and it always counts as ready. */
export function probeUrl(container: ContainerSpec, place: Place, at: Report): string | null {
  const { httpGet, tcpSocket, exec } = container.readinessProbe ?? {};
  const here = at.at('readinessProbe');
  const first = firstPort(container);
  const listens = (port: number | null): string | null => (port === null ? null : `tcp://127.0.0.1:${port}`);
  if (httpGet !== undefined) {
    const port = portOf(container, httpGet.port, here.at('httpGet', 'port'));
    if ((httpGet as { scheme?: string }).scheme === 'HTTPS') {
      here.at('httpGet', 'scheme').warning('HTTPS is not asked: ready means that the port takes connections');
      return listens(port);
    }
    if (httpGet.httpHeaders !== undefined) here.at('httpGet', 'httpHeaders').warning('left out of the request');
    const path = httpGet.path ?? '/';
    return literal(`http://127.0.0.1:${port}${new URL(`http://x/${path.replace(/^\/+/, '')}`).href.slice(8)}`);
  }
  if (tcpSocket !== undefined) return listens(portOf(container, tcpSocket.port, here.at('tcpSocket', 'port')));
  if (exec !== undefined)
    here
      .at('exec')
      .warning('only Docker can run it (docker compose ps): for the mesh, ready means that the port takes connections');
  if (SERVE_HTTP.has(bookinfo(lateenCommand(container, place.images))))
    return `http://127.0.0.1:${first ?? 9080}/health`;
  return listens(first);
}

/** TCP ports of containers, each once. */
export const tcpPorts = (containers: readonly ContainerSpec[]): readonly number[] => [
  ...new Set(
    containers.flatMap(({ ports = [] }) =>
      ports.filter(({ protocol = 'TCP' }) => protocol === 'TCP').map(({ containerPort }) => containerPort),
    ),
  ),
];

const firstPort = (container: ContainerSpec): number | null => tcpPorts([container])[0] ?? null;

function portOf({ ports = [] }: ContainerSpec, port: number | string, at: Report): number {
  const found = typeof port === 'number' ? port : (ports.find((p) => p.name === port)?.containerPort ?? Number(port));
  if (Number.isInteger(found) && found >= 1 && found <= 65_535) return found;
  at.error(`expected a port or the name of one of the container's, got ${say(port)}`);
  return 1;
}

/** A field that the schema of Deployments lets pass as it is. */
export const fieldOf = (object: Pod['spec'] | ContainerSpec, name: string): unknown =>
  (object as unknown as Readonly<Record<string, unknown>>)[name];

/** Of anything, for a message or a pattern. */
const say = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : shown(JSON.stringify(value) ?? 'nothing');

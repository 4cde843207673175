/** What each container of a Pod means as processes: its program, its environment, its probes. */
import { noProxyOf, type OutboundRanges } from '#proxy/istio/interception.ts';
import type { Store } from '../store.ts';
import { MissingImageError, type ContainerPlan } from './container.ts';
import { containerEnv, expand } from './environment.ts';
import type { Images } from './image.ts';
import { injectedAnnotations, PROXY } from './inject.ts';
import type { ContainerSpec, Pod, Probe } from './object.ts';
import { EAGER, timingOf, type Check, type Probes, type Target, type Watch } from './probe.ts';
import { proxyArgv, type AppPort, type ProxySettings } from './proxy-program.ts';
import type { Program } from './process.ts';

export type PodSettings = ProxySettings & {
  readonly images: Images;
  /** What every process gets of the runner's environment. */
  readonly baseEnv: Readonly<Record<string, string>>;
  /** Where applications run. */
  readonly cwd: string;
  readonly probes: Probes;
  /** Which addresses applications reach through their sidecars, where their Pod does not say. */
  readonly outbound: OutboundRanges;
};

/** What was found for a Pod when it was started. */
export type PodPlace = {
  readonly ip: string;
  /** Empty for a Pod without a sidecar: its application listens on the Pod's address itself. */
  readonly apps: readonly AppPort[];
  readonly sidecar: boolean;
};

/** Runs a command in the container's environment: the exec probe. */
export type ExecCheck = (container: string, command: readonly string[], timeoutMs: number) => Promise<string | null>;

export function containerPlan(
  settings: PodSettings,
  store: Store,
  pod: Pod,
  container: ContainerSpec,
  place: PodPlace,
  exec: ExecCheck,
): ContainerPlan {
  const proxy = container.name === PROXY;
  const target = (port: number | string): Target =>
    proxy ? { host: place.ip, port: portOf(container, port) } : appTarget(container, port, place);
  const watch = (probe: Probe | undefined): Watch | null => {
    const check = probe === undefined ? null : checkOf(settings.probes, probe, container.name, target, exec);
    return probe === undefined || check === null ? null : { check, timing: timingOf(probe) };
  };
  const first = container.ports?.[0]?.containerPort;
  const listens: Watch | null =
    first === undefined ? null : { check: settings.probes.tcp(target(first)), timing: EAGER };
  const readyOfProxy: Watch = {
    check: settings.probes.http({ host: place.ip, port: 15021 }, '/healthz/ready'),
    timing: EAGER,
  };
  return {
    name: container.name,
    image: container.image ?? '',
    program: () =>
      proxy ? proxyProgram(settings, store, pod, container, place) : appProgram(settings, store, pod, container, place),
    restart: proxy ? 'Always' : (pod.spec.restartPolicy ?? 'Always'),
    startup: proxy
      ? readyOfProxy
      : (watch(container.startupProbe) ?? (container.readinessProbe === undefined ? listens : null)),
    readiness: watch(container.readinessProbe),
    liveness: watch(container.livenessProbe),
    graceMs: (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000,
  };
}

function proxyProgram(
  settings: PodSettings,
  store: Store,
  pod: Pod,
  container: ContainerSpec,
  { ip, apps }: PodPlace,
): Program {
  const env = containerEnv(store, pod, container, settings.baseEnv);
  return { argv: proxyArgv(settings, store, pod, container, ip, apps), env, cwd: settings.cwd };
}

function appProgram(settings: PodSettings, store: Store, pod: Pod, container: ContainerSpec, place: PodPlace): Program {
  const image = container.image ?? '';
  const known = settings.images.find(image);
  if (known === null && container.command === undefined) {
    throw new MissingImageError(
      `no command is known for this image: add an entry for it to ${settings.images.file}, or give the container a command`,
    );
  }
  const own = podEnv(pod, place, settings.outbound);
  const port = portEnv(container, place);
  const env = {
    ...containerEnv(store, pod, container, { ...settings.baseEnv, ...own, ...port, ...known?.env }),
    ...port,
  };
  const args = container.args ?? [];
  const words = container.command === undefined ? [...known!.command, ...args] : [...container.command, ...args];
  const argv = words.map((word) => expand(word, env));
  return {
    argv: argv[0] === 'lateen' ? [...settings.lateen, ...argv.slice(1)] : argv,
    env,
    cwd: container.workingDir ?? settings.cwd,
  };
}

/** What a process finds about its Pod; with a sidecar, the ordinary proxy variables lead HTTP clients through it. */
function podEnv({ metadata, spec }: Pod, { ip, sidecar }: PodPlace, outbound: OutboundRanges): Record<string, string> {
  const { name, namespace, annotations } = metadata;
  const proxy = `http://${ip}:15001`;
  const ranges = sidecar ? noProxyOf({ ...injectedAnnotations(spec), ...annotations }, outbound) : '';
  // What a Pod says to its own address is not redirected by Istio's rules either; listeners of a Sidecar may wait there.
  const direct = ranges === '' ? ip : `${ip},${ranges}`;
  return {
    HOSTNAME: name,
    POD_NAME: name,
    POD_NAMESPACE: namespace,
    POD_IP: ip,
    SERVICE_ACCOUNT: spec.serviceAccountName ?? 'default',
    ...(sidecar
      ? {
          http_proxy: proxy,
          HTTP_PROXY: proxy,
          https_proxy: proxy,
          HTTPS_PROXY: proxy,
          no_proxy: direct,
          NO_PROXY: direct,
        }
      : {}),
  };
}

/** PORT of the container's first port, and PORT_<n> of each. */
function portEnv(container: ContainerSpec, { ip, apps, sidecar }: PodPlace): Record<string, string> {
  const env: Record<string, string> = { LISTEN_HOST: sidecar ? '127.0.0.1' : ip };
  for (const { containerPort } of (container.ports ?? []).toReversed()) {
    const real = apps.find((app) => app.containerPort === containerPort)?.port ?? containerPort;
    env[`PORT_${containerPort}`] = String(real);
    env['PORT'] = String(real);
  }
  return env;
}

function checkOf(
  probes: Probes,
  probe: Probe,
  container: string,
  target: (port: number | string) => Target,
  exec: ExecCheck,
): Check | null {
  const { httpGet, tcpSocket } = probe;
  if (httpGet !== undefined) {
    const headers = Object.fromEntries((httpGet.httpHeaders ?? []).map(({ name, value }) => [name, value]));
    return probes.http(target(httpGet.port), httpGet.path ?? '/', headers);
  }
  if (tcpSocket !== undefined) return probes.tcp(target(tcpSocket.port));
  const command = probe.exec?.command;
  return command === undefined ? null : (timeout) => exec(container, command, timeout);
}

const portOf = ({ ports = [] }: ContainerSpec, port: number | string): number =>
  typeof port === 'number' ? port : (ports.find((p) => p.name === port)?.containerPort ?? Number(port));

/** Probes go to the application itself, not through its sidecar (Istio: rewriteAppHTTPProbers). */
function appTarget(container: ContainerSpec, port: number | string, { ip, apps, sidecar }: PodPlace): Target {
  const containerPort = portOf(container, port);
  const real = apps.find((app) => app.containerPort === containerPort)?.port ?? containerPort;
  return { host: sidecar ? '127.0.0.1' : ip, port: real };
}

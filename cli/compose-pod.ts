/**
 * A Deployment as services of docker compose, three to a pod as in docker-compose.yml: what holds its network and redirects its connections, the
 * application (more of them when it has more containers), and the sidecar. What kube-inject is for Kubernetes.
 */
import type { Report } from '#proxy/istio/report.ts';
import { shown } from '#proxy/istio/shown.ts';
import { PROXY, SKIPPED_INIT, wantsSidecar } from '../control-api/runner/inject.ts';
import type { ContainerSpec, Deployment, Pod } from '../control-api/runner/object.ts';
import { isGateway } from '../control-api/runner/proxy-program.ts';
import { containerPart, lateenCommand, probeUrl, tcpPorts, type Place } from './compose-container.ts';
import {
  BASES,
  literal,
  REDIRECT,
  RULES_ARE_SET,
  SIDECAR_ENV,
  type ComposeFile,
  type ComposeValue,
  type Part,
} from './compose-file.ts';
import { redirectFlags } from './compose-redirect.ts';
import { podVolumes } from './compose-volumes.ts';

export type PodFile = ComposeFile & { readonly sidecar: boolean };
type Around = Pick<Place, 'images' | 'find' | 'wanted'>;
type Condition = 'service_started' | 'service_healthy' | 'service_completed_successfully';
/** A container of the pod: what it is called as a service, and where it stands. */
type Member = { readonly service: string; readonly container: ContainerSpec; readonly at: Report };

/** Docker's limit for a host name. */
const LONGEST = 63;
/** What withdrawing from the mesh may take, beside requests in flight (proxy/registration.ts). */
const WITHDRAW_S = 8;

/** The n-th pod of a Deployment: `reviews-v3`, `reviews-v3-2`, `reviews-v3-3` … */
export const podName = (deployment: Deployment, n: number): string =>
  n === 1 ? deployment.metadata.name : `${deployment.metadata.name}-${n}`;

/** Services and volumes of one pod, called `name`. What compose cannot do is an error of `report`, a cursor at the top of the Deployment. */
export function composePod(deployment: Deployment, name: string, around: Around, report: Report): PodFile {
  const { template } = deployment.spec;
  const { namespace } = deployment.metadata;
  const { labels, annotations } = template.metadata ?? {};
  const account = (template.spec as { serviceAccount?: string }).serviceAccount;
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, ...(labels && { labels }), ...(annotations && { annotations }) },
    spec: { ...(account === undefined ? {} : { serviceAccountName: account }), ...template.spec },
  };
  if (name.length > LONGEST)
    report.at('metadata', 'name').error(`expected pods of at most ${LONGEST} characters, got ${shown(name)}`);
  const at = report.at('spec', 'template', 'spec');
  const { containers, initContainers = [] } = pod.spec;
  const gateway = containers.findIndex(isGateway);
  if (gateway >= 0)
    at.at('containers', gateway).error('is a gateway, which docker-compose.yml has as a service of its own');
  const sidecar = wantsSidecar(pod, around.find('Namespace', namespace)) || containers.some((c) => c.name === PROXY);
  const member = (list: 'containers' | 'initContainers') => (container: ContainerSpec, i: number) => ({
    service: `${name}-${container.name}`,
    container,
    at: at.at(list, i),
  });
  const inits = initContainers.map(member('initContainers')).filter((m) => !SKIPPED_INIT.has(m.container.name));
  const beside = inits.filter((m) => m.container.restartPolicy === 'Always');
  const apps = containers.map(member('containers')).filter((m) => m.container.name !== PROXY);
  const [first, ...others] = apps;
  if (first === undefined) at.at('containers').error('expected a container besides the sidecar');
  if (first === undefined) return { services: {}, volumes: {}, sidecar };
  return services(
    pod,
    deployment.metadata.name,
    { ...around, pod, sidecar },
    {
      inits: inits.filter((m) => !beside.includes(m)),
      apps: [{ ...first, service: name }, ...others, ...beside],
      at,
    },
  );
}

type Members = { readonly inits: readonly Member[]; readonly apps: readonly Member[]; readonly at: Report };

function services(pod: Pod, workload: string, place: Place, { inits, apps, at }: Members): PodFile {
  const { name } = pod.metadata;
  const { sidecar } = place;
  const all = [...inits, ...apps];
  const volumes = podVolumes(
    pod,
    all.map((m) => [m.container, m.at] as const),
    at,
  );
  const holder = sidecar ? `${name}-pod` : name;
  const found: Record<string, Part> = {};
  const parts = all.map(({ container, at: here }) => containerPart(container, place, here));
  // Whatever is Lateen's waits by itself until the redirect rules of its network are set (LATEEN_POD_FILE).
  const patient = parts.every(({ base }) => base === 'bookinfo');
  if (sidecar) found[holder] = network(pod, Object.keys(volumes.shared), patient, at);
  const grace = pod.spec.terminationGracePeriodSeconds;
  let before: Readonly<Record<string, Condition>> = sidecar
    ? { [holder]: patient ? 'service_started' : 'service_healthy' }
    : {};
  for (const [i, { service, container, at: here }] of all.entries()) {
    const init = inits.some((m) => m.service === service);
    if (init && sidecar)
      here.warning('runs before the sidecar, so that it reaches nothing by TCP, as with Istio in Kubernetes');
    const { base, own } = parts[i]!;
    const mounts = volumes.of(container);
    const known: readonly string[] = base === 'bookinfo' ? BASES.bookinfo.tmpfs : [];
    const tmpfs = [...known.filter((path) => !mounts.tmpfs.some((m) => m.startsWith(`${path}:`))), ...mounts.tmpfs];
    // The network files are of no use without a network of its own.
    const binds = [...(base === 'bookinfo' && sidecar ? BASES.bookinfo.volumes : []), ...mounts.volumes];
    const waits = !sidecar && base === 'bookinfo' ? { control: 'service_started' as const, ...before } : before;
    found[service] = {
      base,
      own: {
        ...(!sidecar && service === holder
          ? { hostname: name, networks: { mesh: { aliases: [`${name}.pod`] } } }
          : { network_mode: `service:${holder}` }),
        ...own,
        ...(mounts.tmpfs.length === 0 ? {} : { tmpfs }),
        ...(mounts.volumes.length === 0 && (base !== 'bookinfo' || sidecar) ? {} : { volumes: binds }),
        ...(grace === undefined ? {} : { stop_grace_period: `${grace}s` }),
        ...(init ? { restart: 'no' } : {}),
        ...(Object.keys(waits).length === 0 ? {} : { depends_on: dependsOn(waits) }),
      },
    };
    if (init) before = { ...before, [service]: 'service_completed_successfully' };
    // Without one that holds the network, the first does.
    else if (service === holder) before = { ...before, [service]: 'service_started' };
  }
  if (sidecar) found[`${name}-sidecar`] = sidecarOf(pod, workload, place, apps);
  return { services: found, volumes: volumes.shared, sidecar };
}

function network(pod: Pod, shared: readonly string[], patient: boolean, at: Report): Part {
  const { name } = pod.metadata;
  const flags = redirectFlags(pod, at.elsewhere('spec', 'template', 'metadata', 'annotations'));
  const same = JSON.stringify(flags) === JSON.stringify(REDIRECT);
  // A volume in memory is there for as long as somebody has it: this container, so that it lives as long as the pod.
  const volumes = [...BASES.pod.volumes, ...shared.map((volume) => `${volume}:/volumes/${volume}`)];
  return {
    base: 'pod',
    own: {
      hostname: name,
      environment: { LATEEN_POD: name },
      networks: { mesh: { aliases: [`${name}.pod`] }, outside: {} },
      ...(patient ? {} : { healthcheck: RULES_ARE_SET }),
      ...(same ? {} : { command: flags }),
      ...(shared.length === 0 ? {} : { volumes }),
    },
  };
}

function sidecarOf(pod: Pod, workload: string, place: Place, apps: readonly Member[]): Part {
  const { name, namespace, labels = {} } = pod.metadata;
  const { container, at } = apps[0]!;
  const ports = tcpPorts(apps.map((app) => app.container));
  const probe = probeUrl(container, place, at);
  const metrics = metricsUrl(pod, ports);
  const grace = pod.spec.terminationGracePeriodSeconds;
  const environment: Record<string, string> = {
    ...(SIDECAR_ENV as Record<string, string>),
    LATEEN_POD_FILE: `/run/lateen/pods/${name}`,
    ...(name === workload ? {} : { LATEEN_NAME: name }),
    LATEEN_WORKLOAD: workload,
    ...(namespace === 'default' ? {} : { LATEEN_NAMESPACE: namespace }),
    LATEEN_LABELS: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    LATEEN_SERVICE_ACCOUNT: pod.spec.serviceAccountName ?? 'default',
    LATEEN_IP: `${name}.pod`,
    LATEEN_STATE: `/var/lib/lateen/proxies/${name}`,
    // What the flag would say by default is not said.
    ...(container.name === (labels['app'] ?? workload) ? {} : { LATEEN_APP_NAME: container.name }),
    ...(lateenCommand(container, place.images) === null ? { LATEEN_APP_IMAGE: literal(container.image ?? '') } : {}),
    ...(ports.length === 0 ? {} : { LATEEN_APP_PORT: ports.join(' ') }),
    ...(probe === null ? {} : { LATEEN_APP_PROBE: probe }),
    ...(metrics === null ? {} : { LATEEN_APP_METRICS: metrics }),
    ...(grace === undefined ? {} : { LATEEN_DRAIN: `${Math.max(1, grace - 2)}s` }),
  };
  const started = Object.fromEntries(apps.map(({ service }) => [service, 'service_started' as const]));
  return {
    base: 'sidecar',
    own: {
      network_mode: `service:${name}-pod`,
      environment: Object.fromEntries(Object.entries(environment).filter(([key, v]) => SIDECAR_ENV[key] !== v)),
      ...(grace === undefined ? {} : { stop_grace_period: `${grace + WITHDRAW_S}s` }),
      // So that it is stopped first, and the application serves until it has drained.
      depends_on: dependsOn({ [`${name}-pod`]: 'service_started', ...started }),
    },
  };
}

/** By the annotations that Prometheus' usual configuration reads, and Istio merges by. */
function metricsUrl({ metadata: { annotations = {} } }: Pod, ports: readonly number[]): string | null {
  if (annotations['prometheus.io/scrape'] !== 'true') return null;
  const port = Number(annotations['prometheus.io/port'] ?? ports[0]);
  const path = annotations['prometheus.io/path'] ?? '/metrics';
  return ports.includes(port) ? literal(`http://127.0.0.1:${port}${path}`) : null;
}

const dependsOn = (conditions: Readonly<Record<string, Condition>>): ComposeValue =>
  Object.fromEntries(Object.entries(conditions).map(([service, condition]) => [service, { condition }]));

/** A service with what it shares with others, as compose will see it. */
export const whole = (part: Part): Readonly<Record<string, ComposeValue>> => ({
  ...BASES[part.base],
  ...part.own,
  ...(part.base === 'sidecar' ? { environment: { ...SIDECAR_ENV, ...part.own.environment } } : {}),
});

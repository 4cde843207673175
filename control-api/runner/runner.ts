/** The local runner of Deployments: a small kubelet with the controllers it needs, over the store. Processes instead of containers. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { ALL_OUTBOUND, type OutboundRanges } from '#proxy/istio/interception.ts';
import type { PodRuntime } from '../pod-runtime.ts';
import type { Store, StoreEvent } from '../store.ts';
import { addressPool, type Addresses } from './address.ts';
import { sleep, systemClock, type Clock } from './clock.ts';
import { deploymentController } from './deployment.ts';
import { endpointSliceController } from './endpoint-slice.ts';
import { inheritedEnv } from './environment.ts';
import { eventRecorder } from './event.ts';
import { garbageCollector } from './garbage.ts';
import { gate } from './gate.ts';
import { imagesFrom, type Images } from './image.ts';
import { askSidecar, type InFlight } from './in-flight.ts';
import { jobController } from './job.ts';
import { kubelet } from './kubelet.ts';
import { putMeshObjects, type GatewayPlace } from './mesh-object.ts';
import { controllerOf, type Pod, type Service } from './object.ts';
import { realProbes, type Probes } from './probe.ts';
import { realProcesses, type Processes } from './process.ts';
import { replicaSetController } from './replica-set.ts';
import { matchesLabels } from './selector.ts';
import { serviceController } from './service.ts';
import { WorkQueue } from './work-queue.ts';

export type RunnerOptions = {
  readonly store: Store;
  /** Where proxies find the control API. */
  readonly controlUrl: string;
  /** argv of this very program: node and cli/main.ts. */
  readonly lateen: readonly string[];
  readonly stateDir: string;
  /** config/images.yaml. */
  readonly imagesFile: string;
  /** Loopback range of Pod addresses: `127.1.0.0/16`. */
  readonly podCidr: string;
  /** Null: a mesh without a gateway. */
  readonly gateway: GatewayPlace | null;
  /** Flags for every proxy: `--zipkin`, `--tracing` … */
  readonly proxyFlags: readonly string[];
  /** Which addresses applications reach through their sidecars, where their Pod does not say. Absent: all. */
  readonly outbound?: OutboundRanges;
  /** Where applications run. */
  readonly cwd: string;
  /** How many Pods start at the same time. */
  readonly startWidth: number;
  /** Resolves when every connected proxy runs with this revision or a later one. Absent: unknown, so a fixed second is waited. */
  readonly settled?: (revision: number) => Promise<void>;
  /** For what goes wrong inside the runner itself. */
  readonly onError: (message: string) => void;
};

/** What tests replace. */
export type Seams = {
  readonly clock: Clock;
  readonly processes: Processes;
  readonly addresses: Addresses;
  readonly images: Images;
  readonly inFlight: InFlight;
  readonly probes: Probes;
};

export type Runner = {
  readonly pods: PodRuntime;
  /** Resolves when the controllers have nothing left to do for now. */
  idle(): Promise<void>;
  /** Ends every process, in order, each within `graceMs`. The store is left as it is. */
  stop(graceMs: number): Promise<void>;
};

/** Kinds whose objects have others go with them. */
const OWNERS: ReadonlySet<string> = new Set(['Deployment', 'ReplicaSet', 'Job', 'Service']);

/** The image name of this program, as Pods show it. */
export const PROXY_IMAGE = 'lateen/proxy';
/**
 * A proxy that has not confirmed by then is not waited for. Long enough for a machine on which a whole mesh is being restarted: a
 * proxy that hears late sends requests to a Pod that is gone.
 */
const SETTLE_MS = 5000;

export function startRunner(options: RunnerOptions, seams: Partial<Seams> = {}): Runner {
  const { store } = options;
  const clock = seams.clock ?? systemClock;
  const processes = seams.processes ?? realProcesses();
  const images = seams.images ?? imagesFrom(options.imagesFile);
  const queue = new WorkQueue(clock, (error, controller, key) =>
    options.onError(`${controller} ${key}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
  );
  const event = eventRecorder(store, clock);
  const stateDir = resolve(options.stateDir);
  const { lateen, controlUrl, cwd, proxyFlags: flags } = options;
  const settings = {
    lateen,
    controlUrl,
    stateDir,
    flags,
    images,
    baseEnv: inheritedEnv(),
    outbound: options.outbound ?? ALL_OUTBOUND,
    cwd,
    probes: seams.probes ?? realProbes,
  };
  const tools = {
    store,
    clock,
    event,
    settings,
    withdrawn,
    inFlight: seams.inFlight ?? askSidecar,
    spawn: processes.spawn,
    addresses: seams.addresses ?? addressPool(options.podCidr),
    gate: gate(options.startWidth),
  };
  const pods = kubelet(tools, hostname(), PROXY_IMAGE, (key) => queue.add(pods.controller, key));
  const garbage = garbageCollector(store, clock);
  const slices = endpointSliceController(store);
  const byKind: Readonly<Record<string, { readonly name: string; reconcile(key: string): void }>> = {
    Deployment: deploymentController(store, clock, queue, event),
    ReplicaSet: replicaSetController(store, clock, queue, event),
    Job: jobController(store, clock, queue, event),
    Pod: pods.controller,
    Service: serviceController(store),
  };

  const unsubscribe = store.subscribe(route);
  putMeshObjects(store, PROXY_IMAGE, options.gateway);
  for (const kind of ['Deployment', 'ReplicaSet', 'Job', 'Pod', 'Service']) {
    for (const resource of store.list(kind)) route({ type: 'ADDED', resource, before: null, revision: store.revision });
  }

  return {
    pods: pods.runtime,
    idle: () => queue.idle(),
    async stop(graceMs) {
      unsubscribe();
      queue.stop();
      await pods.stop(graceMs);
      processes.close();
    },
  };

  /** Whose work a change is: the object's own controller, its owner's, and that of Services that select it. */
  function route({ type, resource, before }: StoreEvent): void {
    const { kind, metadata } = resource;
    const { namespace, name, uid = '' } = metadata;
    const controller = byKind[kind];
    if (controller !== undefined) queue.add(controller, `${namespace}/${name}`);
    if (kind === 'Service') queue.add(slices, `${namespace}/${name}`);
    if (kind === 'Namespace' && type === 'DELETED') queue.add(garbage, `${name}/*`);
    if (type === 'DELETED' && OWNERS.has(kind)) queue.add(garbage, `${namespace}/${uid}`);
    const owner = controllerOf(resource);
    const owning = owner === undefined ? undefined : byKind[owner.kind];
    if (owner !== undefined && owning !== undefined) queue.add(owning, `${namespace}/${owner.name}`);
    // A Deployment that waits for old Pods to go (Recreate) hears of them through its ReplicaSet.
    if (kind === 'Pod' && type === 'DELETED') wakeDeployment(resource as Pod);
    if (kind === 'Pod') for (const pod of before === null ? [resource] : [resource, before]) touchServices(pod as Pod);
  }

  function touchServices(pod: Pod): void {
    for (const service of store.list('Service', pod.metadata.namespace) as readonly Service[]) {
      if (matchesLabels(service.spec.selector, pod.metadata.labels))
        queue.add(slices, `${service.metadata.namespace}/${service.metadata.name}`);
    }
  }

  function wakeDeployment(pod: Pod): void {
    const { namespace } = pod.metadata;
    const set = store.get('ReplicaSet', namespace, controllerOf(pod)?.name ?? '');
    const owner = set === undefined ? undefined : controllerOf(set);
    if (owner !== undefined) queue.add(byKind['Deployment']!, `${namespace}/${owner.name}`);
  }

  /** The endpoint is withdrawn by the endpoint controller; proxies then need a moment to hear of it. */
  async function withdrawn(): Promise<void> {
    await queue.idle();
    const enough = new AbortController();
    const heard = options.settled?.(store.revision) ?? new Promise<void>(() => {});
    await Promise.race([heard, sleep(clock, SETTLE_MS, enough.signal)]);
    enough.abort();
  }
}

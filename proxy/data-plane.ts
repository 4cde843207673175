/** The data plane of one thread: receives snapshots, links them, swaps them in, serves, reports back. */
import { clusterStates } from './admin/cluster-state.ts';
import { makePicker } from './balancer/picker.ts';
import { loadConnectFrom } from './bound-socket.ts';
import { cidrPredicate } from './core/cidr.ts';
import { wheelClock } from './core/clock.ts';
import { normalizePath } from './core/path.ts';
import { systemRandom } from './core/random.ts';
import { Http1Downstream } from './listener/http1.ts';
import { Admission } from './listener/admission.ts';
import { SIDECAR_LIMITS, type ListenerLimits } from './listener/limits.ts';
import { Listeners } from './listener/listeners.ts';
import { loadOriginalDst, type OriginalDst } from './listener/original-dst.ts';
import { memoryReader, type MemoryReading } from './listener/memory-reading.ts';
import { Overload } from './listener/overload.ts';
import { delayProbe } from './listener/delay-probe.ts';
import { LoadBoard } from './live/load-board.ts';
import { OwnPorts } from './live/own-ports.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './messages.ts';
import type { Environment } from './pipeline/environment.ts';
import { drain } from './pipeline/drain.ts';
import { Ingress } from './pipeline/ingress.ts';
import { link } from './pipeline/link.ts';
import { leadsBack } from './pipeline/loop.ts';
import { Plans } from './pipeline/plan.ts';
import { createRecorder } from './recorder.ts';
import type { Discovery } from './snapshot/endpoints.ts';
import type { ProxyNode } from './snapshot/node.ts';
import type { Snapshot } from './snapshot/snapshot.ts';
import { UNTRACED } from './snapshot/telemetry.ts';
import { Upstreams } from './upstream/upstreams.ts';

export type DataPlane = {
  /** Does what the main thread says; never throws. */
  tell(message: ToWorker): void;
};

/** `post`: how it answers. `readMemory`, `originalDst`: for tests. */
export function createDataPlane(
  setup: WorkerSetup,
  post: (message: FromWorker) => void,
  limits: ListenerLimits = setup.limits ?? SIDECAR_LIMITS,
  readMemory: () => MemoryReading = memoryReader(limits.overload.memoryBytes),
  originalDst: OriginalDst | null = redirects(setup.node, (message) => post({ kind: 'warning', message })),
): DataPlane {
  const ownPorts = new OwnPorts(setup.ownPorts);
  const upstreams = new Upstreams(makePicker, systemRandom, {
    connectFrom: loadConnectFrom(),
    // Only who is redirected to can meet itself.
    ownPorts: originalDst === null ? null : ownPorts,
  });
  upstreams.from = setup.node.ip;
  upstreams.onWarning = (message) => post({ kind: 'warning', message });
  const plans = new Plans({ snapshot: emptySnapshot(setup.node), listeners: new Map(), normalizePath });
  const recorder = createRecorder(setup, post, () => plans.current.snapshot);
  const board = new LoadBoard(setup.load ?? 1);
  const row = setup.row ?? 0;
  const overload = new Overload(limits, {
    readMemory,
    probe: delayProbe,
    random: systemRandom,
    now: () => performance.now(),
    board,
    row,
    onRefuseConnections: (refuse) => listeners.refuse(refuse),
  });
  const environment: Environment = {
    node: setup.node,
    plans,
    upstreams,
    clock: wheelClock(),
    random: systemRandom,
    tunnels: new Set(),
    ownPorts,
    ...recorder,
    record(x) {
      overload.end();
      recorder.record(x);
    },
  };
  upstreams.leadsBack = (address, port) => leadsBack(environment, address, port, 'outbound');
  const ingress = new Ingress(
    environment,
    (socket, reads, connection, handler) => new Http1Downstream(socket, reads, connection, handler, limits),
    overload,
    recorder.countOverload,
    limits.proxyProtocolFrom.length === 0 ? () => false : cidrPredicate(limits.proxyProtocolFrom),
  );
  const listeners = new Listeners(
    (name, socket, connection) => ingress.accept(name, socket, connection),
    (problem) => post({ kind: 'bind-problem', problem }),
    (listener) => post({ kind: 'bind-recovered', listener }),
    new Admission(limits, board, row, (listener, why) => recorder.countOverload(why, listener)),
    originalDst,
  );
  const sweeper = setInterval(() => {
    const now = performance.now();
    upstreams.sweep(now);
    ingress.clients.sweep(now);
    overload.sweep(now);
    recorder.sweep();
  }, limits.sweepInterval);
  sweeper.unref();
  return { tell };

  function tell(message: ToWorker): void {
    switch (message.kind) {
      case 'snapshot':
        return void apply(message.snapshot, message.discovery);
      case 'discovery':
        upstreams.setDiscovery(message.discovery);
        ingress.forgetPeers();
        return post({ kind: 'applied', version: plans.current.snapshot.version });
      case 'drain':
        return void end(message.within, message.handedOver);
      case 'drain-inbound':
        void listeners.close('inbound');
        return ingress.clients.leave('callers', 0);
      case 'adopt':
        return listeners.adopt(message.sockets);
      case 'cut-stuck':
        return ingress.clients.cut('stuck');
      case 'sockets': {
        const { taken } = listeners;
        return post({ kind: 'sockets', id: message.id, sockets: listeners.sockets(), taken });
      }
      case 'clusters':
        return post({ kind: 'clusters', id: message.id, clusters: clusterStates(upstreams.clusters.values()) });
      default:
        recorder.tell(message);
    }
  }

  async function apply(snapshot: Snapshot, discovery: Discovery): Promise<void> {
    upstreams.setClusters(snapshot.clusters);
    upstreams.setDiscovery(discovery);
    recorder.use(snapshot.telemetry);
    plans.swap(link(snapshot, environment));
    ingress.forgetPeers();
    await listeners.set(snapshot.listeners);
    post({ kind: 'applied', version: snapshot.version });
  }

  async function end(within: number, handedOver: boolean): Promise<void> {
    await drain(environment, ingress.clients, {
      within,
      handedOver,
      stopAccepting: (direction) => listeners.close(direction),
    });
    clearInterval(sweeper);
    overload.close();
    upstreams.close();
    await recorder.flush();
    post({ kind: 'drained' });
  }
}

/** Null: nothing is redirected to this proxy, or nobody can tell where it was going. */
function redirects({ interception }: ProxyNode, warn: (message: string) => void): OriginalDst | null {
  if (interception === 'NONE') return null;
  const originalDst = loadOriginalDst();
  if (originalDst === null)
    warn('redirected connections cannot be told apart: SO_ORIGINAL_DST needs Linux, and Node 26 or the package koffi');
  return originalDst;
}

/** Before the first configuration: nothing listens, nothing is served. */
function emptySnapshot(node: ProxyNode): Snapshot {
  const tracing = { client: UNTRACED, server: UNTRACED };
  const telemetry = { tracing, logs: { client: [], server: [] }, metrics: { client: {}, server: {} }, custom: [] };
  return { version: '', node, listeners: [], tables: {}, clusters: {}, telemetry, pathNormalization: 'BASE' };
}

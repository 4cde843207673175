/** For tests: registration in a world of its own. Its clock moves when told, its proxies' streams and ports are what the test says. */
import type { Resource } from '#proxy/istio/resource.ts';
import { openStore, type HistoryStore } from '../open-store.ts';
import { FakeClock } from '../runner/fake-world.ts';
import type { Pod } from '../runner/object.ts';
import { seed } from '../seed.ts';
import type { Author } from '../store.ts';
import { startControllers } from './controllers.ts';
import { Members, type Streams } from './members.ts';
import type { Member, MemberName } from './member.ts';

const USER: Author = { via: 'kubectl', user: 'test' };

export const said = (over: Partial<Member> = {}): Member => ({
  ip: '172.20.0.5',
  addresses: [],
  labels: { app: 'reviews', version: 'v1' },
  serviceAccount: 'bookinfo-reviews',
  workload: 'reviews-v1',
  role: 'sidecar',
  node: '0a1b2c',
  startedAt: '2026-01-01T00:00:00.000Z',
  incarnation: '1767225600000-7',
  containers: [
    { name: 'reviews', image: 'lateen', ready: true, ports: [9080], reason: '' },
    { name: 'istio-proxy', image: 'lateen', ready: true, ports: [], reason: '' },
  ],
  terminating: false,
  ...over,
});

export const named = (name = 'reviews-v1'): MemberName => ({ namespace: 'default', name });

export type FakeMesh = {
  readonly store: HistoryStore;
  readonly clock: FakeClock;
  readonly members: Members;
  readonly streams: Streams;
  readonly connected: Set<string>;
  /** Addresses at which nothing listens. */
  readonly refused: Set<string>;
  /** Addresses that were tried, in order. */
  readonly tried: string[];
  /** What `settled` waits for. */
  settle: Promise<void>;
  readonly errors: string[];
  apply(resource: object): void;
  pod(name?: string): Pod | undefined;
  /** `address ready|not-ready|terminating`, of a Service. */
  endpoints(service?: string): string[];
};

/** `dir`: its state directory; null keeps nothing. */
export function fakeMesh(dir: string | null = null): FakeMesh {
  const store = openStore({ dir: null });
  seed(store);
  const clock = new FakeClock();
  const [connected, refused, errors, tried] = [new Set<string>(), new Set<string>(), [] as string[], [] as string[]];
  const onError = (message: string): void => void errors.push(message);
  const controllers = startControllers(store, onError, clock);
  const members = new Members({
    store,
    clock,
    reach: (host, port) => {
      tried.push(`${host}:${port}`);
      return Promise.resolve(refused.has(host) ? 'connect ECONNREFUSED' : null);
    },
    dir,
    idle: () => controllers.idle(),
    onError,
  });
  const streams: Streams = {
    isConnected: (id) => connected.has(id),
    settled: () => mesh.settle,
    broken: () => {},
  };
  const mesh: FakeMesh = {
    store,
    clock,
    members,
    streams,
    connected,
    refused,
    tried,
    settle: Promise.resolve(),
    errors,
    apply(resource) {
      const { metadata, ...rest } = resource as Resource;
      store.put({ ...rest, metadata: { ...metadata, namespace: metadata.namespace ?? 'default' } }, USER);
    },
    pod: (name = 'reviews-v1') => store.get('Pod', 'default', name) as Pod | undefined,
    endpoints: (service = 'reviews') =>
      store
        .list('EndpointSlice', 'default')
        .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service)
        .flatMap((slice) => slice['endpoints'] as readonly Endpoint[])
        .map(({ addresses, conditions: { ready, terminating } }) => {
          return `${addresses.join()} ${terminating ? 'terminating' : ready ? 'ready' : 'not-ready'}`;
        }),
  };
  members.attach(streams);
  return mesh;
}

type Endpoint = {
  readonly addresses: readonly string[];
  readonly conditions: { readonly ready: boolean; readonly terminating: boolean };
};

/** For tests: a runner in a world of its own. Its clock moves when told, its processes do what they are told, its store is in memory. */
import { PassThrough } from 'node:stream';
import type { Resource } from '#proxy/istio/resource.ts';
import { openStore } from '../open-store.ts';
import type { Author, Store } from '../store.ts';
import type { Addresses } from './address.ts';
import type { Clock } from './clock.ts';
import type { ImageCommand } from './image.ts';
import type { Deployment, Pod, ReplicaSet } from './object.ts';
import type { Probes } from './probe.ts';
import type { Exit, Processes, Program, Running } from './process.ts';
import { startRunner, type Runner, type RunnerOptions } from './runner.ts';

const USER: Author = { via: 'kubectl', user: 'test' };

export class FakeClock implements Clock {
  #now = Date.parse('2026-01-01T00:00:00Z');
  #timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((t) => t !== timer));
  }

  /** Moves on, stopping at each timer on the way to let everything that follows from it happen. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#now = next.at;
      this.#timers = this.#timers.filter((t) => t !== next);
      next.callback();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  #next(end: number): { at: number; callback: () => void } | undefined {
    return this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
  }
}

/** Lets promises and immediates run until nothing new can have come of them. */
async function settle(): Promise<void> {
  for (let i = 0; i < 25; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A process of the fake world: the test says when it ends. */
export type FakeProcess = Running & {
  readonly program: Program;
  readonly signals: string[];
  exit(code: number): void;
  readonly running: boolean;
};

export class FakeProcesses implements Processes {
  readonly all: FakeProcess[] = [];
  /** What a process does with SIGTERM: by default it ends. */
  obeysTerm = true;
  /** In this order signals were sent and processes ended. */
  readonly order: string[] = [];

  spawn = (program: Program): Running => {
    const pid = 1000 + this.all.length;
    const { promise, resolve } = Promise.withResolvers<Exit>();
    const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
    const signals: string[] = [];
    const state = { running: true };
    const end = (exit: Exit): void => {
      state.running = false;
      streams.stdout.end();
      streams.stderr.end();
      resolve(exit);
    };
    const obeys = (): boolean => this.obeysTerm;
    const note = (what: string): void => void this.order.push(`${what} ${nameOf(program)}`);
    const fake: FakeProcess = {
      ...streams,
      pid,
      program,
      signals,
      exited: promise,
      get running() {
        return state.running;
      },
      exit: (code) => end({ code, signal: null, error: null }),
      signal(name) {
        if (!state.running) return;
        signals.push(name);
        note(name);
        if (name === 'SIGKILL') end({ code: 137, signal: 'SIGKILL', error: null });
        else if (obeys()) end({ code: 0, signal: null, error: null });
      },
    };
    this.all.push(fake);
    return fake;
  };

  close(): void {}

  /** Those that run now and whose command line has this word. */
  running(word: string): FakeProcess[] {
    return this.all.filter((p) => p.running && p.program.argv.includes(word));
  }
}

const nameOf = (program: Program): string =>
  program.argv.find((word) => word === 'sidecar' || word === 'gateway') ?? 'app';

function fakeAddresses(): Addresses {
  let [next, port] = [1, 20_000];
  return {
    lease: () => Promise.resolve({ ip: `127.1.0.${next++}`, release() {} }),
    port: () => Promise.resolve(port++),
    releasePort() {},
  };
}

export type World = {
  readonly store: Store;
  readonly clock: FakeClock;
  readonly processes: FakeProcesses;
  readonly runner: Runner;
  /** What probes answer, by `host:port`; null (well) unless told. */
  readonly answers: Map<string, string | null>;
  /** image → command. */
  readonly images: Map<string, ImageCommand>;
  readonly errors: string[];
  apply(resource: object): void;
  deployment(name: string): Deployment;
  pods(label?: string): Pod[];
  sets(): ReplicaSet[];
  events(): string[];
};

/** Nothing happens until `clock.pass`. */
export function fakeWorld(
  options: Partial<RunnerOptions> = {},
  inFlight: (ip: string) => Promise<number | null> = () => Promise.resolve(0),
): World {
  const store = openStore({ dir: null });
  const clock = new FakeClock();
  const processes = new FakeProcesses();
  const answers = new Map<string, string | null>();
  const images = new Map<string, ImageCommand>([['app', { command: ['lateen', 'app'], env: { FROM: 'image' } }]]);
  const errors: string[] = [];
  const ask = (host: string, port: number) => () => Promise.resolve(answers.get(`${host}:${port}`) ?? null);
  const probes: Probes = { http: ({ host, port }) => ask(host, port), tcp: ({ host, port }) => ask(host, port) };
  const runner = startRunner(
    {
      store,
      controlUrl: 'http://127.0.0.1:8001',
      lateen: ['node', 'main.ts'],
      stateDir: `/tmp/lateen-fake-${process.pid}`,
      imagesFile: '',
      podCidr: '127.1.0.0/16',
      gateway: null,
      proxyFlags: [],
      cwd: '/',
      startWidth: 4,
      settled: () => Promise.resolve(),
      onError: (message) => errors.push(message),
      ...options,
    },
    {
      clock,
      processes,
      addresses: fakeAddresses(),
      images: { file: 'config/images.yaml', find: (image) => images.get(image) ?? null },
      inFlight,
      probes,
    },
  );
  return {
    store,
    clock,
    processes,
    runner,
    answers,
    images,
    errors,
    apply(resource) {
      const { metadata, ...rest } = resource as Resource;
      store.put({ ...rest, metadata: { ...metadata, namespace: metadata.namespace ?? 'default' } }, USER);
    },
    deployment: (name) => store.get('Deployment', 'default', name) as Deployment,
    pods: (label) =>
      (store.list('Pod') as readonly Pod[]).filter((p) => label === undefined || p.metadata.labels?.['app'] === label),
    sets: () => [...(store.list('ReplicaSet') as readonly ReplicaSet[])],
    events: () => store.list('Event').map((e) => `${String(e['reason'])}: ${String(e['message'])}`),
  };
}

/** A Deployment `name` of image `app` with one port, 9080. */
export function deploymentOf(name: string, replicas: number, container: object = {}, spec: object = {}): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      ...spec,
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', image: 'app', ports: [{ containerPort: 9080 }], ...container }] },
      },
    },
  };
}

export const serviceOf = (name: string, spec: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 9080 }], ...spec },
});

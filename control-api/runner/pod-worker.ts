/** One Pod as processes: its sidecar first, then its init containers, then its applications; in the end the other way that loses no request. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import type { ExecProcess } from '../pod-runtime.ts';
import type { Store } from '../store.ts';
import { remove, update } from './author.ts';
import type { Addresses, Lease } from './address.ts';
import { sleep, timestamp, type Clock } from './clock.ts';
import { ContainerLog } from './container-log.ts';
import { Container } from './container.ts';
import type { Event } from './event.ts';
import type { Gate } from './gate.ts';
import { untilQuiet, type InFlight } from './in-flight.ts';
import { PROXY, SKIPPED_INIT } from './inject.ts';
import type { ContainerSpec, ContainerStatus, Pod, PodSpec } from './object.ts';
import { containerPlan, type PodPlace, type PodSettings } from './pod-plan.ts';
import { podStatusOf } from './pod-status.ts';
import type { Spawn } from './process.ts';
import { implyPorts } from './service-ports.ts';

type Restart = NonNullable<PodSpec['restartPolicy']>;

/** For what a sidecar has still to send when its applications have ended by themselves. */
const SIDECAR_STOP_MS = 5000;

export type PodTools = {
  readonly store: Store;
  readonly clock: Clock;
  readonly event: Event;
  readonly spawn: Spawn;
  readonly addresses: Addresses;
  readonly gate: Gate;
  readonly settings: PodSettings;
  readonly inFlight: InFlight;
  /** Resolves when every proxy knows that the Pod serves no longer, or when waiting longer makes no sense. */
  readonly withdrawn: (pod: Pod) => Promise<void>;
};

export class PodWorker {
  readonly #tools: PodTools;
  readonly #ending = new AbortController();
  readonly #startTime: string;
  readonly #logs = new Map<string, ContainerLog>();
  readonly #init: Container[] = [];
  readonly #containers: Container[] = [];
  readonly #runs: Promise<void>[] = [];
  #pod: Pod;
  #lease: Lease | null = null;
  #ports: number[] = [];
  #ended: Promise<void> | null = null;
  #over: 'Succeeded' | 'Failed' | null = null;
  #begun: Promise<void> = Promise.resolve();
  #waiting: (() => void)[] = [];

  constructor(tools: PodTools, pod: Pod) {
    this.#tools = tools;
    this.#pod = pod;
    this.#startTime = timestamp(tools.clock);
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** Starts everything, in order. What goes wrong is shown on the Pod, and tried again. */
  start(): void {
    this.#begun = this.#start();
  }

  async #start(): Promise<void> {
    const { event, clock } = this.#tools;
    event(
      this.#pod,
      'Normal',
      'Scheduled',
      `Successfully assigned ${this.#pod.metadata.namespace}/${this.#pod.metadata.name} to ${this.#pod.spec.nodeName ?? ''}`,
    );
    for (let wait = 1000; !this.#ending.signal.aborted; wait = Math.min(wait * 2, 60_000)) {
      try {
        await this.#begin();
        return;
      } catch (error) {
        event(this.#pod, 'Warning', 'FailedCreatePodSandBox', error instanceof Error ? error.message : String(error));
        await sleep(clock, wait, this.#ending.signal);
      }
    }
  }

  /** Ends it: endpoints first, then the sidecar with what is in flight, then the applications. Safe to call again. */
  end(options: { readonly graceMs: number; readonly withdraw: boolean }): Promise<void> {
    this.#ended ??= this.#end(options.graceMs, options.withdraw);
    return this.#ended;
  }

  log(container: string): ContainerLog | null {
    return this.#logs.get(container) ?? null;
  }

  /** Null: no such container, or it never ran. */
  exec(container: string, command: readonly string[]): ExecProcess | null {
    const program = [...this.#containers, ...this.#init].find((c) => c.plan.name === container)?.program;
    if (program === undefined || program === null) return null;
    const running = this.#tools.spawn({ argv: command, env: program.env, cwd: this.#directory() });
    const { stdin, stdout, stderr, exited } = running;
    const done = exited.then((exit) => exit.code);
    const kill = (): void => running.signal('SIGKILL');
    if (running.pid !== undefined) return { stdin, stdout, stderr, done, kill };
    // As runc says it. The streams of a process that never was say nothing.
    const why = `exec: "${command[0] ?? ''}": executable file not found in $PATH\n`;
    return { stdin: new PassThrough(), stdout: Readable.from([]), stderr: Readable.from([why]), done, kill };
  }

  async #begin(): Promise<void> {
    const { store, addresses } = this.#tools;
    this.#lease ??= await addresses.lease();
    const { ip } = this.#lease;
    this.#pod = { ...this.#pod, status: { phase: 'Pending', podIP: ip, hostIP: '127.0.0.1' } };
    const containers = implyPorts(store, this.#pod);
    const sidecar = containers.some((c) => c.name === PROXY);
    const apps = sidecar ? await this.#applicationPorts(containers) : [];
    const place = { ip, apps, sidecar };
    if (this.#ending.signal.aborted) return;
    for (const spec of this.#pod.spec.initContainers ?? [])
      if (!SKIPPED_INIT.has(spec.name)) this.#init.push(this.#container(spec, place, initRestart(this.#pod, spec)));
    for (const spec of containers) this.#containers.push(this.#container(spec, place));
    this.#show();
    // What calls out in its first moment must find its sidecar there (pain 1 of every mesh), init containers included.
    for (const proxy of this.#proxies) await this.#launch(proxy, () => proxy.ready);
    for (const init of this.#init) {
      if (this.#ending.signal.aborted) return;
      if (isSidecar(init)) await this.#launch(init, () => init.started);
      else await init.run();
      if (!isSidecar(init) && init.over?.exitCode !== 0) return this.#finish('Failed');
    }
    await this.#startApplications();
  }

  async #startApplications(): Promise<void> {
    const apps = this.#applications;
    const runs = await Promise.all(apps.map((app) => this.#launch(app, () => app.started)));
    if (apps.length === 0 || this.#ending.signal.aborted) return;
    await Promise.all(runs.map(({ run }) => run));
    // Every application has ended for good: a Job is over, and its sidecar with it.
    await this.#finish(apps.every((app) => app.over?.exitCode === 0) ? 'Succeeded' : 'Failed');
  }

  get #proxies(): readonly Container[] {
    return this.#containers.filter((c) => c.plan.name === PROXY);
  }

  get #applications(): readonly Container[] {
    return this.#containers.filter((c) => c.plan.name !== PROXY);
  }

  /** Runs a container, and waits until it is up: with the promise of its end. Only so many start at a time. */
  async #launch(container: Container, up: () => boolean): Promise<{ readonly run: Promise<void> }> {
    const { clock, gate } = this.#tools;
    const leave = await gate.enter();
    if (this.#ending.signal.aborted) {
      leave();
      return { run: Promise.resolve() };
    }
    const run = container.run();
    this.#runs.push(run);
    const done = run.then(() => true);
    // One that does not come up must not keep others from starting.
    const cancel = clock.after(3000, leave);
    for (let over = false; !over && !up() && !this.#ending.signal.aborted;)
      over = await Promise.race([done, this.#change()]);
    cancel();
    leave();
    return { run };
  }

  /** Resolves with false at the next change of a container, or when the Pod is to end. */
  #change(): Promise<false> {
    return new Promise((resolve) => this.#waiting.push(() => resolve(false)));
  }

  async #end(graceMs: number, withdraw: boolean): Promise<void> {
    const { clock, event, store } = this.#tools;
    const serving = this.#containers.some((c) => c.ready);
    const deadline = clock.now() + graceMs;
    this.#ending.abort();
    this.#wake();
    const left = (): number => Math.max(500, deadline - clock.now());
    if (withdraw && serving) {
      await this.#tools.withdrawn(this.#pod);
      // What is being answered may still have calls of its own to make, and needs its sidecar for them.
      if (this.#lease !== null) await untilQuiet(clock, this.#tools.inFlight, this.#lease.ip, left() - 1000);
    }
    const stop = (container: Container): Promise<void> => {
      if ('running' in container.status.state)
        event(this.#pod, 'Normal', 'Killing', `Stopping container ${container.plan.name}`, pathOf(container.plan.name));
      return container.stop(left());
    };
    // A late request ends with the sidecar; until then its application must be there to answer it.
    await Promise.all(this.#proxies.map(stop));
    await Promise.all([...this.#init.filter((init) => !isSidecar(init)), ...this.#applications].map(stop));
    for (const helper of this.#init.filter(isSidecar).reverse()) await stop(helper);
    await this.#begun;
    await Promise.all(this.#runs);
    this.#release();
    for (const log of this.#logs.values()) log.close();
    rmSync(this.#directory(), { recursive: true, force: true });
    const current = store.get('Pod', this.#pod.metadata.namespace, this.#pod.metadata.name);
    if (withdraw && current?.metadata.uid === this.#pod.metadata.uid) remove(store, current!);
  }

  /** Its sidecars end after its applications, and only then is the Pod over, as with sidecars of Kubernetes' own (KEP-753). */
  async #finish(over: 'Succeeded' | 'Failed'): Promise<void> {
    if (this.#ending.signal.aborted) return;
    await Promise.all([...this.#proxies, ...this.#init.filter(isSidecar)].map((c) => c.stop(SIDECAR_STOP_MS)));
    if (this.#ending.signal.aborted) return;
    this.#over = over;
    for (const log of this.#logs.values()) log.end();
    this.#release();
    this.#show();
  }

  #release(): void {
    this.#lease?.release();
    this.#lease = null;
    for (const port of this.#ports) this.#tools.addresses.releasePort(port);
    this.#ports = [];
  }

  async #applicationPorts(containers: readonly ContainerSpec[]): Promise<PodPlace['apps']> {
    const declared = containers.filter((c) => c.name !== PROXY).flatMap((c) => c.ports ?? []);
    const unique = [...new Set(declared.map((p) => p.containerPort))];
    while (this.#ports.length < unique.length) this.#ports.push(await this.#tools.addresses.port());
    return unique.map((containerPort, i) => ({ containerPort, port: this.#ports[i]! }));
  }

  #container(spec: ContainerSpec, place: PodPlace, restart?: Restart): Container {
    const { store, settings, clock, spawn } = this.#tools;
    const { namespace, name } = this.#pod.metadata;
    const plan = containerPlan(settings, store, this.#pod, spec, place, (container, command, timeoutMs) =>
      this.#execCheck(container, command, timeoutMs),
    );
    const log = new ContainerLog(join(settings.stateDir, 'logs', `${namespace}_${name}_${spec.name}.log`), () =>
      clock.now(),
    );
    this.#logs.set(spec.name, log);
    return new Container(restart === undefined ? plan : { ...plan, restart }, {
      clock,
      spawn,
      log,
      event: (type, reason, message) => this.#tools.event(this.#pod, type, reason, message, pathOf(spec.name)),
      changed: () => this.#show(),
    });
  }

  async #execCheck(container: string, command: readonly string[], timeoutMs: number): Promise<string | null> {
    const process = this.exec(container, command);
    if (process === null) return 'the container does not run';
    const cancel = this.#tools.clock.after(timeoutMs, () => process.kill());
    process.stdin.end();
    process.stdout.resume();
    process.stderr.resume();
    const code = await process.done;
    cancel();
    return code === 0 ? null : `command "${command.join(' ')}" exited with ${code}`;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  #show(): void {
    this.#wake();
    const { store, clock } = this.#tools;
    const statuses = (containers: readonly Container[]): ContainerStatus[] => containers.map((c) => c.status);
    const facts = {
      ip: this.#lease?.ip ?? null,
      startTime: this.#startTime,
      init: statuses(this.#init),
      containers: statuses(this.#containers),
      over: this.#over,
    };
    update(store, this.#pod, (current) => {
      const status = podStatusOf(current, facts, timestamp(clock));
      return { ...current, status };
    });
  }

  /** A place of its own, for commands that are run in it. */
  #directory(): string {
    const { namespace, name } = this.#pod.metadata;
    const dir = join(this.#tools.settings.stateDir, 'pods', `${namespace}_${name}`);
    if (!this.#ending.signal.aborted) mkdirSync(dir, { recursive: true });
    return dir;
  }
}

/** An init container that is no step but a companion: `restartPolicy: Always`. */
const isSidecar = (init: Container): boolean => init.plan.restart === 'Always';

function initRestart({ spec }: Pod, { restartPolicy }: ContainerSpec): Restart {
  if (restartPolicy === 'Always') return 'Always';
  return spec.restartPolicy === 'Never' ? 'Never' : 'OnFailure';
}

const pathOf = (container: string): string => `spec.containers{${container}}`;

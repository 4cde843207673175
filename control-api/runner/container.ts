/** One container: its process, kept running as the restart policy says, with its state as Kubernetes tells it. */
import { constants } from 'node:os';
import { Backoff } from './backoff.ts';
import { sleep, timestamp, type Clock } from './clock.ts';
import type { ContainerLog } from './container-log.ts';
import { MissingConfigError } from './environment.ts';
import type { ContainerState, ContainerStatus, PodSpec } from './object.ts';
import { watchProbe, type Watch } from './probe.ts';
import type { Exit, Program, Running, Spawn } from './process.ts';

export type ContainerPlan = {
  readonly name: string;
  readonly image: string;
  /** Asked before each start. Throws MissingImageError or MissingConfigError when it cannot be started now. */
  readonly program: () => Program;
  readonly restart: NonNullable<PodSpec['restartPolicy']>;
  /** It counts as started once this holds; null: at once. */
  readonly startup: Watch | null;
  /** Null: ready from when it has started. */
  readonly readiness: Watch | null;
  readonly liveness: Watch | null;
  readonly graceMs: number;
};

export type ContainerTools = {
  readonly clock: Clock;
  readonly spawn: Spawn;
  readonly log: ContainerLog;
  readonly event: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
  /** Its status has changed. */
  readonly changed: () => void;
};

/** No command is known for the image. */
export class MissingImageError extends Error {}

export class Container {
  readonly plan: ContainerPlan;
  readonly #tools: ContainerTools;
  readonly #ending = new AbortController();
  readonly #backoff = new Backoff();
  #state: ContainerState = { waiting: { reason: 'ContainerCreating' } };
  #lastState: Partial<ContainerState> = {};
  #restarts = 0;
  #started = false;
  #ready = false;
  #running: Running | null = null;
  #program: Program | null = null;
  #probing = new AbortController();

  constructor(plan: ContainerPlan, tools: ContainerTools) {
    this.plan = plan;
    this.#tools = tools;
  }

  get ready(): boolean {
    return this.#ready;
  }

  get started(): boolean {
    return this.#started;
  }

  /** What runs now, or ran last: `exec` uses its environment. */
  get program(): Program | null {
    return this.#program;
  }

  /** How it ended for good; null while it may still run. */
  get over(): { readonly exitCode: number } | null {
    return 'terminated' in this.#state && this.#running === null ? this.#state.terminated : null;
  }

  get status(): ContainerStatus {
    const { name, image } = this.plan;
    const id = this.#running?.pid === undefined ? {} : { containerID: `process://${this.#running.pid}` };
    const counts = { ready: this.#ready, started: this.#started, restartCount: this.#restarts };
    return { name, image, imageID: image, ...id, ...counts, state: this.#state, lastState: this.#lastState };
  }

  /** Runs it, again and again if need be. Resolves when it has ended for good. */
  async run(): Promise<void> {
    for (let retry = 0; !this.#ending.signal.aborted; retry++) {
      const program = this.#prepare(retry);
      if (program === null) {
        await this.#pause(retry);
        continue;
      }
      const since = this.#tools.clock.now();
      const exit = await this.#once(program);
      const restart = this.plan.restart === 'Always' || (this.plan.restart === 'OnFailure' && exit.code !== 0);
      if (!restart || this.#ending.signal.aborted) return;
      const wait = this.#backoff.after(this.#tools.clock.now() - since);
      if (wait > 0) await this.#backOff(wait);
      if (this.#ending.signal.aborted) return;
      this.#lastState = this.#state;
      this.#restarts++;
      retry = -1;
    }
  }

  /** SIGTERM, and SIGKILL when it has not ended within `graceMs`. Resolves when it has. */
  async stop(graceMs: number): Promise<void> {
    this.#ending.abort();
    this.#probing.abort();
    const running = this.#running;
    if (running === null) return;
    running.signal('SIGTERM');
    const cancel = this.#tools.clock.after(graceMs, () => running.signal('SIGKILL'));
    await running.exited;
    cancel();
  }

  /** Null: it cannot be started now; the state says why. */
  #prepare(retry: number): Program | null {
    try {
      const program = this.plan.program();
      if (retry === 0)
        this.#tools.event('Normal', 'Pulled', `Container image "${this.plan.image}" already present on machine`);
      return program;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const config = error instanceof MissingConfigError;
      this.#tools.event(
        'Warning',
        'Failed',
        config ? `Error: ${message}` : `Failed to pull image "${this.plan.image}": ${message}`,
      );
      this.#set({ waiting: { reason: config ? 'CreateContainerConfigError' : 'ErrImagePull', message } });
      return null;
    }
  }

  /** Waits; a failed pull is shown as backing off after a moment, as the kubelet does. */
  async #pause(retry: number): Promise<void> {
    const { signal } = this.#ending;
    const ms = Math.min(10_000 * 2 ** retry, 300_000);
    const failed =
      'waiting' in this.#state && this.#state.waiting.reason === 'ErrImagePull' ? this.#state.waiting : null;
    // A Secret is often applied right after what needs it.
    if (failed === null) return sleep(this.#tools.clock, Math.min(500 * 2 ** retry, 5000), signal);
    await sleep(this.#tools.clock, 2000, signal);
    if (signal.aborted) return;
    this.#tools.event('Normal', 'BackOff', `Back-off pulling image "${this.plan.image}"`);
    this.#set({
      waiting: {
        reason: 'ImagePullBackOff',
        message: `Back-off pulling image "${this.plan.image}": ${failed.message ?? ''}`,
      },
    });
    await sleep(this.#tools.clock, ms - 2000, signal);
  }

  async #backOff(ms: number): Promise<void> {
    const message = `back-off ${ms / 1000}s restarting failed container=${this.plan.name}`;
    this.#tools.event('Warning', 'BackOff', `Back-off restarting failed container ${this.plan.name}`);
    const ended = this.#state;
    this.#lastState = ended;
    this.#set({ waiting: { reason: 'CrashLoopBackOff', message } });
    await sleep(this.#tools.clock, ms, this.#ending.signal);
    // What it waited for is over; what ended before is what the next start calls its last state.
    this.#state = ended;
  }

  async #once(program: Program): Promise<Exit> {
    const { clock, spawn, log, event } = this.#tools;
    const running = spawn(program);
    const startedAt = timestamp(clock);
    this.#program = program;
    this.#running = running;
    log.attach([running.stdout, running.stderr]);
    if (running.pid !== undefined) {
      event('Normal', 'Started', `Started container ${this.plan.name}`);
      this.#set({ running: { startedAt } });
      this.#probe();
    }
    const exit = await running.exited;
    this.#probing.abort();
    this.#running = null;
    [this.#started, this.#ready] = [false, false];
    this.#set({ terminated: terminated(exit, startedAt, timestamp(clock)) });
    if (exit.error !== null)
      event('Warning', 'Failed', `Error: failed to start container "${this.plan.name}": ${exit.error}`);
    return exit;
  }

  #probe(): void {
    const probing = new AbortController();
    this.#probing = probing;
    const { startup } = this.plan;
    if (startup === null) return this.#up(probing.signal);
    const gate = new AbortController();
    const signal = AbortSignal.any([probing.signal, gate.signal]);
    void watchProbe(this.#tools.clock, startup, signal, (verdict, why) => {
      if (verdict === true) {
        gate.abort();
        this.#up(probing.signal);
      } else if (verdict === false) this.#restart('Startup', why);
    });
  }

  /** It has started: from now on readiness and liveness count. */
  #up(signal: AbortSignal): void {
    const { clock, event, changed } = this.#tools;
    const { readiness, liveness } = this.plan;
    this.#started = true;
    this.#ready = readiness === null;
    changed();
    if (readiness !== null) {
      void watchProbe(clock, readiness, signal, (verdict, why) => {
        if (why !== null) event('Warning', 'Unhealthy', `Readiness probe failed: ${why}`);
        if ((verdict === true) === this.#ready) return;
        this.#ready = verdict === true;
        changed();
      });
    }
    if (liveness === null) return;
    void watchProbe(clock, liveness, signal, (verdict, why) => {
      if (why !== null) event('Warning', 'Unhealthy', `Liveness probe failed: ${why}`);
      if (verdict === false) this.#restart('Liveness', why);
    });
  }

  #restart(kind: string, why: string | null): void {
    const running = this.#running;
    if (running === null || this.#probing.signal.aborted) return;
    this.#probing.abort();
    this.#tools.event(
      'Normal',
      'Killing',
      `Container ${this.plan.name} failed ${kind.toLowerCase()} probe, will be restarted: ${why ?? ''}`,
    );
    running.signal('SIGTERM');
    const cancel = this.#tools.clock.after(this.plan.graceMs, () => running.signal('SIGKILL'));
    void running.exited.then(cancel);
  }

  #set(state: ContainerState): void {
    this.#state = state;
    this.#tools.changed();
  }
}

function terminated(
  { code, signal, error }: Exit,
  startedAt: string,
  finishedAt: string,
): Extract<ContainerState, { terminated: unknown }>['terminated'] {
  const reason = error !== null ? 'StartError' : code === 0 ? 'Completed' : 'Error';
  return {
    exitCode: code,
    ...(signal === null ? {} : { signal: constants.signals[signal] }),
    reason,
    ...(error === null ? {} : { message: error }),
    startedAt,
    finishedAt,
  };
}

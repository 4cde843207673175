/** The data-plane worker threads, as the main thread sees them: started, told, asked, replaced when one dies. */
import { Worker } from 'node:worker_threads';
import type { ClusterState } from './admin/cluster-state.ts';
import type { Announcement } from './core/registry.ts';
import type { BindProblem } from './listener/listeners.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './messages.ts';
import type { Discovery } from './snapshot/endpoints.ts';
import type { Snapshot } from './snapshot/snapshot.ts';
import type { SpanBatch } from './telemetry/spans.ts';

export type WorkerEvents = {
  /** Every worker has put this version in force. */
  onApplied(version: string): void;
  onBindProblem(problem: BindProblem): void;
  onBindRecovered(listener: string): void;
  /** `worker` numbers threads; a replacement has a number of its own. */
  onAnnouncement(worker: number, announcement: Announcement): void;
  onSpans(batch: SpanBatch): void;
  /** The thread has ended unasked; what it had counted stays valid. */
  onGone(worker: number): void;
  onWarning(message: string): void;
  onCrash(error: Error): void;
};

const RESTART_MS = 200;
const LAST_RESTART_MS = 10_000;
/** What a worker may take beyond its drain time to write its last logs and spans. */
const GRACE_MS = 2000;
/** A worker that lived so long starts with a clean record. */
const STEADY_MS = 60_000;

type Thread = { readonly number: number; readonly worker: Worker; readonly since: number; version: string | null };

export class Workers {
  readonly #setup: WorkerSetup;
  readonly #events: WorkerEvents;
  readonly #threads = new Set<Thread>();
  readonly #asked = new Map<
    number,
    { left: number; states: (readonly ClusterState[])[]; done: (states: readonly (readonly ClusterState[])[]) => void }
  >();
  #snapshot: Snapshot | null = null;
  #discovery: Discovery | null = null;
  #next = 1;
  #nextQuestion = 1;
  #restart = RESTART_MS;
  #stopping = false;

  constructor(count: number, setup: WorkerSetup, events: WorkerEvents) {
    this.#setup = setup;
    this.#events = events;
    for (let i = 0; i < count; i++) this.#start();
  }

  /** `snapshot`: null when only endpoints and addresses changed. */
  publish(snapshot: Snapshot | null, discovery: Discovery): void {
    if (snapshot !== null) this.#snapshot = snapshot;
    this.#discovery = discovery;
    for (const thread of this.#threads) {
      thread.version = null;
      this.#tell(
        thread,
        snapshot === null ? { kind: 'discovery', discovery } : { kind: 'snapshot', snapshot, discovery },
      );
    }
  }

  /** What each worker sees of its clusters. */
  clusters(): Promise<readonly (readonly ClusterState[])[]> {
    const { promise, resolve } = Promise.withResolvers<readonly (readonly ClusterState[])[]>();
    const id = this.#nextQuestion++;
    this.#asked.set(id, { left: this.#threads.size, states: [], done: resolve });
    for (const thread of this.#threads) this.#tell(thread, { kind: 'clusters', id });
    return promise;
  }

  reopenLogs(): void {
    for (const thread of this.#threads) this.#tell(thread, { kind: 'reopen-logs' });
  }

  /** The application gets nothing new; what it asks for itself is served on. */
  drainInbound(): void {
    for (const thread of this.#threads) this.#tell(thread, { kind: 'drain-inbound' });
  }

  /** Resolves when all have finished what was under way, or `within` ms have passed, and the threads have ended. */
  async drain(within: number): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#threads].map((thread) => this.#drainOne(thread, within)));
  }

  /** A thread that is done ends by itself; one that hangs is ended. */
  async #drainOne(thread: Thread, within: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    thread.worker.once('exit', () => resolve());
    const timer = setTimeout(() => void thread.worker.terminate(), within + GRACE_MS);
    this.#tell(thread, { kind: 'drain', within });
    await promise;
    clearTimeout(timer);
  }

  #start(): void {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: this.#setup });
    const thread: Thread = { number: this.#next++, worker, since: performance.now(), version: null };
    this.#threads.add(thread);
    worker.on('message', (message: FromWorker) => this.#onMessage(thread, message));
    worker.on('error', (error: Error) => this.#events.onCrash(error));
    worker.on('exit', () => this.#onExit(thread));
    if (this.#snapshot !== null) {
      this.#tell(thread, { kind: 'snapshot', snapshot: this.#snapshot, discovery: this.#discovery! });
    }
  }

  #onExit(thread: Thread): void {
    this.#threads.delete(thread);
    this.#events.onGone(thread.number);
    if (this.#stopping) return;
    if (performance.now() - thread.since > STEADY_MS) this.#restart = RESTART_MS;
    setTimeout(() => this.#stopping || this.#start(), this.#restart);
    this.#restart = Math.min(this.#restart * 2, LAST_RESTART_MS);
  }

  #tell(thread: Thread, message: ToWorker): void {
    thread.worker.postMessage(message);
  }

  #onMessage(thread: Thread, message: FromWorker): void {
    switch (message.kind) {
      case 'applied':
        thread.version = message.version;
        if ([...this.#threads].every((t) => t.version === message.version)) this.#events.onApplied(message.version);
        return;
      case 'bind-problem':
        return this.#events.onBindProblem(message.problem);
      case 'bind-recovered':
        return this.#events.onBindRecovered(message.listener);
      case 'announce':
        return this.#events.onAnnouncement(thread.number, message.announcement);
      case 'spans':
        return this.#events.onSpans(message.batch);
      case 'clusters':
        return this.#answer(message.id, message.clusters);
      case 'warning':
        return this.#events.onWarning(message.message);
      case 'drained':
    }
  }

  #answer(id: number, states: readonly ClusterState[]): void {
    const question = this.#asked.get(id);
    if (question === undefined) return;
    question.states.push(states);
    if (--question.left > 0) return;
    this.#asked.delete(id);
    question.done(question.states);
  }
}

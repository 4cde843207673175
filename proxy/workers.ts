/** The data-plane worker threads, as the main thread sees them: started, told, asked, replaced when one dies. */
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { ClusterState } from './admin/cluster-state.ts';
import type { Announcement } from './core/registry.ts';
import type { BindProblem, SharedSocket } from './listener/listeners.ts';
import { loadDescriptors } from './listener/descriptors.ts';
import { CRASHED, type FromWorker, type ToWorker, type WorkerSetup } from './messages.ts';
import { LoadBoard } from './live/load-board.ts';
import { OwnPorts } from './live/own-ports.ts';
import type { Discovery } from './snapshot/endpoints.ts';
import type { Snapshot } from './snapshot/snapshot.ts';
import type { TapBatch, TapOrder } from './snapshot/tap.ts';
import type { EdgeRow } from './telemetry/edge-stats-row.ts';
import type { EgressRow } from './core/egress.ts';
import type { SpanBatch } from './telemetry/spans.ts';

export type WorkerEvents = {
  /** Every worker has put this version in force. */
  onApplied(version: string): void;
  onBindProblem(problem: BindProblem): void;
  onBindRecovered(listener: string): void;
  /** `worker` numbers threads; a replacement has a number of its own. */
  onAnnouncement(worker: number, announcement: Announcement): void;
  onSpans(batch: SpanBatch): void;
  onEgress(rows: readonly EgressRow[]): void;
  onEdges(worker: number, rows: readonly EdgeRow[]): void;
  onTapped(batches: readonly TapBatch[]): void;
  /** The thread has ended unasked; what it had counted stays valid. */
  onGone(worker: number): void;
  onWarning(message: string): void;
  onCrash(error: Error): void;
};

/**
 * Young generation of a worker, MB a half-space. 1 costs CPU at saturation; 4 costs memory, and at low load CPU, because it does not fit
 * the cache (docs/decisions/0007-memory-of-a-proxy.md). The main thread, which has little to do, is started with 1 by the launcher.
 */
const HALF_SPACE = 2;

/** The first replacement is started at once; then it takes so long, twice as long each time. */
const RESTART_MS = 200;
const LAST_RESTART_MS = 10_000;
/** What a worker may take beyond its drain time to write its last logs and spans. */
const GRACE_MS = 2000;
/** A worker that lived so long starts with a clean record. */
const STEADY_MS = 60_000;

/** How long connections of a thread that is being replaced may take to end, ms. */
const CRASHED_MS = 5000;
/** So many of them at a time. */
const MOST_CRASHED = 2;

/** What the workers said, one for each. */
type Question = { left: number; readonly answers: unknown[]; readonly done: (answers: unknown[]) => void };

type Thread = {
  readonly number: number;
  readonly worker: Worker;
  /** Of the load board. */
  readonly row: number;
  readonly since: number;
  version: string | null;
  /** Told to drain, since another has taken its place. */
  retiring: boolean;
  /** What it listened on when it crashed. */
  sockets: readonly SharedSocket[];
};

export class Workers {
  /** How loaded each of them is. */
  readonly load: LoadBoard;
  readonly #setup: WorkerSetup;
  readonly #events: WorkerEvents;
  readonly #threads = new Set<Thread>();
  /** Threads that something went wrong in: they serve until another does. */
  readonly #crashed = new Set<Thread>();
  readonly #asked = new Map<number, Question>();
  /** Sockets of a crashed thread, for the one that replaces it. */
  readonly #heirloom: SharedSocket[] = [];
  #snapshot: Snapshot | null = null;
  #taps: readonly TapOrder[] = [];
  #discovery: Discovery | null = null;
  #next = 1;
  #nextQuestion = 1;
  #restart = 0;
  #stopping = false;

  constructor(count: number, setup: WorkerSetup, events: WorkerEvents) {
    // A thread that is being replaced keeps its row beside its successor's.
    this.load = new LoadBoard(2 * count + 2);
    const redirected = setup.node.interception === 'REDIRECT';
    this.#setup = { ...setup, load: this.load.buffer, ...(redirected ? { ownPorts: new OwnPorts().buffer } : {}) };
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
    return this.#ask('clusters') as Promise<(readonly ClusterState[])[]>;
  }

  /** Resolves when `onEgress` has been told of everything so far. */
  async egress(): Promise<void> {
    await this.#ask('egress');
  }

  /** Resolves when `onEdges` has been told of everything so far. */
  async edges(): Promise<void> {
    await this.#ask('edges');
  }

  /** All taps there are, in place of those before. */
  setTaps(taps: readonly TapOrder[]): void {
    if (taps.length === 0 && this.#taps.length === 0) return;
    this.#taps = taps;
    for (const thread of this.#threads) this.#tell(thread, { kind: 'taps', taps });
  }

  /** Gives each worker its share of the sockets of a predecessor. Before the first snapshot. */
  adopt(sockets: readonly SharedSocket[]): void {
    const threads = [...this.#threads];
    const shares = threads.map((): SharedSocket[] => []);
    const nth = new Map<string, number>();
    for (const socket of sockets) {
      const place = `${socket.address} ${socket.port}`;
      const i = nth.get(place) ?? 0;
      shares[i % shares.length]!.push(socket);
      nth.set(place, i + 1);
    }
    for (const [i, thread] of threads.entries()) this.#tell(thread, { kind: 'adopt', sockets: shares[i]! });
  }

  /** What the workers listen on, and which of the sockets that were adopted are among that. */
  async sockets(): Promise<{ readonly sockets: readonly SharedSocket[]; readonly taken: readonly number[] }> {
    const answers = (await this.#ask('sockets')) as { sockets: readonly SharedSocket[]; taken: readonly number[] }[];
    return { sockets: answers.flatMap((a) => a.sockets), taken: answers.flatMap((a) => a.taken) };
  }

  #ask(kind: 'clusters' | 'sockets' | 'egress' | 'edges'): Promise<unknown[]> {
    const { promise, resolve } = Promise.withResolvers<unknown[]>();
    const id = this.#nextQuestion++;
    this.#asked.set(id, { left: this.#threads.size, answers: [], done: resolve });
    for (const thread of this.#threads) this.#tell(thread, { kind, id });
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
  async drain(within: number, handedOver: boolean): Promise<void> {
    this.#stopping = true;
    const all = [...this.#threads, ...this.#crashed];
    await Promise.all(all.map((thread) => this.#drainOne(thread, within, handedOver)));
  }

  /** A thread that is done ends by itself; one that hangs is ended. */
  async #drainOne(thread: Thread, within: number, handedOver: boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    thread.worker.once('exit', () => resolve());
    const timer = setTimeout(() => void thread.worker.terminate(), within + GRACE_MS);
    this.#tell(thread, { kind: 'drain', within, handedOver });
    await promise;
    clearTimeout(timer);
  }

  #start(): void {
    const row = this.load.take();
    // V8 reads it when a heap is made.
    setFlagsFromString(`--max-semi-space-size=${HALF_SPACE}`);
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { ...this.#setup, row } });
    const since = performance.now();
    const thread: Thread = { number: this.#next++, worker, row, since, version: null, retiring: false, sockets: [] };
    this.#threads.add(thread);
    worker.on('message', (message: FromWorker) => this.#onMessage(thread, message));
    worker.on('error', (error: Error) => this.#events.onCrash(error));
    worker.on('exit', () => this.#onExit(thread));
    if (this.#taps.length > 0) this.#tell(thread, { kind: 'taps', taps: this.#taps });
    if (this.#snapshot !== null) {
      this.#tell(thread, { kind: 'adopt', sockets: this.#heirloom.splice(0) });
      this.#tell(thread, { kind: 'snapshot', snapshot: this.#snapshot, discovery: this.#discovery! });
    }
  }

  #onExit(thread: Thread): void {
    this.load.giveBack(thread.row);
    this.#events.onGone(thread.number);
    if (!this.#crashed.delete(thread)) this.#replace(thread);
  }

  /** A thread that ends takes what it was asked along. */
  #replace(thread: Thread): void {
    this.#threads.delete(thread);
    for (const id of this.#asked.keys()) this.#answer(id, null);
    if (this.#stopping) return;
    if (performance.now() - thread.since > STEADY_MS) this.#restart = 0;
    setTimeout(() => this.#stopping || this.#start(), this.#restart);
    this.#restart = Math.min(Math.max(RESTART_MS, this.#restart * 2), LAST_RESTART_MS);
  }

  /** It goes on serving until its successor does, so that the port is never refused; then it ends as any that is told to. */
  #onCrashed(thread: Thread, message: string): void {
    this.#events.onCrash(new Error(message));
    this.#tell(thread, { kind: 'cut-stuck' });
    if (!this.#threads.has(thread)) return;
    // One that never served is of no use, and neither are too many of them.
    if (thread.version === null || this.#crashed.size >= MOST_CRASHED) return void thread.worker.terminate();
    this.#crashed.add(thread);
    for (const socket of thread.sockets) {
      const fd = loadDescriptors()?.duplicate(socket.fd) ?? -1;
      if (fd >= 0) this.#heirloom.push({ ...socket, fd });
    }
    this.#replace(thread);
  }

  #retireCrashed(): void {
    for (const thread of this.#crashed) {
      if (thread.retiring) continue;
      thread.retiring = true;
      void this.#drainOne(thread, CRASHED_MS, true);
    }
  }

  #tell(thread: Thread, message: ToWorker): void {
    thread.worker.postMessage(message);
  }

  #onMessage(thread: Thread, message: FromWorker): void {
    switch (message.kind) {
      case 'applied':
        thread.version = message.version;
        if ([...this.#threads].every((t) => t.version === message.version)) this.#events.onApplied(message.version);
        return this.#threads.has(thread) ? this.#retireCrashed() : undefined;
      case 'bind-problem':
        return this.#events.onBindProblem(message.problem);
      case 'bind-recovered':
        return this.#events.onBindRecovered(message.listener);
      case 'announce':
        return this.#events.onAnnouncement(thread.number, message.announcement);
      case 'spans':
        return this.#events.onSpans(message.batch);
      case 'egress':
        this.#events.onEgress(message.rows);
        return message.id === null ? undefined : this.#answer(message.id, null);
      case 'edges':
        this.#events.onEdges(thread.number, message.rows);
        return message.id === null ? undefined : this.#answer(message.id, null);
      case 'tapped':
        return this.#events.onTapped(message.batches);
      case 'clusters':
        return this.#answer(message.id, message.clusters);
      case 'sockets':
        if (message.id === CRASHED) return void (thread.sockets = message.sockets);
        return this.#answer(message.id, message);
      case 'crashed':
        return this.#onCrashed(thread, message.message);
      case 'warning':
        return this.#events.onWarning(message.message);
      case 'drained':
    }
  }

  #answer(id: number, answer: unknown): void {
    const question = this.#asked.get(id);
    if (question === undefined) return;
    if (answer !== null) question.answers.push(answer);
    if (--question.left > 0) return;
    this.#asked.delete(id);
    question.done(question.answers);
  }
}

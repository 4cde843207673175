/** Wires a proxy: sources, workers, exporters, admin. The config path and the request path meet here and nowhere else. */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import pino, { type Logger } from 'pino';
import { startAdmin, type AdminServers, type Bind } from './admin/admin.ts';
import type { AdminContext, LogLevel } from './admin/context.ts';
import { answerAsks } from './asked-pages.ts';
import { DEFAULT_NAMESPACE } from './compile/defaults.ts';
import { describeDiff, diffSnapshots } from './compile/diff.ts';
import { SeriesReader } from './core/series-reader.ts';
import { DnsServer } from './dns/server.ts';
import { exposeDnsStats } from './dns/stats.ts';
import type { Problem } from './istio/problem.ts';
import { SIDECAR_LIMITS, type ListenerLimits } from './listener/limits.ts';
import type { BindProblem } from './listener/listeners.ts';
import type { ProxyOptions } from './options.ts';
import { Registration } from './registration.ts';
import { Collector, keepCompiledCode } from './settle.ts';
import type { Snapshot } from './snapshot/snapshot.ts';
import { Applier, type Applied } from './sources/apply.ts';
import { ControlApiSource } from './sources/control-api.ts';
import { FileSource } from './sources/file.ts';
import { credentialsOf } from './sources/join-token.ts';
import type { Source } from './sources/source.ts';
import type { TapOrder } from './snapshot/tap.ts';
import { exposeConfigFacts } from './telemetry/config-stats.ts';
import { exposeLoad, loadStats } from './telemetry/overload-metrics.ts';
import { createExposition } from './telemetry/prometheus.ts';
import { startHandover, type Handover } from './handover.ts';
import { otlpEnvelope } from './telemetry/otlp.ts';
import { createSpanExporter } from './telemetry/span-exporter.ts';
import { exposeSpanStats } from './telemetry/span-stats.ts';
import { TrafficReports } from './traffic-reports.ts';
import { Workers } from './workers.ts';

export type Proxy = {
  /** Resolves when the first configuration is in force and its ports are bound. */
  readonly ready: Promise<void>;
  /** Finishes what is under way and lets go of everything. Resolves when that is done; calling it again changes nothing. */
  drain(): Promise<void>;
};

/** Without an answer of the control API for so long, a proxy starts on what it ran last. */
const RESTORE_AFTER_MS = 2000;
/** For what the control API is told last, ms. */
const LAST_WORDS_MS = 2500;
/** A proxy that takes over and is not ready by then shows its admin pages all the same, ms. */
const SUCCEED_WITHIN_MS = 5000;

export const VERSION = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

/** Rejects when an admin port or that of DNS cannot be bound. */
export async function boot(options: ProxyOptions): Promise<Proxy> {
  const proxy = new Main(options);
  await proxy.start();
  return proxy;
}

class Main implements Proxy {
  readonly ready: Promise<void>;
  readonly #options: ProxyOptions;
  readonly #log: Logger;
  readonly #reader = new SeriesReader();
  readonly #exposition = createExposition(this.#reader, VERSION);
  readonly #spans;
  readonly #traffic: TrafficReports;
  readonly #limits: ListenerLimits;
  readonly #workers: Workers;
  readonly #collector = new Collector();
  readonly #applier: Applier;
  readonly #source: Source;
  readonly #control: ControlApiSource | null;
  readonly #startedAt = Date.now();
  readonly #bindProblems = new Map<string, BindProblem>();
  readonly #registration: Registration | null;
  #admin: AdminServers | null = null;
  #dns: DnsServer | null = null;
  #handover: Handover | null = null;
  #becomeReady: () => void = () => undefined;
  /** A first configuration is in force. */
  #applied = false;
  #isReady = false;
  /** Errors that have been logged and are still there. */
  #problems: ReadonlySet<string> = new Set();
  /** The snapshot that was published last. */
  #inForce: Snapshot | null = null;
  /** ms since 1970 */
  #inForceSince: number | null = null;
  #failing = false;
  #draining: Promise<void> | null = null;
  #restore: NodeJS.Timeout | null = null;
  readonly #reopen = (): void => this.#workers.reopenLogs();

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#log = pino(
      { base: { proxy: options.node.name }, level: process.env['LATEEN_LOG_LEVEL'] ?? 'info' },
      pino.destination({ dest: 2, sync: true }),
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#becomeReady = resolve;
    this.#spans = createSpanExporter({
      collectors: options.zipkin,
      headersFor: credentialsOf(options.source),
      otlp: { collectors: options.otlp ?? [], envelope: otlpEnvelope(options.node, VERSION) },
      onState: (collector, problem) =>
        problem === null
          ? this.#log.info(`spans go to ${collector}`)
          : this.#log.warn(`spans do not reach ${collector}: ${problem}`),
    });
    exposeSpanStats(this.#exposition.registry, this.#spans);
    const accessLog = options.accessLog === 'off' ? null : options.accessLog === 'stdout' ? 1 : options.accessLog;
    this.#limits = options.limits ?? SIDECAR_LIMITS;
    this.#workers = new Workers(
      options.concurrency,
      {
        node: options.node,
        accessLog,
        sharedLog: options.concurrency > 1,
        limits: this.#limits,
        spanFormats: this.#spans.formats,
        ...(options.propagation === undefined ? {} : { propagation: options.propagation }),
      },
      {
        onApplied: (version) => this.#onApplied(version),
        onBindProblem: (problem) => this.#onBindProblem(problem),
        onBindRecovered: (listener) => this.#onBindRecovered(listener),
        onAnnouncement: (worker, announcement) => this.#reader.accept(worker, announcement),
        onSpans: (batch) => this.#spans.push(batch),
        onEgress: (rows) => this.#traffic.onEgress(rows),
        onEdges: (worker, rows) => this.#traffic.onEdges(worker, rows),
        onTapped: (batches) => this.#traffic.onTapped(batches),
        onGone: (worker) => this.#gone(worker),
        onWarning: (message) => this.#log.warn(message),
        onCrash: (error) => this.#log.error(error, 'a worker thread crashed; another takes its place'),
      },
    );
    exposeLoad(this.#exposition.registry, this.#workers.load);
    const log = (level: 'info' | 'warn', message: string): void => this.#log[level](message);
    this.#applier = new Applier(
      options.node,
      options.mesh,
      options.stateDir,
      (applied, snapshot) => this.#publish(applied, snapshot),
      log,
    );
    const { source, node } = options;
    this.#control = ControlApiSource.of(source, node, log);
    const control = this.#control;
    this.#registration = control === null ? null : this.#registrationAt(control);
    const tell = control === null ? null : (what: string, body: unknown) => control.tell(what, body);
    this.#traffic = new TrafficReports(node.workload, `${this.#startedAt}-${process.pid}`, tell);
    if (control !== null) control.onTaps = (taps) => this.#workers.setTaps(taps as readonly TapOrder[]);
    exposeConfigFacts(this.#exposition.registry, () => ({
      connected: control === null ? null : control.connected,
      errors: this.#errors(),
      unbound: this.#bindProblems.size,
      revision: this.#applier.current?.revision ?? 0,
      since: this.#inForceSince,
    }));
    this.#source = this.#control ?? new FileSource(source.kind === 'files' ? source.dir : '', DEFAULT_NAMESPACE, log);
  }

  #registrationAt(control: ControlApiSource): Registration | null {
    const { node, source, register } = this.#options;
    if (register === undefined || source.kind !== 'control-api') return null;
    const registration = new Registration({
      node,
      url: source.url,
      credentials: credentialsOf(source),
      app: register.app,
      startedAt: this.#startedAt,
      notReady: () => this.#notReady(),
      connected: () => control.connected,
      log: (level, message) => this.#log[level](message),
    });
    // With the stream the control API compares who is there: by then it must know of this proxy again.
    control.beforeStream = () => registration.refresh();
    return registration;
  }

  async start(): Promise<void> {
    const { ports, node, appMetrics, handover } = this.#options;
    if (handover !== null) await this.#meet(handover);
    const bind = (port: number, host = node.ip): Bind | null => (port === 0 ? null : { host, port });
    await this.#startDns();
    const context = this.#context();
    if (this.#control !== null) answerAsks(this.#control, context);
    this.#source.start((update) => this.#applier.onUpdate(update));
    if (this.#control !== null) this.#restore = setTimeout(() => this.#restoreLastGood(), RESTORE_AFTER_MS);
    process.on('SIGUSR1', this.#reopen);
    // The predecessor says on the same ports that all is well, until it can be said of this proxy, too.
    const succeeds = (this.#handover?.adopted.length ?? 0) > 0;
    if (succeeds) await Promise.race([this.ready, pause(SUCCEED_WITHIN_MS, null, { ref: false })]);
    this.#admin = await startAdmin(
      {
        // A pod's own loopback address is as private as 127.0.0.1; any other address of a pod is not.
        admin: bind(ports.admin, node.ip.startsWith('127.') ? node.ip : '127.0.0.1'),
        metrics: bind(ports.metrics),
        merged: bind(ports.merged),
        ready: bind(ports.ready),
        appMetrics,
        app: this.#registration?.app ?? null,
        shared: handover !== null,
      },
      context,
    );
    this.#registration?.start();
    if (succeeds) void this.ready.then(() => this.#succeed());
  }

  async #meet(where: { readonly dir: string; readonly takeover: boolean }): Promise<void> {
    this.#handover = await startHandover({
      ...where,
      sockets: async () => (await this.#workers.sockets()).sockets,
      onTakenOver: () => this.#quit(),
      log: (level, message) => this.#log[level](message),
    });
    this.#workers.adopt(this.#handover.adopted);
  }

  /** Before any configuration comes, so that the first one is answered from. */
  async #startDns(): Promise<void> {
    const { dns, handover } = this.#options;
    if (dns === undefined) return;
    this.#dns = await DnsServer.start(
      { ...dns, shared: handover !== null && process.platform === 'linux' },
      exposeDnsStats(this.#exposition.registry),
      (level, message) => this.#log[level](message),
    );
  }

  async #succeed(): Promise<void> {
    this.#handover?.serving((await this.#workers.sockets()).taken);
  }

  #quit(): void {
    void this.drain().then(() => process.exit(0));
  }

  drain(): Promise<void> {
    this.#draining ??= this.#stop();
    return this.#draining;
  }

  async #stop(): Promise<void> {
    this.#log.info('draining');
    if (this.#restore !== null) clearTimeout(this.#restore);
    process.off('SIGUSR1', this.#reopen);
    // A successor is this Pod now.
    const succeeded = this.#handover?.handedOver() ?? false;
    if (succeeded) this.#registration?.close();
    else await this.#registration?.withdraw();
    await Promise.race([this.#tellLast(), pause(LAST_WORDS_MS, null, { ref: false })]);
    this.#source.close();
    const handedOver = this.#handover?.handedOver() ?? false;
    // Who asks there means the successor now.
    if (handedOver) {
      this.#dns?.close();
      await this.#admin?.close();
    }
    await this.#workers.drain(this.#options.drainMs, handedOver);
    if (!succeeded) await this.#registration?.remove();
    this.#dns?.close();
    this.#handover?.close();
    await this.#spans.close();
    await this.#admin?.close();
  }

  /** A job may be over before its proxy has said what it was refused. */
  async #tellLast(): Promise<void> {
    if (this.#control === null) return;
    await Promise.all([this.#workers.egress(), this.#workers.edges()]);
    await this.#traffic.close();
  }

  #gone(worker: number): void {
    this.#reader.retire(worker);
    this.#traffic.onGone(worker);
  }

  #publish(applied: Applied, snapshot: Snapshot | null): void {
    if (this.#restore !== null) clearTimeout(this.#restore);
    if (snapshot !== null) {
      const changed = describeDiff(diffSnapshots(this.#inForce, snapshot));
      this.#inForce = snapshot;
      this.#inForceSince = Date.now();
      this.#log.info({ version: snapshot.version, revision: applied.revision }, `configuration compiled: ${changed}`);
    }
    this.#logProblems(applied.problems);
    this.#workers.publish(snapshot, applied.discovery);
    this.#dns?.setNames(applied.names);
    this.#collector.afterWork();
  }

  /** Each problem once: most updates have nothing to do with those that were there before. */
  #logProblems(problems: readonly Problem[]): void {
    const errors = new Map(problems.filter((p) => p.severity === 'error').map((p) => [JSON.stringify(p), p]));
    for (const [text, problem] of errors) {
      if (!this.#problems.has(text)) this.#log.warn({ problem }, 'a resource has an error in it');
    }
    this.#problems = new Set(errors.keys());
  }

  #errors(): number {
    return (this.#applier.current?.problems ?? []).filter((p) => p.severity === 'error').length;
  }

  #restoreLastGood(): void {
    if (this.#applier.restore())
      this.#log.warn('the control API does not answer; running on the configuration of the last run');
    else if (this.#control?.problem != null)
      this.#log.warn(
        `${this.#control.problem}; nothing is served until it answers, as no last run has left a configuration`,
      );
  }

  #onApplied(version: string): void {
    const applied = this.#applier.current;
    if (applied === null || applied.snapshot.version !== version) return;
    this.#applied = true;
    this.#checkReady();
    const { node } = this.#options;
    this.#control?.report({
      revision: applied.revision,
      version,
      accepted: this.#errors() === 0,
      problems: applied.problems,
      role: node.role,
      workload: node.workload,
      ip: node.ip,
      metricsPort: this.#options.ports.merged || this.#options.ports.metrics,
      pid: process.pid,
      startedAt: new Date(this.#startedAt).toISOString(),
    });
  }

  #onBindProblem(problem: BindProblem): void {
    if (!this.#bindProblems.has(problem.listener)) {
      this.#log.error(problem, `cannot listen on ${problem.address}:${problem.port}: ${problem.message}; trying again`);
    }
    this.#bindProblems.set(problem.listener, problem);
  }

  #onBindRecovered(listener: string): void {
    this.#bindProblems.delete(listener);
    this.#log.info(`listener ${listener} is bound`);
    this.#checkReady();
  }

  #checkReady(): void {
    if (this.#isReady || !this.#applied || this.#bindProblems.size > 0) return;
    this.#isReady = true;
    keepCompiledCode();
    this.#becomeReady();
    this.#registration?.changed();
  }

  #notReady(): readonly string[] {
    return [
      ...(this.#isReady || this.#applied ? [] : ['no configuration is in force yet']),
      ...(this.#isReady ? [] : [...this.#bindProblems.values()].map((p) => `cannot listen on ${p.address}:${p.port}`)),
      ...(this.#failing ? ['health checks are made to fail'] : []),
      ...(this.#draining === null ? [] : ['draining']),
    ];
  }

  #context(): AdminContext {
    return {
      version: VERSION,
      startedAt: this.#startedAt,
      snapshot: () => this.#applier.current?.snapshot ?? null,
      discovery: () => this.#applier.current?.discovery ?? null,
      problems: () => this.#applier.current?.problems ?? [],
      state: () => (this.#draining !== null ? 'DRAINING' : this.#isReady ? 'LIVE' : 'INITIALIZING'),
      notReady: () => this.#notReady(),
      clusters: () => this.#workers.clusters(),
      egress: async () => {
        await this.#workers.egress();
        return this.#traffic.egress.rows();
      },
      limits: this.#limits,
      load: () => loadStats(this.#workers.load),
      exposition: this.#exposition,
      drain: (inboundOnly) => (inboundOnly ? this.#workers.drainInbound() : void this.drain()),
      failHealth: (failing) => {
        this.#failing = failing;
        this.#registration?.changed();
      },
      reopenLogs: this.#reopen,
      quit: () => this.#quit(),
      logLevel: () => this.#log.level as LogLevel,
      setLogLevel: (level) => void (this.#log.level = level),
    };
  }
}

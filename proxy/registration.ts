/** Makes this proxy a Pod of the mesh, and keeps it one: as Istio's auto-registration makes a WorkloadEntry of a virtual machine. */
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { AppProbe, type ProbeTarget } from './app-probe.ts';
import { podAddresses } from './pod-addresses.ts';
import { Registrar, type Outcome } from './registrar.ts';
import { proxyId, type ProxyNode } from './snapshot/node.ts';
import type { Credentials } from './sources/join-token.ts';

/** The application's container, as the Pod shows it. */
export type AppContainer = {
  readonly name: string;
  readonly image: string;
  readonly ports: readonly number[];
  /** Null: it always counts as ready. */
  readonly probe: ProbeTarget | null;
};

export type RegistrationOptions = {
  readonly node: ProxyNode;
  /** Of the control API. */
  readonly url: string;
  readonly credentials?: Credentials;
  /** Null: there is none, as beside a gateway. */
  readonly app: AppContainer | null;
  /** Of this process, ms since 1970. */
  readonly startedAt: number;
  /** Why the proxy cannot serve; empty: it can. */
  readonly notReady: () => readonly string[];
  /** Is the control API there, as far as one knows? */
  readonly connected: () => boolean;
  readonly log: (level: 'info' | 'warn', message: string) => void;
  /** For tests: what is below, ms. */
  readonly times?: Partial<typeof TIMES>;
};

const TIMES = {
  /** An answer to a heartbeat. */
  answer: 5000,
  /** Before the stream of the configuration is opened, in which nothing else can come. */
  refresh: 1000,
  /** Without an answer: the next try. */
  away: 1000,
  /** What was refused is not asked for all the time: who has the name may end, though. */
  refused: 10_000,
  /** Until all proxies have heard that this one ends: the control API waits for 5 s itself. */
  withdraw: 6000,
  remove: 1000,
  /** Between two probes of the application. */
  probe: 1000,
};

export class Registration {
  readonly #options: RegistrationOptions;
  readonly #times: typeof TIMES;
  readonly #registrar: Registrar;
  readonly #probe: AppProbe | null;
  /** What never changes. */
  readonly #facts: Readonly<Record<string, unknown>>;
  /** The request under way. */
  #sending: Promise<void> | null = null;
  /** What was taken last; null: nothing that still holds. */
  #told: string | null = null;
  /** Is there a Pod that this proxy has made? */
  #member = false;
  /** The status of the last refusal, which has been logged; 0: it is not refused. */
  #refused = 0;
  #timer: NodeJS.Timeout | null = null;
  #state: 'new' | 'telling' | 'ending' = 'new';

  constructor(options: RegistrationOptions) {
    const { node, url, app, startedAt, credentials } = options;
    this.#options = options;
    this.#times = { ...TIMES, ...options.times };
    const incarnation = `${startedAt}-${process.pid}`;
    this.#registrar = new Registrar(url, proxyId(node), incarnation, credentials);
    const target = app?.probe ?? null;
    this.#probe = target === null ? null : new AppProbe(target, () => this.changed(), { period: this.#times.probe });
    const { ip, labels, serviceAccount, workload, role } = node;
    const started = new Date(startedAt).toISOString();
    this.#facts = { ip, labels, serviceAccount, workload, role, node: hostname(), startedAt: started, incarnation };
  }

  /** The application and why it is not ready (null: it is): for `/app-health/<name>/readyz`. Null: there is no application. */
  get app(): { readonly name: string; readonly why: () => string | null } | null {
    const { app } = this.#options;
    return app === null ? null : { name: app.name, why: () => this.#probe?.why ?? null };
  }

  start(): void {
    this.#state = 'telling';
    this.#probe?.start();
    void this.#tell();
  }

  /** Something may be different: it is told at once, if so. */
  changed(): void {
    // Who is refused, or finds nobody, tells the newest with the next try.
    if (this.#told !== null && this.#told !== this.#containers()) void this.#tell();
  }

  /** Tells it at once. Resolves when that has ended, however, or after a second. */
  async refresh(): Promise<void> {
    if (this.#state !== 'telling') return;
    await Promise.race([this.#tell(), pause(this.#times.refresh, null, { ref: false })]);
  }

  /** Resolves when nobody calls this proxy any more: all proxies have heard that it ends. Waits 6 s at most, and not at all without a control API. */
  async withdraw(): Promise<void> {
    const deadline = performance.now() + this.#times.withdraw;
    this.close();
    if (!this.#options.connected()) return;
    // A heartbeat that arrived after it would say that the proxy is here to stay.
    await Promise.race([this.#sending, pause(this.#times.withdraw, null, { ref: false })]);
    if (!this.#member) return;
    const left = Math.max(1, Math.round(deadline - performance.now()));
    const outcome = await this.#registrar.put(this.#body(true), left);
    if (outcome.kind === 'away' && outcome.late)
      this.#options.log('warn', 'the control API does not say whether all proxies have heard that this one ends');
  }

  /** Takes the Pod out: the last thing that is said. */
  async remove(): Promise<void> {
    this.close();
    if (this.#member) await this.#registrar.delete(this.#times.remove);
    this.#registrar.close();
  }

  /** Says no more by itself; what has been said stays. */
  close(): void {
    this.#state = 'ending';
    this.#probe?.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #tell(): Promise<void> {
    if (this.#state !== 'telling') return Promise.resolve();
    this.#sending ??= this.#put().finally(() => {
      this.#sending = null;
      this.changed();
    });
    return this.#sending;
  }

  async #put(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const containers = this.#containers();
    const outcome = await this.#registrar.put(this.#body(false), this.#times.answer);
    this.#told = outcome.kind === 'taken' ? containers : null;
    if (outcome.kind === 'taken') this.#onTaken();
    if (outcome.kind === 'refused') this.#onRefused(outcome);
    if (this.#state === 'telling') this.#timer = setTimeout(() => void this.#tell(), this.#next(outcome));
  }

  /** Until the next time, ms; not all proxies at the same moment. */
  #next(outcome: Outcome): number {
    return this.#pauseAfter(outcome) * (0.8 + Math.random() / 5);
  }

  #pauseAfter(outcome: Outcome): number {
    if (outcome.kind === 'taken') return outcome.heartbeatMs;
    // What a server could not do it may do soon.
    return outcome.kind === 'refused' && outcome.status < 500 ? this.#times.refused : this.#times.away;
  }

  #onTaken(): void {
    if (!this.#member || this.#refused !== 0)
      this.#options.log('info', `registered as pod ${proxyId(this.#options.node)}`);
    this.#member = true;
    this.#refused = 0;
  }

  #onRefused({ status, message }: { readonly status: number; readonly message: string }): void {
    if (status !== this.#refused)
      this.#options.log('warn', `not registered: ${this.#advice(status, message)} (${message})`);
    this.#refused = status;
    // The Pod of that name is another's now: not ours to take out.
    if (status === 409) this.#member = false;
  }

  /** What is wrong, and what to do. */
  #advice(status: number, message: string): string {
    const { node, url } = this.#options;
    if (status === 409 && message.includes(`the address ${node.ip} `))
      return `another pod has the address ${node.ip}: this one comes in by itself once that is gone; if both run, --ip is wrong in one`;
    if (status === 409)
      return `another proxy has taken the name ${node.name}: give this one a name of its own with --name`;
    if (status === 401)
      return `${url} takes only proxies that show the join token of the mesh: this one needs --join-token-file, and a file that it can read`;
    if (status === 403)
      return `${node.ip} is not the address that ${url} sees this proxy at: start it with --ip and that address`;
    if (status === 400)
      return 'the control API cannot read what this proxy says of itself: correct the flag of that name';
    if (status === 404 || status === 405)
      return `the control API at ${url} knows nothing of registration: is it an older one?`;
    return `the control API at ${url} answered ${status}; it is tried again`;
  }

  #body(terminating: boolean): unknown {
    const addresses = podAddresses(this.#options.node);
    return { ...this.#facts, addresses, containers: JSON.parse(this.#containers()) as unknown, terminating };
  }

  /** As JSON, by which it is compared. */
  #containers(): string {
    const { app, notReady } = this.#options;
    const proxy = { name: 'istio-proxy', image: 'lateen', ports: [], ...readiness(notReady().join('; ') || null) };
    if (app === null) return JSON.stringify([proxy]);
    const { name, image, ports } = app;
    return JSON.stringify([{ name, image, ports, ...readiness(this.#probe?.why ?? null) }, proxy]);
  }
}

/** A reason is a sentence; a list of a hundred ports is cut. */
const MAX_REASON = 512;
const readiness = (why: string | null): object =>
  why === null ? { ready: true } : { ready: false, reason: why.slice(0, MAX_REASON) };

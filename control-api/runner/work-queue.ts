/** Runs controllers: each key that changed is reconciled once, after the change that touched it is complete. */
import type { Cancel, Clock } from './clock.ts';

export type Controller = {
  readonly name: string;
  /** Brings the world to what the object of this key says. May run at any time, and again; must not throw for bad input. */
  reconcile(key: string): void;
};

/** Keys wait here between a change and its reconciliation, so that many changes in a row are one piece of work. */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #onError: (error: unknown, controller: string, key: string) => void;
  #waiting = new Map<Controller, Set<string>>();
  readonly #later = new Map<string, { readonly at: number; readonly cancel: Cancel }>();
  #scheduled = false;
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(clock: Clock, onError: (error: unknown, controller: string, key: string) => void) {
    this.#clock = clock;
    this.#onError = onError;
  }

  add(controller: Controller, key: string): void {
    if (this.#stopped) return;
    const keys = this.#waiting.get(controller);
    if (keys === undefined) this.#waiting.set(controller, new Set([key]));
    else keys.add(key);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }

  /** Reconciles a key again after a while; of several such wishes for a key the earliest counts. */
  addAfter(controller: Controller, key: string, ms: number): void {
    const id = `${controller.name}/${key}`;
    const at = this.#clock.now() + ms;
    const pending = this.#later.get(id);
    if (this.#stopped || (pending !== undefined && pending.at <= at)) return;
    pending?.cancel();
    const cancel = this.#clock.after(ms, () => {
      this.#later.delete(id);
      this.add(controller, key);
    });
    this.#later.set(id, { at, cancel });
  }

  /** Resolves when nothing is left to do (until the next change). */
  idle(): Promise<void> {
    if (!this.#scheduled) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting.clear();
    for (const { cancel } of this.#later.values()) cancel();
    this.#later.clear();
  }

  #run(): void {
    const batch = this.#waiting;
    this.#waiting = new Map();
    for (const [controller, keys] of batch) {
      for (const key of keys) this.#reconcile(controller, key);
    }
    if (this.#waiting.size > 0) {
      setImmediate(() => this.#run());
      return;
    }
    this.#scheduled = false;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #reconcile(controller: Controller, key: string): void {
    if (this.#stopped) return;
    try {
      controller.reconcile(key);
    } catch (error) {
      this.#onError(error, controller.name, key);
      this.addAfter(controller, key, 1000);
    }
  }
}

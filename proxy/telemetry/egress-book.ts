/** What the main thread knows of traffic that left: summed over the workers, shown on the admin port, told to the control API. */
import { EgressSightings, keyOf, sumOf, type EgressRow } from './egress-sightings.ts';

/** What was counted since the report before. One that was sent twice counts once: `run` and `seq` name it. */
export type EgressReport = {
  /** Of this process. */
  readonly run: string;
  /** 1, 2, 3 … */
  readonly seq: number;
  readonly workload: string;
  readonly rows: readonly EgressRow[];
};

export type EgressBookOptions = {
  readonly workload: string;
  readonly run: string;
  /** Resolves with whether the report has arrived; never rejects. Null: there is nobody to report to. */
  readonly send: ((report: EgressReport) => Promise<boolean>) | null;
  /** Reports are at least so far apart, ms; those that do not arrive twice as far each time. */
  readonly everyMs?: number;
};

/** Destinations shown; who has not been called for longest goes first. */
const MAX_SHOWN = 1000;
/** Of those not reported yet: those on top are one row. */
const MAX_UNSENT = 500;
const EVERY_MS = 1000;
const MAX_PAUSE_MS = 30_000;

export class EgressBook {
  readonly #options: Required<EgressBookOptions>;
  readonly #shown = new Map<string, EgressRow>();
  readonly #unsent = new EgressSightings(MAX_UNSENT);
  #underway: EgressReport | null = null;
  #seq = 0;
  #failed = 0;
  #sending: Promise<void> | null = null;
  #closed = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: EgressBookOptions) {
    this.#options = { everyMs: EVERY_MS, ...options };
  }

  /** What one worker has counted since it was asked last. */
  add(rows: readonly EgressRow[]): void {
    for (const row of rows) {
      const key = keyOf(row);
      const known = this.#shown.get(key);
      // At the end of the map is what was seen last.
      this.#shown.delete(key);
      this.#shown.set(key, known === undefined ? row : sumOf(known, row));
      if (this.#shown.size > MAX_SHOWN) this.#shown.delete(this.#shown.keys().next().value!);
      if (this.#options.send !== null) this.#unsent.merge(row);
    }
    this.#report();
  }

  /** The latest first. */
  rows(): EgressRow[] {
    return [...this.#shown.values()].reverse();
  }

  /** Sends what is not sent yet, without waiting between reports, and then no more. Ends at the first that does not arrive. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#sending;
    while (this.#failed === 0 && (await this.#send()));
  }

  #report(): void {
    if (this.#closed || this.#sending !== null || this.#timer !== null) return;
    this.#sending = this.#send().then((sent) => {
      this.#sending = null;
      if (!sent || this.#closed) return;
      const wait = Math.min(this.#options.everyMs * 2 ** this.#failed, MAX_PAUSE_MS);
      this.#timer = setTimeout(() => {
        this.#timer = null;
        this.#report();
      }, wait).unref();
    });
  }

  /** False: there was nothing to send. */
  async #send(): Promise<boolean> {
    const { send, run, workload } = this.#options;
    if (send === null) return false;
    if (this.#underway === null) {
      const rows = this.#unsent.drain();
      if (rows.length === 0) return false;
      this.#underway = { run, seq: ++this.#seq, workload, rows };
    }
    const arrived = await send(this.#underway);
    if (arrived) this.#underway = null;
    this.#failed = arrived ? 0 : Math.min(this.#failed + 1, 16);
    return true;
  }
}

/** Brings what gathers to the control API: one numbered report at a time, again until it has arrived. */

/** One that was sent twice counts once: `run` and `seq` name it. */
export type Report<Row> = {
  /** Of this process. */
  readonly run: string;
  /** 1, 2, 3 … */
  readonly seq: number;
  readonly workload: string;
  readonly rows: readonly Row[];
};

export type CourierOptions<Row> = {
  readonly workload: string;
  readonly run: string;
  /** Resolves with whether the report has arrived; never rejects. Null: there is nobody to report to. */
  readonly send: ((report: Report<Row>) => Promise<boolean>) | null;
  /** Reports are at least so far apart, ms; those that do not arrive twice as far each time. */
  readonly everyMs?: number;
};

const EVERY_MS = 1000;
const MAX_PAUSE_MS = 30_000;

export class Courier<Row> {
  readonly #options: Required<CourierOptions<Row>>;
  readonly #take: () => readonly Row[];
  #underway: Report<Row> | null = null;
  #seq = 0;
  #failed = 0;
  #sending: Promise<void> | null = null;
  #closed = false;
  #timer: NodeJS.Timeout | null = null;

  /** `take`: what has gathered since it was taken last. */
  constructor(options: CourierOptions<Row>, take: () => readonly Row[]) {
    this.#options = { everyMs: EVERY_MS, ...options };
    this.#take = take;
  }

  /** Something has gathered. */
  wake(): void {
    if (this.#closed || this.#sending !== null || this.#timer !== null) return;
    this.#sending = this.#send().then((sent) => {
      this.#sending = null;
      if (!sent || this.#closed) return;
      const wait = Math.min(this.#options.everyMs * 2 ** this.#failed, MAX_PAUSE_MS);
      this.#timer = setTimeout(() => {
        this.#timer = null;
        this.wake();
      }, wait).unref();
    });
  }

  /** Sends what is not sent yet, without waiting between reports, and then no more. Ends at the first that does not arrive. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#sending;
    while (this.#failed === 0 && (await this.#send()));
  }

  /** False: there was nothing to send. */
  async #send(): Promise<boolean> {
    const { send, run, workload } = this.#options;
    if (send === null) return false;
    if (this.#underway === null) {
      const rows = this.#take();
      if (rows.length === 0) return false;
      this.#underway = { run, seq: ++this.#seq, workload, rows };
    }
    const arrived = await send(this.#underway);
    if (arrived) this.#underway = null;
    this.#failed = arrived ? 0 : Math.min(this.#failed + 1, 16);
    return true;
  }
}

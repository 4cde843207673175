/** What the main thread knows of traffic that left: summed over the workers, shown on the admin port, told to the control API. */
import { egressKey, egressSum, type EgressRow } from '../core/egress.ts';
import { EgressSightings } from './egress-sightings.ts';
import { Courier, type CourierOptions, type Report } from './report-courier.ts';

/** What was counted since the report before. */
export type EgressReport = Report<EgressRow>;

/** Destinations shown; who has not been called for longest goes first. */
const MAX_SHOWN = 1000;
/** Of those not reported yet: those on top are one row. */
const MAX_UNSENT = 500;

export class EgressBook {
  readonly #courier: Courier<EgressRow> | null;
  readonly #shown = new Map<string, EgressRow>();
  readonly #unsent = new EgressSightings(MAX_UNSENT);

  constructor(options: CourierOptions<EgressRow>) {
    this.#courier = options.send === null ? null : new Courier(options, () => this.#unsent.drain());
  }

  /** What one worker has counted since it was asked last. */
  add(rows: readonly EgressRow[]): void {
    for (const row of rows) {
      const key = egressKey(row);
      const known = this.#shown.get(key);
      // At the end of the map is what was seen last.
      this.#shown.delete(key);
      this.#shown.set(key, known === undefined ? row : egressSum(known, row));
      if (this.#shown.size > MAX_SHOWN) this.#shown.delete(this.#shown.keys().next().value!);
      if (this.#courier !== null) this.#unsent.merge(row);
    }
    this.#courier?.wake();
  }

  /** The latest first. */
  rows(): EgressRow[] {
    return [...this.#shown.values()].reverse();
  }

  /** Sends what is not sent yet, without waiting between reports, and then no more. Ends at the first that does not arrive. */
  async close(): Promise<void> {
    await this.#courier?.close();
  }
}

/** What the main thread tells the control API of traffic: egress, edges, and single requests while somebody looks. */
import type { TapBatch } from './snapshot/tap.ts';
import { EdgeBook } from './telemetry/edge-stats-book.ts';
import type { EdgeRow } from './telemetry/edge-stats-row.ts';
import { EgressBook } from './telemetry/egress-book.ts';
import type { EgressRow } from './core/egress.ts';
import { TapPost } from './telemetry/tap-post.ts';

/** Resolves with whether it has arrived; never rejects. */
type Tell = (what: 'egress' | 'stats' | 'tap', body: unknown) => Promise<boolean>;

/** Workers tell once a second, each in its own time. */
const EDGES_EVERY_MS = 500;

export class TrafficReports {
  readonly egress: EgressBook;
  readonly #edges: EdgeBook;
  readonly #tapped: TapPost;

  /** `run`: of this process. `tell` null: there is no control API. */
  constructor(workload: string, run: string, tell: Tell | null) {
    const of = { workload, run };
    this.egress = new EgressBook({ ...of, send: tell === null ? null : (report) => tell('egress', report) });
    const send = tell === null ? null : (report: unknown) => tell('stats', report);
    this.#edges = new EdgeBook({ ...of, everyMs: EDGES_EVERY_MS, send });
    this.#tapped = new TapPost(async (batches) => tell?.('tap', { batches }));
  }

  onEgress(rows: readonly EgressRow[]): void {
    this.egress.add(rows);
  }

  onEdges(worker: number, rows: readonly EdgeRow[]): void {
    this.#edges.add(worker, rows);
  }

  onTapped(batches: readonly TapBatch[]): void {
    this.#tapped.add(batches);
  }

  onGone(worker: number): void {
    this.#edges.gone(worker);
  }

  /** Sends what is not sent yet, and then no more. */
  async close(): Promise<void> {
    await Promise.all([this.egress.close(), this.#edges.close()]);
  }
}

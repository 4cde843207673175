/** Runs lanes in this process for a while: shares time among them, keeps count, makes findings small. Nothing is kept of a case that was fine. */
import { readdirSync } from 'node:fs';
import { Dice } from './dice.ts';
import { titleOf, type Case, type Lane } from './lane.ts';
import { shrink } from './shrink.ts';

export type Finding = {
  readonly lane: string;
  /** `seed:nth` of the case that showed it first. */
  readonly origin: string;
  readonly what: string;
  readonly input: Case;
};

export type Tally = {
  /** Cases by lane. */
  readonly cases: Record<string, number>;
  /** Cases by lane and class. */
  readonly classes: Record<string, number>;
  readonly findings: Finding[];
  /** Every time a finding showed, by its title. */
  readonly again: Record<string, number>;
};

/** What this process holds at one moment. */
export type Holdings = { readonly atMs: number; readonly fds: number; readonly heap: number; readonly rss: number };

/** A batch is this long, ms: lanes take turns. */
const TURN = 40;
/** Different findings after which a lane has said enough. */
const ENOUGH = 12;

export class Fuzzer {
  readonly tally: Tally = { cases: {}, classes: {}, findings: [], again: {} };
  readonly holdings: Holdings[] = [];
  /** The case that runs: what an exception is blamed on. */
  current: { readonly lane: string; readonly origin: string; readonly input: Case } | null = null;
  readonly #lanes: readonly Lane[];
  readonly #seed: string;
  readonly #spent = new Map<Lane, number>();

  constructor(lanes: readonly Lane[], seed: string) {
    this.#lanes = lanes;
    this.#seed = seed;
    for (const lane of lanes) this.#spent.set(lane, 0);
  }

  /** Runs until `stop` says so. */
  async run(stop: () => boolean, onTurn: () => void = () => undefined): Promise<void> {
    while (!stop()) {
      const lane = this.#lanes.reduce((a, b) => (this.#due(b) < this.#due(a) ? b : a));
      const start = performance.now();
      while (performance.now() - start < TURN && !stop()) await this.#one(lane);
      this.#spent.set(lane, this.#spent.get(lane)! + performance.now() - start);
      onTurn();
    }
  }

  /** Looks at what is held, after a collection when node has --expose-gc. */
  async weigh(): Promise<Holdings> {
    // Sockets that are closing get their turns first.
    await new Promise((done) => setTimeout(done, 50));
    globalThis.gc?.();
    const { heapUsed, rss } = process.memoryUsage();
    const held = { atMs: performance.now(), fds: readdirSync('/proc/self/fd').length, heap: heapUsed, rss };
    this.holdings.push(held);
    return held;
  }

  #due = (lane: Lane): number => this.#spent.get(lane)! / lane.weight;

  async #one(lane: Lane): Promise<void> {
    const nth = this.tally.cases[lane.name] ?? 0;
    this.tally.cases[lane.name] = nth + 1;
    const origin = `${this.#seed}:${nth}`;
    const input = lane.make(new Dice(this.#seed, lane.name, nth), nth);
    this.current = { lane: lane.name, origin, input };
    const { finding, seen } = await lane.run(input);
    const name = `${lane.name}: ${seen}`;
    this.tally.classes[name] = (this.tally.classes[name] ?? 0) + 1;
    if (finding !== null) await this.#note(lane, origin, finding, input);
    this.current = null;
  }

  async #note(lane: Lane, origin: string, what: string, input: Case): Promise<void> {
    const title = `${lane.name}: ${titleOf(what)}`;
    this.again[title] = (this.again[title] ?? 0) + 1;
    if (this.again[title] > 1 || this.tally.findings.length >= ENOUGH) return;
    const small = await shrink(lane, input, what);
    this.tally.findings.push({ lane: lane.name, origin, ...small });
  }

  get again(): Record<string, number> {
    return this.tally.again;
  }
}

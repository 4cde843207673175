/** The soak itself: proxy, fleet, clients and changes for a while; everything that is answered is judged, everything that is held is weighed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { field } from '../conformance/llhttp.ts';
import { Dice } from '../fuzz/dice.ts';
import { Callers } from './caller.ts';
import { Configuration } from './configuration.ts';
import { judge } from './judge.ts';
import { compose, draw } from './kinds.ts';
import { Fleet } from './origin.ts';
import { PORT, ProxyProcess, type Sample } from './proxy-process.ts';
import { RUDE } from './rude.ts';
import { Tally } from './tally.ts';
import { tunnel } from './tunnels.ts';

export type SoakOptions = {
  readonly ms: number;
  readonly rate: number | null;
  readonly seed: string;
  readonly concurrency: number;
  readonly ip: string;
  readonly sampleMs: number;
  /** Told every sample; returns nothing. */
  readonly onSample?: (sample: Sample, tally: Tally) => void;
  readonly stop?: AbortSignal;
};

export type SoakResult = {
  readonly tally: Tally;
  readonly samples: readonly Sample[];
  readonly capacity: number | null;
  readonly rate: number;
  readonly seconds: number;
  readonly revisions: number;
  readonly restarts: number;
  /** What the proxy holds before the first request and after the last, with no client there. */
  readonly fds: { readonly before: number; readonly after: number };
  readonly alive: boolean;
  /** The proxy's last words on stderr. */
  readonly complaints: string;
};

const LIMIT_MS = 20_000;
/** Descriptors that a proxy at rest may hold more than at its start: log, watches, what its admin pages were asked over. */
const SPARE_FDS = 20;
/** More requests than this under way at once: the load is more than the machine can do, and no more is added. */
const MOST_OPEN = 400;
/** Per cent of arrivals that are a misbehaving client. */
const RUDE_SHARE = 2;
const TUNNELS = 20;
const CHANGE_MS = 2000;
const RESTART_EVERY_MS = 7000;
const RESTART_MS = 400;

/** 127.0.0.1 → 127.0.0.1 + n in its last part. */
const after = (ip: string, n: number): string => ip.replace(/\d+$/, (last) => String(Number(last) + n));

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-soak-'));
  await using fleet = await Fleet.start([1, 2, 3].map((n) => after(options.ip, n)));
  const configuration = new Configuration(dir, fleet.versions);
  try {
    await using proxy = await ProxyProcess.start(options.ip, dir, options.concurrency);
    return await new Soak(options, fleet, configuration, proxy).run();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

class Soak {
  readonly #options: SoakOptions;
  readonly #fleet: Fleet;
  readonly #configuration: Configuration;
  readonly #proxy: ProxyProcess;
  readonly #callers: Callers;
  readonly #dice: Dice;
  readonly #samples: Sample[] = [];
  #tally = new Tally();
  #nth = 0;
  #open = 0;
  #over = false;
  /** The newest revision an answer named. */
  #revisionSeen = 0;

  constructor(options: SoakOptions, fleet: Fleet, configuration: Configuration, proxy: ProxyProcess) {
    this.#options = options;
    this.#fleet = fleet;
    this.#configuration = configuration;
    this.#proxy = proxy;
    this.#callers = new Callers(options.ip, PORT);
    this.#dice = new Dice(options.seed);
  }

  async run(): Promise<SoakResult> {
    const before = this.#proxy.fds();
    await this.#settle();
    const capacity = this.#options.rate === null ? await this.#capacity(Math.min(4000, this.#options.ms / 4)) : null;
    const rate = this.#options.rate ?? Math.floor(capacity! / 2);
    this.#tally = new Tally();
    const start = performance.now();
    await Promise.all([
      this.#arrivals(start, rate),
      this.#tunnels(start),
      this.#changes(),
      this.#restarts(),
      this.#sampling(start),
    ]);
    while (this.#open > 0) await pause(20);
    await this.#lookAtLast();
    this.#callers.close();
    const after = await this.#fdsAtRest(before);
    if (this.#proxy.alive && after > before + SPARE_FDS)
      this.#tally.complain(`descriptors: ${before} before, ${after} after`);
    if (!this.#proxy.alive) this.#tally.complain(`the proxy died: ${this.#proxy.complaints}`);
    for (const what of this.#fleet.broken) this.#tally.complain(`forwarded: ${what}`);
    return {
      tally: this.#tally,
      samples: this.#samples,
      capacity,
      rate,
      seconds: (performance.now() - start) / 1000,
      revisions: this.#configuration.revision,
      restarts: this.#fleet.restarts.length,
      fds: { before, after },
      alive: this.#proxy.alive,
      complaints: this.#proxy.complaints,
    };
  }

  /** Until the first route answers. */
  async #settle(): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      const caller = this.#callers.take();
      const { asked, bytes } = compose('get', `settle${tries}`, {});
      const outcome = await caller.ask((socket) => socket.write(bytes), ['GET'], LIMIT_MS);
      this.#fleet.met.delete(asked.id);
      this.#callers.giveBack(caller);
      if (outcome.answers[0]?.status === 200) return;
      await pause(25);
    }
    throw new Error(`the routes did not come up: ${this.#proxy.complaints}`);
  }

  /** Requests a second of 32 clients who ask one after the other, without faults. */
  async #capacity(ms: number): Promise<number> {
    const start = performance.now();
    let done = 0;
    const loop = async (): Promise<void> => {
      while (performance.now() - start < ms) {
        await this.#ask(false);
        done++;
      }
    };
    await Promise.all(Array.from({ length: 32 }, loop));
    return (done / (performance.now() - start)) * 1000;
  }

  /** Open loop: requests arrive when they arrive, whether the ones before are answered or not. */
  async #arrivals(start: number, rate: number): Promise<void> {
    let due = 0;
    while (!this.#isOver(start)) {
      const wanted = ((performance.now() - start) / 1000) * rate;
      for (; due < wanted; due++) {
        if (this.#open >= MOST_OPEN) this.#tally.count('not sent: too many open');
        else if (this.#dice.chance(RUDE_SHARE)) void this.#rude();
        else void this.#ask(true);
      }
      await pause(2);
    }
    this.#over = true;
  }

  #isOver(start: number): boolean {
    const { ms, stop } = this.#options;
    return performance.now() - start > ms || stop?.aborted === true || !this.#proxy.alive;
  }

  async #ask(faults: boolean): Promise<void> {
    const { asked, bytes } = draw(this.#dice, this.#nth++, faults);
    this.#open++;
    const caller = this.#callers.take();
    const outcome = await caller.ask((socket) => socket.write(bytes, 'latin1'), [asked.method], LIMIT_MS);
    const judgement = judge(asked, outcome, 0, this.#fleet);
    this.#tally.add(asked.kind, judgement, asked.id);
    if (judgement.kind === 'right') this.#tally.time(outcome.toMs - outcome.fromMs);
    const last = outcome.answers[0];
    if (last !== undefined)
      this.#revisionSeen = Math.max(this.#revisionSeen, Number(field(last.headers, 'x-revision') ?? 0));
    if (caller.surplus !== '') this.#tally.complain(`bytes nobody asked for: ${caller.surplus}`);
    this.#callers.giveBack(caller);
    this.#open--;
  }

  async #rude(): Promise<void> {
    const [name, behave] = this.#dice.pick(Object.entries(RUDE));
    const id = `r${this.#nth++}`;
    this.#open++;
    this.#tally.add(`rude, ${name}`, await behave(this.#callers, this.#fleet, this.#dice, id), id);
    this.#fleet.met.delete(id);
    this.#open--;
  }

  async #tunnels(start: number): Promise<void> {
    const one = async (): Promise<void> => {
      while (!this.#over) {
        const id = `t${this.#nth++}`;
        const left = this.#options.ms - (performance.now() - start);
        const life = Math.max(500, Math.min(3000 + this.#dice.int(60_000), left));
        const wrong = await tunnel(this.#options.ip, PORT, id, life, 200 + this.#dice.int(2000), () => this.#over);
        this.#fleet.met.delete(id);
        this.#tally.add('tunnel', wrong === null ? { kind: 'right', what: '' } : { kind: 'wrong', what: wrong }, id);
      }
    };
    await Promise.all(Array.from({ length: TUNNELS }, one));
  }

  async #changes(): Promise<void> {
    while (!this.#over) {
      await pause(Math.min(CHANGE_MS, this.#options.ms / 4));
      this.#configuration.change();
    }
  }

  async #restarts(): Promise<void> {
    const every = Math.min(RESTART_EVERY_MS, this.#options.ms / 3);
    while (!this.#over) {
      await pause(every);
      await this.#fleet.restart(RESTART_MS);
    }
  }

  async #sampling(start: number): Promise<void> {
    await this.#proxy.sample(0);
    while (!this.#over) {
      for (let slept = 0; slept < this.#options.sampleMs && !this.#over; slept += 100) await pause(100);
      if (!this.#proxy.alive) return;
      const sample = await this.#proxy.sample((performance.now() - start) / 1000);
      this.#samples.push(sample);
      this.#options.onSample?.(sample, this.#tally);
    }
  }

  /** The last revision must come into force within five seconds. */
  async #lookAtLast(): Promise<void> {
    const end = performance.now() + 5000;
    while (this.#proxy.alive && this.#revisionSeen < this.#configuration.revision) {
      if (performance.now() > end)
        return this.#tally.complain(
          `revision ${this.#configuration.revision} is not in force, ${this.#revisionSeen} is`,
        );
      await this.#ask(false);
      await pause(10);
    }
  }

  /** Nobody is there any more: what it still holds, but for the connections that it keeps to the origins. */
  async #fdsAtRest(before: number): Promise<number> {
    let held = Infinity;
    for (let tries = 0; tries < 100 && this.#proxy.alive; tries++) {
      held = this.#proxy.fds() - this.#fleet.connections;
      if (held <= before) break;
      await pause(50);
    }
    return held;
  }
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

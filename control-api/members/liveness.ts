/** Is a registered pod alive? Its lease runs out in silence; and a stream that breaks off is looked into at once. */
import { gate } from '../runner/gate.ts';
import type { Clock } from '../runner/clock.ts';
import type { Lost } from './member-pod.ts';
import type { Member } from './member.ts';

/** Tries to connect. Null: it can be reached; otherwise why not. Never rejects. */
export type Reach = (host: string, port: number, timeoutMs: number) => Promise<string | null>;

export type Leased = {
  /** `<pod>.<namespace>` */
  readonly id: string;
  readonly member: Member;
  readonly lost: Lost | null;
  /** Milliseconds since the epoch. */
  heardAt: number;
};

export type Watched = {
  all(): Iterable<Leased>;
  get(id: string): Leased | undefined;
  isConnected(id: string): boolean;
  /** It is not ready, whatever it said. */
  lose(id: string, lost: Lost): void;
  /** It is gone. */
  drop(id: string): void;
};

/** Without a word for so long, two of which are due by then, a pod is tried to be reached. */
export const QUIET_MS = 7000;
/** Everybody is due within this time. */
const DUE_MS = 4000;
/** After so long without a word, a pod is not ready; */
export const SILENT_MS = 15_000;
/** and after so long, it is gone. */
export const GONE_MS = 5 * 60_000;

const SWEEP_MS = 1000;
/** How long a proxy whose stream broke off may take to come back, and how long a connection to it may take. */
const RETURN_MS = 1000;
const CONNECT_MS = 1000;
/** A word that came with the end of the stream was said before it. */
const AFTERWARDS_MS = 500;
/** `/healthz/ready` of every proxy. */
const READY_PORT = 15_021;
/** Connections at a time: a network that breaks breaks for many. */
const WIDTH = 64;

export class Liveness {
  readonly #clock: Clock;
  readonly #reach: Reach;
  readonly #watched: Watched;
  readonly #gate = gate(WIDTH);
  /** Ids that are looked into, each since when. */
  readonly #broken = new Map<string, number>();
  /** Ids that have said nothing for a while and are being reached for. */
  readonly #doubted = new Set<string>();
  #sweptAt: number;
  #cutOff = false;
  #closed = false;

  constructor(clock: Clock, reach: Reach, watched: Watched) {
    this.#clock = clock;
    this.#reach = reach;
    this.#watched = watched;
    this.#sweptAt = clock.now();
    clock.after(SWEEP_MS, () => this.#sweep());
  }

  /** Its stream is not there: has it ended? */
  watch(id: string): void {
    if (this.#closed) return;
    const looking = this.#broken.has(id);
    this.#broken.set(id, this.#clock.now());
    if (!looking) this.#clock.after(RETURN_MS, () => void this.#look(id));
  }

  close(): void {
    this.#closed = true;
  }

  #sweep(): void {
    if (this.#closed) return;
    const now = this.#clock.now();
    // This process itself was stopped for a while (a machine that slept): nobody could be heard.
    const stopped = now - this.#sweptAt - SWEEP_MS;
    this.#sweptAt = now;
    const all = [...this.#watched.all()];
    if (stopped > SWEEP_MS) for (const leased of all) leased.heardAt += stopped;
    const wasCutOff = this.#cutOff;
    this.#cutOff = isCutOff(all, now);
    // Whoever is heard first is not alone: the others are given their time to come back.
    if (wasCutOff && !this.#cutOff) for (const leased of all) leased.heardAt = now;
    if (!this.#cutOff) for (const leased of all) this.#judge(leased, now - leased.heardAt);
    this.#clock.after(SWEEP_MS, () => this.#sweep());
  }

  #judge({ id, lost }: Leased, silent: number): void {
    if (silent >= GONE_MS) this.#watched.drop(id);
    else if (lost !== null || silent < QUIET_MS) return;
    else if (silent >= SILENT_MS) this.#watched.lose(id, silence());
    else if (!this.#doubted.has(id)) void this.#reachFor(id);
  }

  /** A network that is gone ends no stream. */
  async #reachFor(id: string): Promise<void> {
    this.#doubted.add(id);
    const leave = await this.#gate.enter();
    const { ip } = this.#watched.get(id)?.member ?? { ip: '' };
    const why = ip === '' ? null : await this.#reach(ip, READY_PORT, CONNECT_MS);
    leave();
    this.#doubted.delete(id);
    const leased = this.#watched.get(id);
    if (this.#closed || why === null || leased === undefined || leased.lost !== null) return;
    if (this.#clock.now() - leased.heardAt < QUIET_MS) return;
    const message = `its proxy has said nothing for ${QUIET_MS / 1000} s, and ${ip}:${READY_PORT} cannot be reached: ${why}`;
    this.#watched.lose(id, { reason: 'Unreachable', message: message.slice(0, 512) });
  }

  async #look(id: string): Promise<void> {
    if (!this.#isMissing(id)) return void this.#broken.delete(id);
    const leave = await this.#gate.enter();
    const { ip } = this.#watched.get(id)?.member ?? { ip: '' };
    const why = ip === '' ? null : await this.#reach(ip, READY_PORT, CONNECT_MS);
    leave();
    if (!this.#isMissing(id)) return void this.#broken.delete(id);
    if (why === null) {
      // It runs, but does not come back: it may be on its way to its end.
      this.#clock.after(RETURN_MS, () => void this.#look(id));
      return;
    }
    this.#broken.delete(id);
    const message = `its configuration stream broke off, and ${ip}:${READY_PORT} cannot be reached: ${why}`;
    this.#watched.lose(id, { reason: 'Unreachable', message: message.slice(0, 512) });
  }

  /** No stream, and no word either since that broke off. */
  #isMissing(id: string): boolean {
    const leased = this.#watched.get(id);
    if (this.#closed || leased === undefined || leased.lost !== null || this.#watched.isConnected(id)) return false;
    return leased.heardAt <= (this.#broken.get(id) ?? 0) + AFTERWARDS_MS;
  }
}

/**
 * When nobody of several says anything, it is this process that cannot be reached: pods go on serving each other, and must not lose
 * their endpoints to whoever comes back first (as Kubernetes' node controller stops evicting when no node is ready).
 */
function isCutOff(all: readonly Leased[], now: number): boolean {
  const held = all.filter(({ lost }) => lost === null);
  return held.length > 1 && held.every(({ heardAt }) => now - heardAt >= DUE_MS);
}

const silence = (): Lost => ({
  reason: 'NodeStatusUnknown',
  message: `its proxy has said nothing for ${SILENT_MS / 1000} s`,
});

/** A clock that stands still until it is told to move: for tests. */
import type { Clock, Timer } from './clock.ts';

export type ManualClock = Clock & {
  /** Moves time on and runs what falls due, in order of time; `now()` is the due time while each runs. */
  advance(ms: number): void;
  /** Timers that wait. */
  readonly pending: number;
};

export function manualClock(start = 0): ManualClock {
  let time = start;
  const waiting = new Set<{ readonly at: number; readonly run: () => void }>();
  return {
    now: () => time,
    add<T>(ms: number, fn: (arg: T) => void, arg: T): Timer {
      const entry = { at: time + Math.max(ms, 0), run: () => fn(arg) };
      waiting.add(entry);
      return { cancel: () => void waiting.delete(entry) };
    },
    advance(ms) {
      const until = time + ms;
      for (;;) {
        const [next] = [...waiting].filter((entry) => entry.at <= until).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        waiting.delete(next);
        time = Math.max(time, next.at);
        next.run();
      }
      time = until;
    },
    get pending() {
      return waiting.size;
    },
  };
}

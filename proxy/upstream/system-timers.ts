/** A clock over Node's own timers, for the few that DNS needs: a wheel costs memory in each worker. */
import type { Clock } from '../core/clock.ts';

export const systemTimers: Clock = {
  now: () => performance.now(),
  add(ms, fn, arg) {
    const timer = setTimeout(fn, ms, arg).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

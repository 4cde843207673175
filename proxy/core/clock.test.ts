import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { wheelClock, type Clock } from './clock.ts';
import { manualClock } from './manual-clock.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const makers: Record<string, () => { clock: Clock; advance: (ms: number) => void; slack: number }> = {
  wheel: () => ({ clock: wheelClock(), advance: (ms) => void vi.advanceTimersByTime(ms), slack: 12 }),
  manual: () => {
    const clock = manualClock();
    return { clock, advance: (ms) => clock.advance(ms), slack: 0 };
  },
};

for (const [name, make] of Object.entries(makers)) {
  describe(`the ${name} clock`, () => {
    test('never fires early, and little late, near and far', () => {
      const { clock, advance, slack } = make();
      const start = clock.now();
      const late: number[] = [];
      const waits = [0, 1, 9, 10, 11, 250, 999, 5000, 20_479, 20_480, 20_481, 65_000, 3_600_000];
      for (const ms of waits) clock.add(ms, (wanted) => late.push(clock.now() - start - wanted), ms);
      for (let i = 0; i < 400; i++) advance(9_001);
      expect(late).toHaveLength(waits.length);
      expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...late)).toBeLessThanOrEqual(slack);
    });

    test('a cancelled timer never fires; cancelling again, or too late, does nothing', () => {
      const { clock, advance } = make();
      const fired: string[] = [];
      const a = clock.add(50, (x) => fired.push(x), 'a');
      const b = clock.add(50, (x) => fired.push(x), 'b');
      a.cancel();
      a.cancel();
      advance(100);
      b.cancel();
      advance(100_000);
      expect(fired).toEqual(['b']);
    });

    test('a timer may add and cancel others while it runs', () => {
      const { clock, advance } = make();
      const fired: string[] = [];
      const doomed = clock.add(130, (x) => fired.push(x), 'doomed');
      clock.add(
        100,
        () => {
          doomed.cancel();
          clock.add(0, (x) => fired.push(x), 'next');
        },
        undefined,
      );
      advance(200);
      expect(fired).toEqual(['next']);
    });

    test('fires again after a rest', () => {
      const { clock, advance } = make();
      let count = 0;
      for (let i = 0; i < 3; i++) {
        clock.add(30, () => count++, undefined);
        advance(1_000_000);
      }
      expect(count).toBe(3);
    });
  });
}

describe('the wheel', () => {
  test('arms one timer of Node for ten thousand of its own, and none when there is nothing to wait for', () => {
    const clock = wheelClock();
    expect(vi.getTimerCount()).toBe(0);
    let fired = 0;
    const timers = Array.from({ length: 10_000 }, (_, i) => clock.add(100 + (i % 1000), () => fired++, undefined));
    expect(vi.getTimerCount()).toBe(1);
    timers.forEach((timer, i) => i % 2 === 0 && timer.cancel());
    vi.advanceTimersByTime(3000);
    expect(fired).toBe(5000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a shorter wait added later fires first', () => {
    const clock = wheelClock();
    const fired: number[] = [];
    for (const ms of [5000, 200, 20]) clock.add(ms, (x) => fired.push(x), ms);
    vi.advanceTimersByTime(300);
    expect(fired).toEqual([20, 200]);
  });

  test('after the machine slept for an hour everything that was due fires', () => {
    let now = 0;
    const clock = wheelClock(() => now);
    let fired = 0;
    for (const ms of [10, 1000, 15_000, 100_000]) clock.add(ms, () => fired++, undefined);
    now = 3_600_000;
    vi.advanceTimersByTime(20);
    expect(fired).toBe(4);
  });
});
